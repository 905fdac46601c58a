#!/usr/bin/env bats
# whelk stop (S-025, S-023)

load ../lib/common
load ../lib/container
load ../lib/tidy

# trapper NAME SIGNAL STATUS [OPTION...]: a container that ends with the status when the signal comes.
trapper() {
    local name=$1 sig=$2 code=$3
    shift 3
    whelk run -d --name "$name" "$@" base sh -c "trap 'echo got $sig; exit $code' $sig
        echo ready; while :; do sleep 0.02; done" >/dev/null
    wait_for 10 printed "$name" ready
}
ms() {
    echo $(($(date +%s%N) / 1000000))
}

@test "TERM is sent, and what handles it ends as it likes" {
    local id
    trapper c TERM 3
    answers c stop c
    assert_equal "$(whelk wait c)" 3
    printed c "got TERM"
    # By prefix; it prints what was typed (CV-21).
    id=$(whelk ps -aq --no-trunc)
    whelk start c >/dev/null
    wait_for 10 state_is c running
    answers "${id:0:9}" container stop -t 0 "${id:0:9}"
}

@test "what does not handle TERM is killed when the time is up, and that is said" {
    local begin
    whelk run -d --name c base sleep 100 >/dev/null
    begin=$(ms)
    run_whelk stop -t 1 c
    assert_success
    assert_output c
    assert_stderr "Warning: c did not end on its stop signal; it was killed"
    [ $(($(ms) - begin)) -ge 900 ]
    assert_equal "$(whelk wait c)" 137
}

@test "the time: -t, --time, --timeout, and --stop-timeout of the container" {
    local option begin
    for option in "-t 0" "-t0" "--time 0" "--timeout=0"; do
        whelk run -d --name c base sleep 100 >/dev/null
        answers c stop $option c
        assert_equal "$(whelk wait c)" 137
        whelk rm c >/dev/null
    done
    whelk run -d --stop-timeout 0 --name c base sleep 100 >/dev/null
    begin=$(ms)
    run_whelk stop c
    assert_success
    assert_equal "$(whelk wait c)" 137
    [ $(($(ms) - begin)) -lt 8000 ]
    # What ends by itself is not kept waiting for.
    trapper d TERM 0
    begin=$(ms)
    answers d stop -t 60 d
    [ $(($(ms) - begin)) -lt 20000 ]
}

@test "-t -1 waits for ever, a second stop may be shorter" {
    whelk run -d --name c base sleep 100 >/dev/null
    "$WHELK" stop -t -1 c >out 2>err 3>&- &
    pid=$!
    sleep 0.3
    kill -0 "$pid"
    run_whelk stop -t 0 c
    assert_output c
    wait "$pid"
    assert_equal "$(cat out)" c
    assert_equal "$(whelk wait c)" 137
}

@test "--stop-signal of the container (R-056)" {
    local sig
    for sig in USR1 SIGUSR1 10; do
        trapper c USR1 4 --stop-signal $sig
        answers c stop c
        assert_equal "$(whelk wait c)" 4
        whelk rm c >/dev/null
    done
}

@test "STOPSIGNAL of the image, which --stop-signal overrides" {
    needs_build
    build_image sig >/dev/null <<<$'FROM base\nSTOPSIGNAL SIGUSR2' || skip "this whelk builds no STOPSIGNAL yet"
    run_image() {
        whelk run -d --name c "$@" sig sh -c "trap 'exit 5' USR2; trap 'exit 6' HUP; echo ready; while :; do sleep 0.02; done" >/dev/null
        wait_for 10 printed c ready
        answers c stop c
    }
    run_image
    assert_equal "$(whelk wait c)" 5
    whelk rm c >/dev/null
    run_image --stop-signal HUP
    assert_equal "$(whelk wait c)" 6
    whelk rm c >/dev/null
    whelk rmi sig >/dev/null
}

@test "what has ended already is no error, and echoed (S-023)" {
    whelk run --name a base true
    whelk create --name b base true >/dev/null
    run_whelk stop a b
    assert_success
    assert_equal "$(sort <<<"$output")" $'a\nb'
    assert_stderr ""
    assert_equal "$(inspect_field b .State.Status)" created
}

@test "several are stopped side by side, and all are tried" {
    local begin
    for name in a b c; do
        whelk run -d --name $name base sleep 100 >/dev/null
    done
    begin=$(ms)
    run_whelk stop -t 1 a nosuch b c
    assert_status 125
    assert_equal "$(sort <<<"$output")" $'a\nb\nc'
    assert_stderr_line "Error: no such container: nosuch"
    [ $(($(ms) - begin)) -lt 2900 ]
    assert_equal "$(whelk ps -q)" ""
}

@test "stop \$(ps -a -q), and -a (S-023)" {
    whelk run -d --stop-timeout 0 --name a base sleep 100 >/dev/null
    whelk run -d --stop-timeout 0 --name b base sleep 100 >/dev/null
    whelk run --name old base true
    run_whelk stop $(whelk ps -a -q)
    assert_success
    assert_equal "${#lines[@]}" 3
    whelk start a b >/dev/null
    run_whelk stop --all
    assert_success
    assert_equal "${#lines[@]}" 2
    assert_equal "$(whelk ps -q)" ""
    answers "" stop -a
}

@test "-i: one that is not there is no error" {
    trapper c TERM 0
    answers c stop -i nosuch c
    answers "" stop --ignore nosuch
}

@test "a container with --rm is gone" {
    trapper c TERM 0 --rm
    answers c stop c
    assert_equal "$(whelk ps -aq)" ""
}

@test "the foreground run of a container that is stopped ends with its status" {
    "$WHELK" run --rm --name c base sh -c 'trap "exit 3" TERM; echo ready; while :; do sleep 0.02; done' >out 3>&- &
    pid=$!
    wait_for 10 file_has out ready
    answers c stop c
    status=0
    wait "$pid" || status=$?
    assert_equal $status 3
}

@test "mistakes" {
    whelk create --name c base true >/dev/null
    refused 125 "no such container: nosuch" stop nosuch
    refused 125 "name at least one container, or give --all" stop
    refused 125 "--all takes no containers besides" stop --all c
    refused 125 'option "-t" needs a whole number, not "x"' stop -t x c
    refused 125 "--timeout -5: seconds, or -1 to wait for ever" stop -t -5 c
    refused 125 'unknown option "--bogus" for "whelk stop"; see whelk stop --help' stop --bogus c
}

@test "another signal, a cid file, the last one, and those that match" {
    for name in a b c d; do
        whelk run -d --name "$name" -l "is=$name" --cidfile "$BATS_TEST_TMPDIR/$name" base \
            sh -c 'trap "exit 3" USR1; trap "exit 4" TERM; echo ready; while :; do sleep 0.05; done' >/dev/null
        wait_for 10 printed "$name" ready
    done
    answers a stop -s USR1 a
    assert_equal "$(whelk wait a)" 3
    answers "$(cat "$BATS_TEST_TMPDIR/b")" stop --cidfile "$BATS_TEST_TMPDIR/b"
    answers "$(inspect_field d .Id)" stop --signal USR1 -l
    assert_equal "$(whelk wait d)" 3
    answers "$(inspect_field c .Id)" stop -f label=is=c
    assert_equal "$(whelk wait c)" 4
    refused 125 "--cidfile nosuch: there is no such file" stop --cidfile nosuch
    answers "" stop -i --cidfile nosuch
    run_whelk stop -f nosuch=x
    assert_status 125
    run_whelk stop -s NOSUCH a
    assert_status 125
}
