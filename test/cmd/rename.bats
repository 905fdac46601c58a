#!/usr/bin/env bats
# whelk rename

load ../lib/common
load ../lib/container
load ../lib/tidy

@test "another name for one that does not run" {
    local id
    id=$(whelk create --name old base cat /etc/hosts)
    answers "" rename old new
    assert_equal "$(inspect_field new .Id)" "$id"
    assert_equal "$(inspect_field "$id" .Name)" /new
    refused 125 "no such container: old" start old
    run_whelk start -a new
    assert_success
    assert_output --regexp $'10.0.2.100\t[0-9a-f]{12} new'
    # The old name is free.
    whelk create --name old base true >/dev/null
}

@test "of one that runs: its /etc/hosts too" {
    whelk run -d --name old base sleep 100 >/dev/null
    whelk exec old grep -q ' old$' /etc/hosts
    answers "" container rename old new
    whelk exec new grep -q ' new$' /etc/hosts
    not whelk exec new grep -q old /etc/hosts
    state_is new running
    answers new stop -t 0 new
    whelk start new >/dev/null
    whelk exec new grep -q ' new$' /etc/hosts
}

@test "by the start of its id" {
    local id
    id=$(whelk create --name c base true)
    answers "" rename "${id:0:10}" d
    assert_equal "$(inspect_field d .Id)" "$id"
}

@test "mistakes leave it as it was" {
    whelk create --name a base true >/dev/null
    whelk create --name b base true >/dev/null
    run_whelk rename a b
    assert_status 125
    assert_one_error
    assert_stderr --partial '"b"'
    for bad in '' 'x y' ../x /x .x -x ü; do
        run_whelk rename -- a "$bad"
        assert_status 125
        assert_one_error
    done
    refused 125 "no such container: nosuch" rename nosuch c
    inspect_field a .Id
    inspect_field b .Id
    assert_equal "$(whelk ps -aq | wc -l)" 2
}
