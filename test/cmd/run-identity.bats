#!/usr/bin/env bats
# whelk run: environment and identity beyond -e and -u (R-038 to R-053), labels from files, annotations, and the options
# that whelk knows and refuses (R-111, R-160 to R-173).

load ../lib/common
load ../lib/container
load ../lib/tidy

teardown() {
    whelk rm -af -t 0 >/dev/null
    no_containers_left
}

# --- environment

@test "--unsetenv and --unsetenv-all leave variables out, --env puts them in" {
    answers "" run --rm --unsetenv PATH --unsetenv HOSTNAME base /bin/sh -c 'env | grep -E "^HOSTNAME=" || :'
    answers $'A=b\nHOME=/root' run --rm --unsetenv-all -e A=b base /bin/env
    answers here run --rm --unsetenv PATH -e PATH=/bin base sh -c 'echo here'
    answers ok run --rm --unsetenv no_such_variable base echo ok
}

@test "--env-merge expands what the image has" {
    answers "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/x" \
        run --rm --env-merge 'PATH=$PATH:/x' base sh -c 'echo $PATH'
    answers '[/bin][]$[$-]' run --rm --env-merge 'PATH=/bin' --env-merge 'A=[${PATH}][$NONE]$$[$-]' base sh -c 'echo "$A"'
    refused 125 "--env-merge A: write NAME=VALUE, as 'PATH=\$PATH:/opt/bin'" create --env-merge A base true
}

@test "--http-proxy hands proxies in, and commit leaves them out" {
    export http_proxy=http://proxy.example.com:3128 NO_PROXY=example.com
    answers "" run --rm base sh -c 'env | grep -i proxy || :'
    answers "" run --rm --http-proxy=false base sh -c 'env | grep -i proxy || :'
    answers $'NO_PROXY=example.com\nhttp_proxy=http://proxy.example.com:3128' \
        run --rm --http-proxy base sh -c 'env | grep -i proxy | sort'
    whelk run --name c --http-proxy -e KEPT=1 base true
    whelk commit c made >/dev/null
    answers "KEPT=1" run --rm made sh -c 'env | grep -i -e proxy -e KEPT'
}

# --- users

@test "a user by number gets a line in /etc/passwd and /etc/group (R-046)" {
    needs_ids
    answers "1234 uid=1234(1234) gid=0(root) groups=0(root)" run --rm -u 1234 base sh -c 'echo $(whoami) $(id)'
    answers "1234:x:1234:77:container user:/tmp:/bin/sh" run --rm -w /tmp -u 1234:77 base tail -n 1 /etc/passwd
    answers "77:x:77:1234" run --rm -u 1234:77 base tail -n 1 /etc/group
    # Who is there already, or root, needs none.
    answers "nobody:x:65534:65534:nobody:/nonexistent:/bin/false" run --rm -u 1000 base tail -n 1 /etc/passwd
    answers 0 run --rm base sh -c 'grep -c /etc/passwd /proc/mounts || :'
    whelk run --name c -u 1234 base true
    answers "" diff c
}

@test "--passwd=false, --passwd-entry, --group-entry, --hostuser" {
    answers "games:x:5:60:games:/usr/games:/usr/sbin/nologin" run --rm --hostuser games --hostuser root base grep games /etc/passwd
    answers 1 run --rm --hostuser root base grep -c ^root: /etc/passwd
    refused 125 "--hostuser no-such: this machine has no such user" create --hostuser no-such base true
    needs_ids
    run_whelk run --rm --passwd=false -u 1234 base whoami
    assert_status 1
    answers "joe /home/joe" run --rm -u 99:98 --passwd-entry 'joe:x:$UID:$GID::/home/joe:/bin/false' \
        base sh -c 'echo $(whoami) $HOME'
    answers "crew:x:98:99" run --rm -u 99:98 --group-entry 'crew:x:$GID:$USERLIST' base tail -n 1 /etc/group
}

@test "keep-id has the caller's name" {
    skip_unless_lane subuid plain
    answers "$(id -un)" run --rm --userns keep-id base whoami
    run_whelk run --rm --userns keep-id --passwd=false base whoami
    assert_status 1
}

@test "a link of the image at /etc/passwd leads nowhere outside" {
    needs_ids
    mkdir -p tree/etc tree/bin
    tar -C tree -xf "$WHELK_TOOLS/base.tar"
    ln -sf /../../../../../../etc/hostname tree/etc/passwd
    tar -C tree --owner=0 --group=0 -cf links.tar .
    whelk import links.tar links >/dev/null
    run_whelk run --rm -u 1234 links cat /etc/hostname
    assert_success
    refute_output --partial "$(hostname)"
}

@test "--group-add keep-groups keeps those of the caller" {
    local groups
    groups=$(id -G | tr ' ' '\n' | sort -n | uniq | wc -l)
    answers "$groups" run --rm --group-add keep-groups base sh -c 'sed -n "s/^Groups://p" /proc/self/status | wc -w | { read n; echo $((n > 0 ? n : 1)); }'
    refused 125 "--group-add keep-groups goes with no other --group-add" \
        create --group-add keep-groups --group-add 5 base true
}

@test "--umask" {
    answers "0027 640" run --rm --umask 027 base sh -c 'touch /x; echo $(umask) $(stat -c %a /x)'
    answers 0000 run --rm --umask 0 base sh -c umask
    # What whelk makes is not concerned.
    answers 755 run --rm --umask 077 -w /made base stat -c %a /made
    local word
    for word in "" 9 07777 x; do
        refused 125 "--umask $word is not an octal number up to 0777" create --umask "$word" base true
    done
}

# --- names

@test "--domainname and --no-hostname" {
    answers example.org run --rm --domainname example.org base cat /proc/sys/kernel/domainname
    refused 125 "--domainname would change more than this container: --uts is not private" \
        create --uts host --domainname x base true
    refused 125 "--domainname : 1 to 64 characters" create --domainname "" base true
    run_whelk run --rm --no-hostname base cat /etc/hostname
    assert_status 1
    answers name run --rm --no-hostname -h name base hostname
}

@test "--personality" {
    case $(uname -m) in
    x86_64) answers i686 run --rm --personality LINUX32 base uname -m ;;
    esac
    answers "$(uname -m)" run --rm --personality LINUX base uname -m
    refused 125 "--personality BSD is not known; known: LINUX, LINUX32" create --personality BSD base true
}

# --- labels

@test "--label-file, --annotation" {
    printf '# comment\na=b\n\n  c\nd=e=f\n' >labels
    whelk create --name c --label-file labels -l a=over --annotation x=y --annotation z base true >/dev/null
    assert_equal "$(whelk inspect -f '{{json .Config.Labels}} {{json .Config.Annotations}}' c)" \
        '{"a":"over","c":"","d":"e=f"} {"x":"y","z":""}'
    refused 125 "cannot read the label file no-such: No such file or directory" create --label-file no-such base true
    refused 125 "--annotation =x has no key; write KEY=VALUE" create --annotation =x base true
}

# --- what is refused

@test "options that whelk knows and does not do are refused, each with the way out" {
    local option text
    while IFS='|' read -r option text; do
        # shellcheck disable=SC2086 # an option and its value
        refused 125 "$text" create $option base true
    done <<'TABLE'
--runtime crun|--runtime: whelk runs containers itself; there is no other runtime to choose
--isolation hyperv|--isolation: it is for Windows; a container is isolated by namespaces
--cpu-count 2|--cpu-count: it is for Windows; use --cpus
--io-maxiops 2|--io-maxiops: it is for Windows; use --device-read-iops and --device-write-iops
--use-api-socket|--use-api-socket: whelk has no daemon, so there is no socket to give
--ipfs-address x|--ipfs-address: whelk has no IPFS; whelk load takes an archive
--verify cosign|--verify: signatures are checked by the policy of registries, see whelk-pull(1)
--storage-opt size=1g|--storage-opt: a size of the root needs project quotas, which whelk does not set; give the data a volume, or --tmpfs DIR:size=
--device-cgroup-rule x|--device-cgroup-rule: whelk gives devices by mounting them; use --device
--memory-swappiness 5|--memory-swappiness: control groups of version 2 have no such setting; use --memory-swap
--oom-kill-disable|--oom-kill-disable: control groups of version 2 have no such setting; use --oom-score-adj
--kernel-memory 5m|--kernel-memory: the kernel has no such limit any more; --memory counts its memory too
--volume-driver nfs|--volume-driver: the only volume driver is local
--seccomp-policy image|--seccomp-policy: images do not choose their filter; --security-opt seccomp=FILE gives one
--chrootdirs /x|--chrootdirs: there are hosts, resolv.conf and hostname at the root only; mount them below it with -v
--init-path /x|--init-path: the init of --init is built in; to run another one, make it the command
TABLE
    # What they say by default is fine.
    answers ok run --rm --runtime whelk --isolation default --memory-swappiness -1 --oom-kill-disable=false \
        --volume-driver local --seccomp-policy default base echo ok
}
