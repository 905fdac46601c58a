#!/usr/bin/env bats
# whelk restart

load ../lib/common
load ../lib/container
load ../lib/tidy

started() { # NAME TIMES
    [ "$(whelk exec "$1" wc -l /starts)" = "$2 /starts" ]
}
logged() { # NAME TIMES
    [ "$(whelk logs "$1" | grep -c run)" -ge "$2" ]
}

@test "the same container, another process" {
    local id pid
    id=$(whelk run -d --name c base sh -c 'echo x >>/starts; exec sleep 100')
    wait_for 10 whelk exec c test -s /starts
    pid=$(container_pid c)
    answers c restart -t 0 c
    assert_equal "$(inspect_field c .Id)" "$id"
    [ "$(container_pid c)" != "$pid" ]
    is_gone "$pid"
    wait_for 10 state_is c running
    wait_for 10 prints "2 /starts" whelk exec c wc -l /starts
    answers "${id:0:12}" container restart --time=0 "${id:0:12}"
    wait_for 10 state_is c running
}

@test "one that has ended, and one that never ran, is started" {
    whelk run --name a base true
    whelk create --name b base sleep 100 >/dev/null
    run_whelk restart a b
    assert_success
    assert_equal "$(sort <<<"$output")" $'a\nb'
    wait_for 10 state_is b running
    assert_equal "$(whelk wait a)" 0
}

@test "it is asked to end before it is killed" {
    local begin
    whelk run -d --name c base sh -c 'trap "echo bye; exit 0" TERM; echo ready; while :; do sleep 0.02; done' >/dev/null
    wait_for 10 printed c ready
    answers c restart c
    printed c bye
    # What does not listen is killed when the time is up.
    whelk run -d --name deaf --stop-timeout 1 base sleep 100 >/dev/null
    begin=$(date +%s%N)
    answers deaf restart deaf
    [ $(($(date +%s%N) - begin)) -ge 900000000 ]
    wait_for 10 state_is deaf running
}

@test "--running takes those that run, --all all" {
    whelk run -d --name up base sleep 100 >/dev/null
    whelk run --name down base true
    run_whelk restart -t 0 --running
    assert_success
    assert_equal "${#lines[@]}" 1
    state_is down exited
    whelk create --name made base sleep 100 >/dev/null
    run_whelk restart -t 0 -a
    assert_success
    assert_equal "${#lines[@]}" 3
    state_is made running
    whelk rm -af >/dev/null
    answers "" restart --all
}

@test "one that --rm removes cannot start again, and that is said" {
    whelk run -d --rm --name c base sleep 100 >/dev/null
    refused 125 "container c was removed when it stopped (--rm)" restart -t 0 c
}

@test "what was exposed to a restart policy is started once" {
    whelk run -d --name c --restart always base sh -c 'echo run; exec sleep 100' >/dev/null
    wait_for 10 printed c run
    answers c restart -t 0 c
    wait_for 10 printed c run
    wait_for 10 state_is c running
}

@test "mistakes" {
    whelk run -d --name c base sleep 100 >/dev/null
    refused 125 "no such container: nosuch" restart nosuch
    refused 125 "name at least one container, or give --all" restart
    refused 125 "--all takes no containers besides" restart --all c
    run_whelk restart -t 0 nosuch c
    assert_status 125
    assert_output c
    assert_stderr "Error: no such container: nosuch"
}

@test "another signal, the last one, and those that match" {
    whelk run -d --name c -l k base sh -c 'trap "echo usr1; exit" USR1; echo ready; while :; do sleep 0.05; done' >/dev/null
    wait_for 10 printed c ready
    answers c restart -s USR1 c
    printed c usr1
    answers "$(inspect_field c .Id)" restart -t 0 -l
    answers "$(inspect_field c .Id)" restart -t 0 -f label=k
}
