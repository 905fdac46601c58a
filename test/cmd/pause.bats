#!/usr/bin/env bats
# whelk pause, whelk unpause

load ../lib/common
load ../lib/container
load ../lib/tidy

# Pausing needs a control group: that of version 1 is root's alone.
needs_freezer() {
    skip_unless_lane root
    [ -e /sys/fs/cgroup/freezer/cgroup.procs ] || skip "no freezer controller is mounted"
}
ticker() { # NAME OPTION...
    local name=$1
    shift
    whelk run -d --name "$name" "$@" base sh -c 'i=0; while :; do echo $((i = i + 1)); sleep 0.02; done' >/dev/null
    wait_for 10 printed "$name" 1
}
grows() { # NAME
    local before
    before=$(whelk logs "$1" | wc -l)
    wait_for 2 test_more "$1" "$before"
}
test_more() {
    [ "$(whelk logs "$1" | wc -l)" -gt "$2" ]
}

@test "frozen, shown, and thawed" {
    needs_freezer
    local before
    ticker c
    answers c pause c
    whelk ps | grep -q '(Paused)'
    before=$(whelk logs c | wc -l)
    sleep 0.2
    assert_equal "$(whelk logs c | wc -l)" "$before"
    refused 125 "container $(inspect_field c .Id | cut -c1-12) is paused already" pause c
    answers c container unpause c
    grows c
    [[ $(whelk ps) != *"(Paused)"* ]]
}

@test "exec in a paused one is refused instead of waiting for ever" {
    needs_freezer
    ticker c
    whelk pause c >/dev/null
    refused 125 "container $(inspect_field c .Id | cut -c1-12) is paused; let it go on first: whelk unpause c" exec c true
    whelk unpause c >/dev/null
    whelk exec c true
}

@test "a paused one can be stopped, killed and removed" {
    needs_freezer
    ticker c
    whelk pause c >/dev/null
    answers c stop -t 0 c
    assert_equal "$(whelk wait c)" 137
    ticker d --pids-limit 50
    whelk pause d >/dev/null
    answers d rm -f d
}

@test "health checks wait until it goes on" {
    needs_freezer
    local checked
    ticker c --health-cmd true --health-interval 100ms --health-timeout 200ms --health-retries 1
    wait_for 10 eval '[ "$(inspect_field c .State.Health.Status)" = healthy ]'
    whelk pause c >/dev/null
    sleep 1
    checked=$(inspect_field c '.State.Health.Log[-1].End')
    assert_equal "$(inspect_field c .State.Health.Status)" healthy
    whelk unpause c >/dev/null
    wait_for 10 eval '[ "$(inspect_field c ".State.Health.Log[-1].End")" != "'"$checked"'" ]'
    assert_equal "$(inspect_field c .State.Health.Status)" healthy
}

@test "all" {
    needs_freezer
    ticker a
    ticker b
    run_whelk pause -a
    assert_success
    assert_equal "${#lines[@]}" 2
    run_whelk unpause --all
    assert_success
    assert_equal "${#lines[@]}" 2
    grows a
    grows b
}

@test "users without a control group are told so" {
    skip_unless_lane subuid plain
    [ ! -e /sys/fs/cgroup/cgroup.controllers ] || skip "version 2 may let users have groups"
    local id
    id=$(whelk run -d --name c base sleep 100)
    refused 125 "container ${id:0:12} has no control group that could be frozen, and none can be made here; start it with a limit, under systemd, or as root" pause c
    state_is c running
}

@test "mistakes" {
    local id
    refused 125 "no such container: nosuch" pause nosuch
    refused 125 "no such container: nosuch" unpause nosuch
    id=$(whelk create --name c base true)
    refused 125 "container ${id:0:12} is not running" pause c
    refused 125 "container ${id:0:12} is not running" unpause c
    id=$(whelk run -d --name d base sleep 100)
    refused 125 "container ${id:0:12} is not paused" unpause d
}

@test "a cid file, the last one, and those that match" {
    needs_freezer
    local id
    id=$(whelk run -d --name c -l k --cidfile "$BATS_TEST_TMPDIR/c" base sleep 300)
    answers "$id" pause -l
    answers "$id" unpause -f label=k
    answers "$id" pause --filter label=k
    answers "$id" unpause --cidfile "$BATS_TEST_TMPDIR/c"
    answers "$id" pause --cidfile "$BATS_TEST_TMPDIR/c"
    answers "$id" unpause --latest
}
