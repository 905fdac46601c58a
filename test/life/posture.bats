#!/usr/bin/env bats
# What a process may do in a container of whelk, beside one of podman from the same image. The probe asks both; whatever differs
# has a row and a reason below, and nothing may be open in whelk's that is closed in podman's but what the first table lists.

load ../lib/common
load ../lib/container

# FACT<TAB>REASON: open in whelk's container, closed in podman's.
laxer="syscall 135	personality: only the harmless kinds, checked by argument (run-security.bats); debuggers and 32-bit builds want it
syscall 449	futex_waitv: newer than podman's list; it waits, as futex does, which both allow
syscall 451	cachestat: newer than podman's list; counts the pages of a file that is open
syscall 452	fchmodat2: newer than podman's list; fchmodat with flags
syscall 462	mseal: newer than podman's list; takes rights from the caller's own memory
read /sys/fs/cgroup/cgroup.procs	the hierarchy of version 2 is hidden from podman, see below; here it has the container's own group alone"

# PATTERN<TAB>REASON: closed in whelk's, open in podman's.
stricter="syscall *	what programs do not need is not in the filter's table, and what was made for the host's administrator least of all
args clone new*	no namespaces below without --security-opt nested: most kernel holes of late began there
args ioctl TIOC*	typing into the terminal of the caller
socket family *	packet, vsock, XDP and the like reach what no namespace separates
netlink protocol *	only the protocols that programs on a network use
read /proc/*	tells of the host's kernel, hardware and other containers
mount /* without *	masks and files that whelk brings hold nothing to be executed, and no devices"

# FACT<TAB>REASON: values that differ.
other="Groups	podman's process 1 is in no group at all, whelk's in that of root, as a login's
oom_score_adj	a container is to be killed before the process that looks after it"

setup_file() {
    [ "$WHELK_LANE" = root ] && command -v podman >/dev/null || return 0
    base_image
    PEER=$(mktemp -d /tmp/posture.XXXX) # podman takes only short paths
    export PEER
    cd "$BATS_FILE_TMPDIR"
    local probe limits="--ulimit nofile=1024:1024 --ulimit nproc=1024:1024" # podman wants more than root has here
    probe=$(dirname "$WHELK")/test/lib/posture-probe
    whelk run --rm $limits --network none -v "$probe:/probe:ro" base /probe >whelk.json
    # Debian's crun takes no host that has both kinds of control groups.
    unshare -m sh -c 'umount -l /sys/fs/cgroup/unified 2>/dev/null
        p="podman --root $1/root --runroot $1/run --storage-driver vfs" base=$2 probe=$3
        shift 3
        $p import "$base" localhost/base >&2 && $p run --rm "$@" --network none -v "$probe:/probe:ro" localhost/base /probe' \
        sh "$PEER" "$WHELK_TOOLS/base.tar" "$probe" $limits >podman.json 2>podman.log || : >podman.json
    [ ! -s podman.json ] || { facts whelk && facts podman; }
}

teardown_file() {
    [ -z "${PEER-}" ] || rm -rf "$PEER"
}

# What is open (a line each in NAME.open), and values (FACT<TAB>VALUE in NAME.values). EPERM, ENOSYS and no such family are closed.
facts() { # NAME
    jq -r '
        def open: . != 1 and . != 38 and . != 97 and . != 93;
        (.syscalls | to_entries[] | select(.value | open) | "syscall " + .key),
        (.args | to_entries[] | select(.value | open) | "args " + .key),
        (.["socket families"] | to_entries[] | select(.value | open) | "socket family " + .key),
        (.["netlink protocols"] | to_entries[] | select(.value | open) | "netlink protocol " + .key),
        (.paths | to_entries[] | select(.value.read > 0) | "read " + .key)
    ' $1.json | sort >$1.open
    jq -r '.mounts[] | .target as $t | (.options | split(",")) as $o |
        ("ro", "nosuid", "nodev", "noexec") | . as $flag | select($o | index($flag) | not) | "mount \($t) without \($flag)"' $1.json |
        sort -u >$1.mounts
    jq -r '.mounts[].target' $1.json | sort -u >$1.targets
    jq -r '(.status | to_entries[] | "\(.key)\t\(.value)"), "oom_score_adj\t\(.oom_score_adj)", (.rlimits[] | "rlimit \(.)\tset")' $1.json |
        sort >$1.values
}

# Lines of the first file that the second lacks; of mounts only where both have one.
only_in() { # NAME OTHER
    comm -23 $1.open $2.open
    comm -23 $1.mounts $2.mounts | while read -r line; do
        target=${line#mount }
        ! grep -qxF "${target% without *}" $2.targets || echo "$line"
    done
}

setup() {
    skip_unless_lane root
    command -v podman >/dev/null || skip "no podman"
    cd "$BATS_FILE_TMPDIR"
    [ -s podman.json ] || skip "podman does not run here: $(tail -n 1 podman.log)"
}

@test "the probe could ask" {
    [ "$(wc -l <whelk.open)" -gt 200 ]
    [ "$(wc -l <podman.open)" -gt 200 ]
    grep -qx "syscall 0" whelk.open # read
    grep -qx "mount / without ro" whelk.mounts
}

@test "capabilities, filter mode, no_new_privs, ids and limits are podman's" {
    local name
    for name in CapInh CapPrm CapEff CapBnd CapAmb Seccomp NoNewPrivs Uid Gid Umask; do
        assert_equal "$name $(grep "^$name	" whelk.values)" "$name $(grep "^$name	" podman.values)"
    done
    diff whelk.values podman.values | sed -n 's/^[<>] //p' | cut -f 1 | sort -u | while read -r name; do
        grep -q "^$name	" <<<"$other" || _fail "no reason is given for $name"
    done
}

@test "nothing is open that podman closes, but what has a reason" {
    local fact
    while read -r fact; do
        [ -z "$fact" ] || grep -qF "$fact	" <<<"$laxer" || _fail "open, and no reason is given: $fact"
    done < <(only_in whelk podman)
}

@test "what only podman leaves open has a reason" {
    only_in podman whelk >closed
    [ "$(wc -l <closed)" -gt 40 ]
    local fact pattern reason found
    while read -r fact; do
        found=
        while IFS='	' read -r pattern reason; do
            [[ $fact != $pattern ]] || found=$reason
        done <<<"$stricter"
        [ -n "$found" ] || _fail "no reason is given for: $fact"
    done <closed
}
