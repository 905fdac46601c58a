#!/usr/bin/env bats
# Following logs over rotation and restarts; log drivers (R-153, R-154)

load ../lib/common
load ../lib/container
load ../lib/tidy

@test "-f goes on over restarts" {
    whelk run -d --name c --restart on-failure:3 base sh -c 'echo run; exit 1' >/dev/null
    run timeout 20 "$WHELK" logs -f c
    assert_success
    assert_output $'run\nrun\nrun\nrun'
}

@test "rotation keeps as many files as asked for, and their lines in order" {
    local id
    id=$(whelk run --name c --log-opt max-size=2k --log-opt max-file=3 base seq 1000 >/dev/null && inspect_field c .Id)
    wait_for 5 test -e "$STORE/containers/$id/log"
    not test -e "$STORE/containers/$id/log.3"
    whelk logs c >out
    [ ! -s out ] || assert_equal "$(cat out)" "$(seq "$(head -n 1 out)" 1000)"
}

@test "--tail counts over rotated files, -f follows over rotation" {
    local pid id
    id=$(whelk run -d --name c --log-opt max-size=300 --log-opt max-file=100 base \
        sh -c 'for i in $(seq 30); do echo $i; sleep 0.02; done; while [ ! -e /go ]; do sleep 0.02; done
            for i in $(seq 31 60); do echo $i; sleep 0.02; done')
    wait_for 20 printed c 30
    test -e "$STORE/containers/$id/log.2"
    assert_equal "$(whelk logs -n 20 c)" "$(seq 11 30)"
    assert_equal "$(whelk logs c)" "$(seq 30)"
    "$WHELK" logs -f -n 5 c >out 3>&- &
    pid=$!
    wait_for 10 grep -qx 30 out
    whelk exec c touch /go
    wait "$pid"
    assert_equal "$(cat out)" "$(seq 26 60)"
}

@test "several rotations between two looks lose nothing" {
    local id pid
    id=$(whelk run -d --name c --log-opt max-size=100 --log-opt max-file=200 base \
        sh -c 'echo 0; while [ ! -e /go ]; do sleep 0.02; done; for i in $(seq 60); do echo $i; sleep 0.02; done
            while [ ! -e /end ]; do sleep 0.02; done')
    "$WHELK" logs -f c >out 3>&- &
    pid=$!
    wait_for 10 grep -qx 0 out
    kill -STOP "$pid"
    whelk exec c touch /go
    wait_for 20 printed c 60
    kill -CONT "$pid"
    test -e "$STORE/containers/$id/log.3"
    whelk exec c touch /end
    wait "$pid"
    assert_equal "$(cat out)" "$(seq 0 60)"
}

@test "--log-driver none keeps nothing" {
    run_whelk run --name c --log-driver none base echo hello
    assert_output hello
    answers "" logs c
    not test -s "$STORE/containers/$(inspect_field c .Id)/log"
}

@test "mistakes" {
    refused 125 "--log-driver syslog is not known; known: file (also k8s-file, json-file), journald, none, passthrough" create --log-driver syslog base true
    for word in max-file=0 max-file=1001 max-file=x nonsense; do
        refused 125 "--log-opt $word is not known; known: max-size=SIZE (-1: no limit), max-file=1...1000, tag=TEXT" create --log-opt $word base true
    done
    run_whelk create --log-opt max-size=x base true
    assert_status 125
    assert_one_error
}
