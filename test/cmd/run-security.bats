#!/usr/bin/env bats
# whelk run: what a process may do and see in a container (SECURITY 2), seen from inside.

load ../lib/common
load ../lib/container
load ../lib/tidy

setup_file() {
    base_image
    PROBE=$(dirname "$WHELK")/test/lib/posture-probe
    export PROBE
    whelk run --rm -v "$PROBE:/probe:ro" base /probe >"$BATS_FILE_TMPDIR/default.json"
}

# posture JQ-FILTER [RUN-OPTION...]: what the probe says of a container with these options (none: asked once).
posture() {
    local filter=$1
    shift
    if [ $# = 0 ]; then
        jq -c "$filter" "$BATS_FILE_TMPDIR/default.json"
    else
        whelk run --rm -v "$PROBE:/probe:ro" "$@" base /probe | jq -c "$filter"
    fi
}
status_of() { # FIELD RUN-OPTION...: of /proc/self/status
    local field=$1
    shift
    whelk run --rm "$@" base sed -n "s/^$field:[[:space:]]*//p" /proc/self/status
}

default_caps=00000000800405fb
no_caps=0000000000000000

# --- capabilities

@test "root has the eleven capabilities, bounding and no others (SECURITY 2.1)" {
    assert_equal "$(status_of CapPrm)" $default_caps
    assert_equal "$(status_of CapEff)" $default_caps
    assert_equal "$(status_of CapBnd)" $default_caps
    assert_equal "$(status_of CapInh)" $no_caps
    assert_equal "$(status_of CapAmb)" $no_caps
}

@test "other users have none, and none to gain" {
    needs_ids
    local field
    for field in CapPrm CapEff CapBnd CapInh CapAmb; do
        assert_equal "$field $(status_of $field -u user)" "$field $no_caps"
    done
    # What is added explicitly, they have too.
    for field in CapPrm CapEff CapBnd CapInh CapAmb; do
        assert_equal "$field $(status_of $field -u user --cap-add net_raw)" "$field 0000000000002000"
    done
}

@test "--cap-add and --cap-drop" {
    local all
    assert_equal "$(status_of CapEff --cap-drop ALL)" $no_caps
    assert_equal "$(status_of CapBnd --cap-drop all)" $no_caps
    assert_equal "$(status_of CapEff --cap-drop ALL --cap-add NET_RAW --cap-add cap_chown)" 0000000000002001
    assert_equal "$(status_of CapEff --cap-add CAP_NET_ADMIN)" 00000000800415fb
    assert_equal "$(status_of CapEff --cap-drop CHOWN --cap-drop CAP_setuid)" 000000008004057a
    # All that there are; root's own may be fewer.
    all=$(printf %016x $(((1 << ($(cat /proc/sys/kernel/cap_last_cap) + 1)) - 1)))
    [ "$WHELK_LANE" != root ] || all=$(sed -n 's/^CapPrm:[[:space:]]*//p' /proc/self/status)
    assert_equal "$(status_of CapEff --cap-add ALL)" "$all"
    assert_equal "$(status_of CapBnd --cap-add ALL --cap-drop CHOWN)" "${all%f}e"
    run_whelk run --rm --cap-drop CHOWN base sh -c 'touch /x; chown 1:1 /x'
    assert_status 1
}

@test "capabilities that are none" {
    refused 125 "unknown capability bogus" run --cap-add bogus base true
    refused 125 "unknown capability NET_ADMI; did you mean NET_ADMIN?" run --cap-drop NET_ADMI base true
    refused 125 "cannot both add and drop all capabilities" run --cap-add ALL --cap-drop ALL base true
    refused 125 "capability CAP_CHOWN is both added and dropped" run --cap-add CHOWN --cap-drop chown base true
}

# --- --security-opt

@test "--security-opt no-new-privileges" {
    assert_equal "$(status_of NoNewPrivs)" 0
    assert_equal "$(status_of NoNewPrivs --security-opt no-new-privileges)" 1
    assert_equal "$(status_of NoNewPrivs --security-opt no-new-privileges:true)" 1
    assert_equal "$(status_of NoNewPrivs --security-opt=no-new-privileges=false)" 0
    refused 125 '--security-opt no-new-privileges takes true or false, not "maybe"' \
        run --security-opt no-new-privileges=maybe base true
    # The root then is nosuid and nodev too.
    run_whelk run --rm --security-opt no-new-privileges base awk '$2 == "/" { print $4 }' /proc/mounts
    [[ ,$output, == *,nosuid,* && ,$output, == *,nodev,* ]]
}

@test "--security-opt seccomp" {
    assert_equal "$(status_of Seccomp)" 2
    assert_equal "$(status_of Seccomp --security-opt seccomp=unconfined)" 0
    echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}' >profile
    assert_equal "$(status_of Seccomp --security-opt seccomp=profile)" 2
    run_whelk run --rm --security-opt seccomp=profile base mkdir /x
    assert_status 1
    assert_stderr --partial "Operation not permitted"
    refused 125 "--security-opt seccomp= takes unconfined or the path of a JSON profile" run --security-opt seccomp= base true
    refused 125 "--security-opt seccomp=no/such: cannot read the profile: No such file or directory" \
        run --security-opt seccomp=no/such base true
    echo text >text
    run_whelk run --rm --security-opt seccomp=text base true
    assert_status 125
    assert_one_error
    assert_stderr --partial "/text: not valid JSON"
    assert_equal "$(whelk ps -aq)" ""
}

@test "--security-opt nested allows namespaces inside" {
    run_whelk run --rm base unshare -r true
    assert_status 1
    assert_stderr --partial "Operation not permitted"
    answers ok run --rm --security-opt nested base unshare -r echo ok
    refused 125 "--security-opt nested takes no value" run --security-opt nested=1 base true
}

@test "--security-opt unmask shows what is hidden" {
    answers 0 run --rm base sh -c 'wc -c </proc/interrupts'
    run_whelk run --rm --security-opt unmask=ALL base sh -c 'wc -c </proc/interrupts'
    [ "$output" -gt 0 ]
    run_whelk run --rm --security-opt systempaths=unconfined base sh -c 'wc -c </proc/interrupts'
    [ "$output" -gt 0 ]
    refused 125 "--security-opt unmask= takes absolute paths, with colons in between" run --security-opt unmask base true
}

@test "--security-opt: what is accepted, and what is refused" {
    answers ok run --rm --security-opt label=disable --security-opt apparmor=unconfined base echo ok
    refused 125 "--security-opt label: this version sets no SELinux labels; only label=disable is known" \
        run --security-opt label=type:x base true
    refused 125 "--security-opt apparmor: this version sets no AppArmor profile; only apparmor=unconfined is known" \
        run --security-opt apparmor=profile base true
    run_whelk run --security-opt bogus base true
    assert_status 125
    assert_one_error
    assert_stderr --partial "Error: --security-opt bogus is not known; known: no-new-privileges, "
}

@test "--privileged: all capabilities, no filter, no masks, and still the user's own rights (R-090)" {
    assert_equal "$(status_of CapEff --privileged)" "$(status_of CapEff --cap-add ALL)"
    assert_equal "$(status_of Seccomp --privileged)" 0
    run_whelk run --rm --privileged base sh -c 'wc -c </proc/interrupts'
    [ "$output" -gt 0 ]
    answers ok run --rm --privileged base sh -c 'mkdir /m && mount -t tmpfs t /m && echo ok'
    run_whelk run --rm --privileged --cap-drop CHOWN base sh -c 'touch /x; chown 1:1 /x'
    assert_status 1
    skip_unless_lane subuid plain
    # What is not the user's stays closed: a file of the host's root.
    run_whelk run --rm --privileged -v /etc/shadow:/s base cat /s
    assert_status 1
    assert_stderr --partial "Permission denied"
}

# --- namespaces

@test "namespaces are the container's own (S-095)" {
    local name
    for name in mnt pid net ipc uts cgroup user; do
        run_whelk run --rm base readlink /proc/self/ns/$name
        assert_output --regexp "^$name:\\[[0-9]+\\]\$"
        [ "$name$WHELK_LANE" = userroot ] || [ "$output" != "$(readlink /proc/self/ns/$name)" ] || _fail "shared: $name"
    done
    # Process 1 is the command, and there is nobody else.
    answers 1 run --rm base sh -c 'echo $$'
    assert_equal "$(whelk run --rm base ls /proc | grep -c '^[0-9]')" 1
}

@test "a hostname can be set inside only with the right to" {
    run_whelk run --rm base hostname other
    assert_status 1
    answers other run --rm --cap-add SYS_ADMIN base sh -c 'hostname other; hostname'
}

# --- devices and mounts

@test "/dev has the six devices, and links (SECURITY 2.4)" {
    run_whelk run --rm base sh -c 'cd /dev; for f in *; do
        [ ! -c $f ] || [ -L $f ] || echo "$f $(stat -c "%t:%T %a" $f)"
        [ ! -L $f ] || echo "$f $(readlink $f)"
        [ ! -d $f ] || [ -L $f ] || echo "$f/"
    done'
    assert_success
    assert_output "fd /proc/self/fd
full 1:7 666
mqueue/
null 1:3 666
ptmx pts/ptmx
pts/
random 1:8 666
shm/
stderr /proc/self/fd/2
stdin /proc/self/fd/0
stdout /proc/self/fd/1
tty 5:0 666
urandom 1:9 666
zero 1:5 666"
    answers "4 0 0" run --rm base sh -c 'echo $(head -c 4 /dev/zero | wc -c) $(cat /dev/null | wc -c) $(echo x >/dev/null; echo $?)'
    run_whelk run --rm base mknod /x b 8 0
    assert_status 1
}

@test "the mounts of the kernel's file systems (SECURITY 2.5)" {
    local line place options
    while read -r place options; do
        [ -e "$place" ] || continue # this kernel does not have it
        line=$(posture "[.mounts[] | select(.target == \"$place\")][-1] | .options + \",\" + .super" | tr -d '"')
        for option in ${options//,/ }; do
            [[ ,$line, == *",$option,"* ]] || {
                echo "$place lacks $option: $line" >&2
                return 1
            }
        done
    done <<'TABLE'
/proc nosuid,nodev,noexec
/dev nosuid,noexec,mode=755
/dev/pts nosuid,noexec,ptmxmode=666
/dev/shm nosuid,nodev,noexec,size=65536k
/dev/mqueue nosuid,nodev,noexec
/sys ro,nosuid,nodev,noexec
/proc/sys ro
/proc/irq ro
/proc/sysrq-trigger ro
/etc/hosts nosuid,nodev,noexec
/etc/resolv.conf nosuid,nodev,noexec
/etc/hostname nosuid,nodev,noexec
TABLE
    # None is shared with the host.
    assert_equal "$(posture '[.mounts[] | select(.propagation == "shared") | .target]')" "[]"
}

@test "what is masked shows nothing, what is read-only cannot be written (SECURITY 2.3)" {
    run_whelk run --rm base sh -c '
        for f in kcore keys timer_list interrupts kallsyms modules slabinfo vmallocinfo sched_debug latency_stats config.gz; do
            [ ! -e /proc/$f ] || [ -z "$(head -c 1 /proc/$f 2>/dev/null)" ] || echo shows /proc/$f
        done
        for d in /proc/acpi /proc/asound /proc/scsi /sys/firmware /sys/fs/selinux /sys/dev/block /sys/kernel/debug /sys/kernel/security /sys/kernel/tracing; do
            [ -z "$(ls -A $d 2>/dev/null)" ] || echo shows $d
        done
        for f in sys/kernel/hostname sys/vm/swappiness sys/kernel/core_pattern sysrq-trigger; do
            ! ( : >>/proc/$f ) 2>/dev/null || echo writes /proc/$f
        done'
    assert_success
    assert_output ""
}

# --- the rest (SECURITY 2.6)

@test "descriptors, umask, limits, keyring and score of a container" {
    answers 0022 run --rm base sh -c umask
    answers 1024 run --rm base sh -c 'ulimit -Sn'
    answers 0 run --rm base sh -c 'ulimit -Sc'
    # 0, 1, 2 and the one that lists
    answers 4 run --rm base sh -c 'ls /proc/self/fd | wc -l'
    assert_equal "$(($(whelk run --rm base cat /proc/self/oom_score_adj) - $(cat /proc/self/oom_score_adj)))" 100
    (
        umask 077
        assert_equal "$(whelk run --rm base sh -c umask)" 0022
    )
}

@test "signals that the caller blocks or ignores are as usual inside" {
    run_whelk run --rm base sed -n 's/^Sig\(Blk\|Ign\):[[:space:]]*//p' /proc/self/status
    assert_output $'0000000000000000\n0000000000000000'
    run bash -c 'trap "" HUP INT TERM PIPE; exec "$WHELK" run --rm base sed -n "s/^Sig\(Blk\|Ign\):[[:space:]]*//p" /proc/self/status'
    assert_output $'0000000000000000\n0000000000000000'
}

@test "the ids of the container" {
    skip_unless_lane subuid plain # root has no user namespace of its own
    run_whelk run --rm base cat /proc/self/uid_map
    read -r inside outside count <<<"${lines[0]}"
    assert_equal "$inside $outside" "0 $(id -u)"
    assert_equal "$count" 1
    has_ids && assert_equal "${#lines[@]}" 2 || assert_equal "${#lines[@]}" 1
}

@test "system calls that are denied (SECURITY 2.2)" {
    [ "$(uname -m)" = x86_64 ] || skip "the numbers here are those of x86_64"
    local name number answer
    # EPERM, ENOSYS or an end, never what the kernel says to nonsense.
    while read -r name number; do
        answer=$(posture ".syscalls[\"$number\"]")
        case $answer in
        1 | 38 | -*) ;;
        *) _fail "$name ($number) answers $answer" ;;
        esac
    done <<'TABLE'
mount 165
umount2 166
pivot_root 155
unshare 272
setns 308
bpf 321
keyctl 250
add_key 248
request_key 249
kexec_load 246
init_module 175
finit_module 313
delete_module 176
swapon 167
swapoff 168
perf_event_open 298
userfaultfd 323
io_uring_setup 425
open_by_handle_at 304
fsopen 430
move_mount 429
open_tree 428
syslog 103
acct 163
quotactl 179
settimeofday 164
iopl 172
TABLE
    assert_equal "$(posture '.args | [.["clone newuser"], .["clone newns"], .["ioctl TIOCSTI"], .["ioctl TIOCSTI with upper half"],
        .["ioctl TIOCLINUX"], .["socket raw"]]')" "[1,1,1,1,1,1]"
    # AF_UNIX, INET, INET6, NETLINK; not PACKET, ALG, VSOCK
    assert_equal "$(posture '.["socket families"] | [.["1"], .["2"], .["10"], .["16"]]')" "[0,0,0,0]"
    assert_equal "$(posture '.["socket families"] | [.["17"], .["38"], .["40"]] | map(. > 0) | all')" true
}
