#!/usr/bin/env bats
# whelk kill (S-027)

load ../lib/common
load ../lib/container
load ../lib/tidy

@test "KILL, at once, and it prints what was typed (CV-21)" {
    local id
    id=$(whelk run -d --name c base sleep 100)
    answers c kill c
    assert_equal "$(whelk wait c)" 137
    whelk start c >/dev/null
    answers "${id:0:12}" container kill "${id:0:12}"
    answers 137 wait c
}

@test "-s: names with and without SIG, in any case, and numbers" {
    local spelled expected
    whelk run -d --name c base sh -c 'for s in HUP USR1 USR2 TERM WINCH; do trap "echo $s" $s; done
        echo ready; while :; do sleep 0.02; done' >/dev/null
    wait_for 10 printed c ready
    for spelled in HUP=HUP SIGUSR1=USR1 12=USR2 term=TERM sigwinch=WINCH; do
        expected=${spelled#*=}
        answers c kill -s "${spelled%=*}" c
        wait_for 10 printed c "$expected"
    done
    answers c kill --signal=KILL c
    answers 137 wait c
}

@test "a signal that nobody handles leaves process 1 alone" {
    whelk run -d --name c base sleep 100 >/dev/null
    answers c kill -s TERM c
    answers c kill -s INT c
    sleep 0.1
    assert_equal "$(inspect_field c .State.Running)" true
    # With --init it is not process 1.
    whelk run -d --init --name d base sleep 100 >/dev/null
    answers d kill -s TERM d
    answers 143 wait d
}

@test "several, -a, and one that is not there" {
    whelk run -d --name a base sleep 100 >/dev/null
    whelk run -d --name b base sleep 100 >/dev/null
    run_whelk kill a nosuch b
    assert_status 125
    assert_output $'a\nb'
    assert_stderr "Error: no such container: nosuch"
    answers $'137\n137' wait a b
    whelk start a b >/dev/null
    whelk create --name c base true >/dev/null
    run_whelk kill --all
    assert_success
    assert_equal "${#lines[@]}" 2
    answers $'137\n137' wait a b
    answers "" kill -a
}

@test "one that does not run is an error (S-027)" {
    local id
    id=$(whelk create --name c base true)
    refused 125 "container ${id:0:12} is not running" kill c
    whelk start -a c
    refused 125 "container ${id:0:12} is not running" kill -s HUP c
}

@test "mistakes" {
    whelk run -d --name c base sleep 100 >/dev/null
    refused 125 "invalid signal: BOGUS" kill -s BOGUS c
    refused 125 "invalid signal: 0" kill -s 0 c
    refused 125 "invalid signal: 99" kill -s 99 c
    refused 125 "no such container: nosuch" kill nosuch
    refused 125 "name at least one container, or give --all" kill
    refused 125 "--all takes no containers besides" kill --all c
    refused 125 'option "--signal" of "whelk kill" needs a value: --signal SIGNAL' kill c --signal
    assert_equal "$(inspect_field c .State.Running)" true
}

@test "a cid file, and the last one" {
    whelk run -d --name a --cidfile "$BATS_TEST_TMPDIR/a" base sleep 300 >/dev/null
    whelk run -d --name b base sleep 300 >/dev/null
    answers "$(inspect_field b .Id)" kill -l
    answers "$(cat "$BATS_TEST_TMPDIR/a")" kill --cidfile "$BATS_TEST_TMPDIR/a"
}
