#!/usr/bin/env bats
# whelk container prune

load ../lib/common
load ../lib/container
load ../lib/tidy

@test "--force: all that do not run, and what they held" {
    local made ended up
    made=$(whelk create base true)
    ended=$(whelk run -d --name ended base sh -c 'head -c 3000000 /dev/zero >/big')
    whelk wait ended >/dev/null
    up=$(whelk run -d base sleep 100)
    run_whelk container prune -f
    assert_success
    assert_stderr ""
    assert_equal "${#lines[@]}" 3
    assert_line "$made"
    assert_line "$ended"
    [[ ${lines[2]} =~ ^"Total reclaimed space: "[3-9](\.[0-9]+)?\ ?MB$ ]]
    assert_equal "$(whelk ps -aq --no-trunc)" "$up"
    run_whelk container prune --force
    assert_output --regexp "^Total reclaimed space: 0 ?B$"
}

@test "asks on a terminal, and takes only yes" {
    whelk create --name c base true >/dev/null
    for answer in n '' maybe; do
        terminal 'wait:[y/N]' "type:$answer\\r" -- container prune
        assert_line "[status 0]"
        whelk container exists c
    done
    terminal 'wait:[y/N]' 'type:y\r' -- container prune
    assert_line --partial "WARNING! This will remove all containers that do not run."
    assert_line "[status 0]"
    run_whelk container exists c
    assert_status 1
}

@test "without a terminal and without --force nothing is removed" {
    whelk create --name c base true >/dev/null
    refused 125 "This will remove all containers that do not run. Nobody can be asked here; use --force" container prune
    whelk container exists c
}
