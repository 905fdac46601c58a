#!/usr/bin/env bats
# whelk run: how a container goes on and ends, and what it is shown (R-004, R-012, R-013, R-058, R-064, R-093, R-107,
# R-132, R-133, R-136).

load ../lib/common
load ../lib/container
load ../lib/tidy

teardown() {
    whelk rm -af -t 0 >/dev/null
    no_containers_left
}

# --- life

@test "--timeout stops it, with 137 and State.TimedOut" {
    run_whelk run --name c --timeout 1 base sh -c 'trap "echo told; exit 0" TERM; while :; do sleep 0.1; done'
    assert_status 137
    assert_output told
    assert_equal "$(whelk inspect -f '{{.State.TimedOut}} {{.State.ExitCode}} {{.State.OOMKilled}}' c)" "true 137 false"
    run_whelk run --name d --timeout 1 --stop-timeout 1 --restart always base sleep 100
    assert_status 137
    state_is d exited
    run_whelk run --name e --timeout 60 base sh -c 'exit 3'
    assert_status 3
    assert_equal "$(inspect_field e .State.TimedOut)" false
    refused 125 "--timeout -1: seconds, or 0 for never" create --timeout -1 base true
}

@test "--pidfile and --conmon-pidfile, at each start" {
    whelk run -d --name c --pidfile pid --conmon-pidfile ./conmon --restart on-failure:1 base sleep 100 >/dev/null
    assert_equal "$(cat pid) $(cat conmon)" "$(inspect_field c .State.Pid) $(supervisor_pid "$(inspect_field c .Id)")"
    assert_equal "$(tr '\0' ' ' <"/proc/$(cat pid)/cmdline")" "sleep 100 "
    whelk stop -t 0 c >/dev/null
    echo old >pid
    (cd / && whelk start c >/dev/null)
    assert_equal "$(cat pid)" "$(inspect_field c .State.Pid)"
    run_whelk run --rm --pidfile no/such/dir base true
    assert_status 125
    assert_one_error
    assert_stderr --partial "cannot write the pid file $PWD/no/such/dir"
}

@test "--attach: only these streams" {
    run_whelk run --rm -a stdout base sh -c 'echo out; echo err >&2'
    assert_output out
    assert_stderr ""
    run_whelk run --rm -a STDERR base sh -c 'echo out; echo err >&2'
    assert_output ""
    assert_stderr err
    run --separate-stderr sh -c 'echo in | "$WHELK" run --rm -i -a stdin -a stdout base cat'
    assert_output in
    run --separate-stderr sh -c 'echo in | timeout 20 "$WHELK" run --rm -i -a stdout base cat'
    assert_output ""
    # The log has all.
    whelk run --name c -a stdout base sh -c 'echo out; echo err >&2' >/dev/null
    assert_equal "$(whelk logs c 2>&1 | sort)" $'err\nout'
    refused 125 "--attach foo is not a stream; known: stdin, stdout, stderr" run -a foo base true
    refused 125 "--attach and --detach contradict each other" run -d -a stdout base true
}

@test "--requires starts others before" {
    whelk create --name first base sleep 100 >/dev/null
    whelk create --name second --requires first base sleep 100 >/dev/null
    answers hi run --rm --requires second base echo hi
    state_is first running
    state_is second running
    whelk stop -t 0 first >/dev/null
    answers second start second
    state_is first exited # it ran already, and needs nothing
    refused 125 "--requires: no such container: nobody" create --requires nobody base true
    whelk create --name third --requires first base true >/dev/null
    whelk rm first >/dev/null
    run_whelk start third
    assert_status 125
    assert_one_error
    assert_stderr --partial "which third requires, was removed"
}

# --- groups

@test "--cgroup-parent" {
    refused 125 "--cgroup-parent machine.slice: write the path of a group, as /machine/containers; slices of systemd are chosen by the unit that whelk runs in" \
        create --cgroup-parent machine.slice base true
    refused 125 "--cgroups split and --cgroup-parent contradict each other" \
        create --cgroups split --cgroup-parent /x base true
    skip_unless_lane root
    [ -d /sys/fs/cgroup/memory ] || skip "no memory controller of version 1 here"
    local parent=/whelk-test-$$
    whelk run -d --name c --cgroup-parent $parent -m 50m base sleep 100 >/dev/null
    run grep memory: "/proc/$(inspect_field c .State.Pid)/cgroup"
    assert_output --partial "$parent/whelk-"
    whelk rm -f -t 0 c >/dev/null
    rmdir /sys/fs/cgroup/*$parent
}

# --- what is shown

@test "--read-only-tmpfs" {
    answers ok run --rm --read-only base sh -c 'touch /tmp/x /run/x /var/tmp/x && echo ok'
    run_whelk run --rm --read-only --read-only-tmpfs=false base touch /tmp/x
    assert_status 1
    answers ok run --rm --read-only-tmpfs base sh -c 'touch /x && echo ok'
}

@test "--security-opt mask, unmask and proc-opts" {
    answers $'0\n0' run --rm --security-opt mask=/etc/passwd:/home base sh -c 'wc -c </etc/passwd; ls /home | wc -l'
    answers 0 run --rm --security-opt mask=/etc/passwd --security-opt unmask=ALL base sh -c 'wc -c </etc/passwd'
    answers "shown hidden" run --rm --security-opt unmask=/proc/interrupts base sh -c \
        'show() { [ "$(head -c 1 $1 | wc -c)" = 1 ] && echo shown || echo hidden; }; echo $(show /proc/interrupts) $(show /proc/kallsyms)'
    answers "hidden shown" run --rm --security-opt 'unmask=/proc/k*:/x' base sh -c \
        'show() { [ "$(head -c 1 $1 | wc -c)" = 1 ] && echo shown || echo hidden; }; echo $(show /proc/interrupts) $(show /proc/kallsyms)'
    run_whelk run --rm --security-opt proc-opts=hidepid=invisible base sh -c 'grep "^proc /proc proc" /proc/mounts'
    assert_output --partial hidepid=invisible
    refused 125 '--security-opt proc-opts=foo: "foo" is not known; known: hidepid=, gid=, subset=pid' \
        create --security-opt proc-opts=foo base true
    refused 125 "--security-opt proc-opts= takes options, as hidepid=invisible" create --security-opt proc-opts= base true
    refused 125 "--security-opt proc-opts: with --pid host, /proc is that of the host" \
        create --pid host --security-opt proc-opts=subset=pid base true
    refused 125 '--security-opt mask=etc: "etc" is not an absolute path' create --security-opt mask=etc base true
    refused 125 "--security-opt systempaths takes unconfined" create --security-opt systempaths=x base true
}

@test "--systemd: what an init system expects" {
    run_whelk run --rm --systemd always base sh -c 'awk "\$3 == \"tmpfs\" { print \$2 }" /proc/mounts | grep -E "^/(run|run/lock|tmp|var/log/journal)$" | sort; echo $container_uuid'
    assert_success
    assert_equal "${lines[*]:0:4}" "/run /run/lock /tmp /var/log/journal"
    [[ ${lines[4]} =~ ^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$ ]]
    whelk create --name a --systemd always base true >/dev/null
    whelk create --name b base /sbin/init >/dev/null
    whelk create --name c --systemd false base /sbin/init >/dev/null
    whelk create --name d --stop-signal INT base /sbin/init >/dev/null
    assert_equal "$(whelk inspect -f '{{.Config.StopSignal}}' a b c d)" $'SIGRTMIN+3\nSIGRTMIN+3\nSIGTERM\nINT'
    refused 125 "--systemd x is not known; known: true, false, always" create --systemd x base true
}

@test "a health check works in containers with other namespaces and ids" {
    local options=("--pid host")
    [ "$WHELK_LANE" != root ] || options+=("--uidmap 0:100000:65536")
    [ "$WHELK_LANE" = root ] || options+=("--userns keep-id")
    local i
    for i in "${!options[@]}"; do
        # shellcheck disable=SC2086 # a list of options
        whelk run -d --name "c$i" ${options[i]} --health-cmd 'test -e /etc/passwd' --health-interval 200ms base sleep 100 >/dev/null
    done
    for i in "${!options[@]}"; do
        wait_for 10 test "$(wait_for 10 sh -c 'test "$("$WHELK" inspect -f "{{.State.Health.Status}}" c'"$i"')" = healthy' && echo yes)" = yes
    done
}

@test "--rmi takes the image with it, unless another container uses it (R-008)" {
    whelk tag base gone
    whelk tag base localhost/kept
    answers hello run --rmi gone echo hello
    not whelk image exists gone
    whelk image exists base
    assert_equal "$(whelk ps -aq)" ""
    # One that has no other name goes, but not from under a container; and the status is the command's.
    whelk create --name own base true >/dev/null
    whelk export own | whelk import - localhost/other >/dev/null
    whelk rm own >/dev/null
    whelk create --name user localhost/other true >/dev/null
    run_whelk run --rmi localhost/other sh -c 'exit 3'
    assert_status 3
    assert_stderr ""
    whelk image exists localhost/other
    whelk rm user >/dev/null
    run_whelk run --rmi localhost/other sh -c 'exit 3'
    assert_status 3
    assert_stderr ""
    not whelk image exists localhost/other
    whelk rmi localhost/kept >/dev/null
    refused 125 "--rmi removes the image when the container has ended, and --detach does not wait for that" run -d --rmi base true
}

@test "what whelk does not do, and what it has instead" {
    refused 125 "--pod: whelk has no pods; --network container:NAME, --ipc and --pid share what a pod would" create --pod x base true
    refused 125 "--pod-id-file: whelk has no pods; --network container:NAME, --ipc and --pid share what a pod would" \
        create --pod-id-file x base true
    refused 125 "--link: containers on one network find each other by name: whelk network create, and --network" create --link db base true
    refused 125 "--link-local-ip: interfaces have the addresses of their network; --ip and --ip6 choose them" \
        create --link-local-ip 169.254.1.1 base true
    refused 125 "--decryption-key: whelk reads no encrypted images; decrypt it with skopeo copy, and whelk load" \
        create --decryption-key k base true
    refused 125 "--disable-content-trust: there is no such trust to switch on; signatures are checked by the policy of registries, see whelk-pull(1)" \
        create --disable-content-trust=false base true
    whelk create --disable-content-trust base true >/dev/null
}
