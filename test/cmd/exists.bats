#!/usr/bin/env bats
# whelk container exists, whelk image exists (CV-05)

load ../lib/common
load ../lib/container
load ../lib/tidy

silent() { # STATUS WORDS...
    local wanted=$1
    shift
    run_whelk "$@"
    assert_status "$wanted"
    assert_output ""
    assert_stderr ""
}

@test "container exists" {
    local id
    silent 1 container exists c
    id=$(whelk create --name c base true)
    silent 0 container exists c
    silent 0 container exists --external c
    silent 0 container exists "$id"
    silent 0 container exists "${id:0:7}"
    silent 1 container exists cx
    silent 1 container exists "../${id:0:7}"
    whelk rm c >/dev/null
    silent 1 container exists c
    silent 1 container exists "$id"
}

@test "image exists" {
    local id
    id=$(whelk images -q --no-trunc base)
    silent 0 image exists base
    silent 0 image exists localhost/base:latest
    silent 0 image exists "$id"
    silent 0 image exists "${id:0:19}"
    silent 1 image exists base:other
    silent 1 image exists nosuch
}

@test "what cannot be told is 125" {
    local digit
    refused 125 '"whelk container exists" needs one CONTAINER argument; see whelk container exists --help' container exists
    for i in {1..17}; do whelk create base true >/dev/null; done
    digit=$(whelk ps -aq | cut -c1 | sort | uniq -d | head -n 1)
    run_whelk container exists "$digit"
    assert_status 125
    assert_one_error
}
