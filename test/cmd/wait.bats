#!/usr/bin/env bats
# whelk wait (CV-07). That no exit is missed: life/supervisor.bats.

load ../lib/common
load ../lib/container
load ../lib/tidy

@test "it prints the status when the container has ended, and succeeds" {
    local id
    id=$(whelk run -d --name c base sh -c 'while [ ! -e /end ]; do sleep 0.02; done; exit 7')
    "$WHELK" wait c >out 3>&- &
    pid=$!
    # It waits.
    sleep 0.2
    assert_equal "$(cat out)" ""
    kill -0 "$pid"
    whelk exec c touch /end
    wait "$pid"
    assert_equal "$(cat out)" 7
    # And again, and by every name.
    answers 7 wait c
    answers 7 wait "${id:0:12}"
    answers 7 container wait "$id"
}

@test "several are printed in the order in which they were named" {
    whelk run -d --name a base sh -c 'sleep 0.2; exit 1' >/dev/null
    whelk run -d --name b base sh -c 'exit 2' >/dev/null
    whelk run -d --name c base sh -c 'sleep 0.1; exit 3' >/dev/null
    answers $'1\n2\n3' wait a b c
}

@test "a container that a signal ended" {
    whelk run -d --name c base sleep 100 >/dev/null
    whelk kill c >/dev/null
    answers 137 wait c
}

@test "one that removes itself" {
    whelk run -d --rm --name c base sh -c 'while [ ! -e /end ]; do sleep 0.02; done; exit 9' >/dev/null
    "$WHELK" wait c >out 3>&- &
    pid=$!
    sleep 0.1
    whelk exec c touch /end
    wait "$pid"
    assert_equal "$(cat out)" 9
    refused 125 "no such container: c" wait c
}

@test "it can be given up without harm" {
    whelk run -d --name c base sleep 100 >/dev/null
    "$WHELK" wait c >out 3>&- &
    pid=$!
    sleep 0.1
    kill -TERM "$pid"
    status=0
    wait "$pid" || status=$?
    assert_equal $status 143
    assert_equal "$(inspect_field c .State.Running)" true
}

@test "mistakes" {
    whelk run -d --name c base sh -c 'exit 4' >/dev/null
    run_whelk wait nosuch c
    assert_status 125
    assert_output 4
    assert_stderr "Error: no such container: nosuch"
    refused 125 "name at least one container, or give --all" wait
    refused 125 "--condition nosuch is not known; known: running, paused, stopped, exited, healthy, unhealthy, created, configured, initialized, stopping, removing, removed" wait --condition nosuch c
    refused 125 'unknown option "--bogus" for "whelk wait"; see whelk wait --help' wait --bogus c
}

@test "another state is waited for: --condition" {
    whelk create --name c base sleep 300 >/dev/null
    answers -1 wait --condition created --condition running c
    in_background bash -c '"$1" wait --condition running c >running' - "$WHELK"
    in_background bash -c '"$1" wait --condition exited --condition running c >either' - "$WHELK"
    in_background bash -c '"$1" wait --condition removed c >removed' - "$WHELK"
    whelk start c >/dev/null
    wait_for 10 file_has running -1
    wait_for 10 file_has either -1
    answers -1 wait --condition running c
    in_background bash -c '"$1" wait --condition stopped c >stopped' - "$WHELK"
    whelk kill c >/dev/null
    wait_for 10 file_has stopped 137
    whelk rm c >/dev/null
    wait_for 10 file_has removed -1
    wait_all
}

@test "healthy is waited for" {
    whelk run -d --name c --health-cmd 'test -e /well' --health-interval 100ms --health-retries 1 base sleep 300 >/dev/null
    answers -1 wait --condition unhealthy c
    whelk exec c touch /well
    answers -1 wait --condition healthy -i 100 c
}

@test "what is removed while it is waited for" {
    local id
    id=$(whelk create --name c base true)
    in_background bash -c '"$1" wait --condition running c 2>err' - "$WHELK"
    sleep 0.3
    whelk rm c >/dev/null
    ! wait_all
    assert_equal "$(cat err)" "Error: container ${id:0:12} was removed while it was waited for"
}

@test "the first of several, the last one made, and --ignore" {
    whelk run -d --name slow base sleep 300 >/dev/null
    whelk run -d --name fast base sh -c 'sleep 0.2; exit 5' >/dev/null
    answers 5 wait --exit-first-match slow fast
    answers 5 wait --return-on-first slow fast
    answers 5 wait -l
    answers $'-1\n5' wait --ignore nosuch fast
}
