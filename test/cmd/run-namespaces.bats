#!/usr/bin/env bats
# whelk run --pid, --ipc, --uts, --cgroupns, --network container: namespaces that are not the container's own (R-099 to
# R-102).

load ../lib/common
load ../lib/container

setup_file() {
    base_image
}

teardown() {
    whelk rm -af -t 0 >/dev/null
    no_containers_left
}

# own TYPE: of this process; inside TYPE RUN-OPTION...: of a new container; of TYPE CONTAINER: of one that runs.
own() {
    readlink "/proc/self/ns/$1"
}
inside() {
    local type=$1
    shift
    whelk run --rm "$@" base readlink "/proc/self/ns/$type"
}
of() {
    whelk exec "$2" readlink "/proc/self/ns/$1"
}
processes() { # SECONDS: of the host that sleep for so long
    local p
    for p in /proc/[0-9]*; do
        [ "$({ tr '\0' ' ' <"$p/cmdline"; } 2>/dev/null)" != "sleep $1 " ] || echo "${p#/proc/}"
    done
}
none_left() {
    [ -z "$(processes "$1")" ]
}

@test "host: the namespace is the host's" {
    assert_equal "$(inside pid --pid host)" "$(own pid)"
    assert_equal "$(inside ipc --ipc host)" "$(own ipc)"
    assert_equal "$(inside uts --uts host)" "$(own uts)"
    assert_equal "$(inside cgroup --cgroupns host)" "$(own cgroup)"
    assert_equal "$(inside net --network host)" "$(own net)"
    answers "$(hostname)" run --rm --uts host base hostname
}

@test "private and nothing: it is the container's own" {
    local type
    for type in pid ipc uts; do
        not test "$(inside $type "--$type" private)" = "$(own $type)"
        not test "$(inside $type "--$type" "")" = "$(own $type)"
    done
    not test "$(inside cgroup --cgroupns private)" = "$(own cgroup)"
}

@test "container: what is named is that container's, the rest is not" {
    local type option
    whelk run -d --name first --hostname there --ipc shareable base sleep 100 >/dev/null
    for option in pid ipc uts network; do
        type=${option/network/net}
        assert_equal "$option $(inside "$type" "--$option" container:first)" "$option $(of "$type" first)"
        not test "$(inside mnt "--$option" container:first)" = "$(of mnt first)"
        not test "$(inside "$type")" = "$(of "$type" first)"
    done
    assert_equal "$(inside user --pid container:first)" "$(of user first)"
    answers there run --rm --uts container:first base hostname
    # An id and the start of one will do, and what joins can be joined.
    whelk run -d --name second --pid "container:$(whelk ps -q)" base sleep 100 >/dev/null
    assert_equal "$(inside pid --pid container:second)" "$(of pid first)"
    assert_equal "$(whelk inspect -f '{{.HostConfig.PidMode}}' second)" "container:$(inspect_field first .Id)"
}

@test "--pid container: its processes are seen and can be signalled" {
    whelk run -d --name first base sh -c 'trap "echo told; exit 3" USR1; while :; do sleep 0.1; done' >/dev/null
    run_whelk run --rm --pid container:first base ps
    assert_line --regexp "^ +1 root .*trap"
    wait_for 5 whelk run --rm --pid container:first base kill -USR1 1
    answers 3 wait first
    answers told logs first
}

@test "--pid host: the host's processes are seen, and what the command leaves is ended with it" {
    local time=1$$.25
    answers ok run --rm --pid host base sh -c "grep -q bats /proc/$$/cmdline && echo ok"
    whelk run -d --name c --pid host base sh -c "sleep $time & sleep $time & wait" >/dev/null
    wait_for 5 test "$(processes $time | wc -l)" = 2
    whelk stop -t 1 c >/dev/null
    none_left $time
    # The masks hold there too.
    answers 0 run --rm --pid host base sh -c 'wc -c </proc/interrupts'
    run_whelk run --rm --pid host base sh -c 'echo 1 >/proc/sys/vm/drop_caches'
    assert_status 1
}

@test "--pid host: the command ends with its supervisor" {
    local time=1$$.5
    whelk run -d --name c --pid host base sleep $time >/dev/null
    kill -KILL "$(supervisor_pid "$(inspect_field c .Id)")"
    wait_for 5 none_left $time
    state_is c exited
    whelk start c >/dev/null
    assert_equal "$(of pid c)" "$(own pid)"
}

@test "--pid container: it ends with the other container" {
    whelk run -d --name first base sleep 100 >/dev/null
    whelk run -d --name second --pid container:first base sleep 100 >/dev/null
    whelk stop -t 0 first >/dev/null
    answers 137 wait second
}

@test "--ipc shareable and container: they share /dev/shm and message queues" {
    whelk run -d --name first --ipc shareable --shm-size 1m base sleep 100 >/dev/null
    answers "" run --rm --ipc container:first base sh -c 'echo hello >/dev/shm/f'
    answers hello exec first cat /dev/shm/f
    run_whelk run --rm --ipc container:first base sh -c 'grep /dev/shm /proc/mounts'
    assert_output --partial size=1024k
}

@test "--ipc private may not be joined; none has no /dev/shm" {
    whelk run -d --name first base sleep 100 >/dev/null
    refused 125 "--ipc container:first: its IPC namespace is private; start it with --ipc shareable" \
        run --ipc container:first base true
    answers 0 run --rm --ipc none base sh -c 'grep -c /dev/shm /proc/mounts || :'
    not test "$(inside ipc --ipc none)" = "$(own ipc)"
}

@test "container: of a container that has the host's, it is the host's" {
    whelk run -d --name first --uts host base sleep 100 >/dev/null
    assert_equal "$(inside uts --uts container:first)" "$(own uts)"
}

@test "container: it must be there and running, at each start" {
    refused 125 "--pid: no such container: nobody" create --pid container:nobody base true
    whelk create --name first base sleep 100 >/dev/null
    refused 125 "--pid container:first: that container is not running; start it first: whelk start first" \
        run --rm --pid container:first base true
    whelk create --name second --network container:first base readlink /proc/self/ns/net >/dev/null
    refused 125 "--network container:first: that container is not running; start it first: whelk start first" start second
    whelk start first >/dev/null
    answers "$(of net first)" start -a second
    local id
    id=$(inspect_field first .Id)
    whelk rm -f -t 0 first >/dev/null
    refused 125 "--network: container ${id:0:12}, whose namespace is to be used, was removed" start second
}

@test "a restart joins again; when the other one has ended there is nothing to join" {
    whelk run -d --name first base sleep 100 >/dev/null
    whelk run -d --name second --network container:first --restart always base \
        sh -c 'readlink /proc/self/ns/net; sleep 0.2' >/dev/null
    wait_for 10 sh -c 'test "$("$WHELK" logs second | wc -l)" -ge 2'
    assert_equal "$(whelk logs second | sort -u)" "$(of net first)"
    whelk rm -f -t 0 first >/dev/null
    wait_for 10 state_is second restarting
    assert_equal "$(whelk logs second | sort -u | wc -l)" 1
    answers second stop second
}

@test "two containers of different user namespaces cannot both be joined" {
    skip_unless_lane subuid plain
    whelk run -d --name first base sleep 100 >/dev/null
    whelk run -d --name second base sleep 100 >/dev/null
    run_whelk run --rm --pid container:first --network container:second base true
    assert_status 125
    assert_one_error
    assert_stderr --partial "namespaces can be shared only with containers of one user namespace"
}

@test "ns: a namespace by its path" {
    refused 125 "--uts ns:x: write ns: and an absolute path, as ns:/proc/PID/ns/net" run --uts ns:x base true
    refused 125 "--uts ns:/no/such: cannot be opened: No such file or directory" run --rm --uts ns:/no/such base true
    if [ "$WHELK_LANE" = root ]; then
        assert_equal "$(inside uts --uts ns:/proc/self/ns/uts)" "$(own uts)"
        run_whelk run --rm --uts ns:/dev/null base true
        assert_status 125
        assert_stderr --partial "cannot join the namespace"
    else
        refused 125 "--uts ns:/proc/self/ns/uts: operation not permitted; a namespace that belongs to the host is root's to join" \
            run --rm --uts ns:/proc/self/ns/uts base true
    fi
}

@test "modes that there are not" {
    refused 125 "--pid bogus is not known; known: private, host, container:NAME, ns:PATH" create --pid bogus base true
    refused 125 "--pid container is not known; known: private, host, container:NAME, ns:PATH" create --pid container base true
    refused 125 "--pid host:x is not known; known: private, host, container:NAME, ns:PATH" create --pid host:x base true
    refused 125 "--ipc bogus is not known; known: private, shareable, none, host, container:NAME, ns:PATH" \
        create --ipc bogus base true
    refused 125 "--cgroupns container:x is not known; known: private, host" create --cgroupns container:x base true
    refused 125 "--sysctl kernel.msgmax would change more than this container: the namespace is not its own" \
        create --ipc host --sysctl kernel.msgmax=1 base true
}

@test "exec enters what was joined" {
    whelk run -d --name first --ipc shareable base sleep 100 >/dev/null
    whelk run -d --name second --pid container:first --ipc container:first --network container:first --uts container:first \
        base sleep 100 >/dev/null
    local type
    for type in pid ipc net uts user; do
        assert_equal "$(of $type second)" "$(of $type first)"
    done
    not test "$(of mnt second)" = "$(of mnt first)"
    whelk run -d --name third --pid host --ipc host --uts host --cgroupns host --network host base sleep 100 >/dev/null
    for type in pid ipc net uts cgroup; do
        assert_equal "$(of $type third)" "$(own $type)"
    done
}

@test "cp and commit work on a container that uses another one's namespaces" {
    whelk run -d --name first base sleep 100 >/dev/null
    whelk run -d --name second --pid container:first base sh -c 'echo text >/f; sleep 100' >/dev/null
    wait_for 5 whelk exec second test -s /f
    whelk cp second:/f "$BATS_TEST_TMPDIR/f"
    assert_equal "$(cat "$BATS_TEST_TMPDIR/f")" text
    whelk commit second made >/dev/null
    answers text run --rm made cat /f
}
