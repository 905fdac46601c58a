#!/usr/bin/env bats
# Restart policies (R-135)

load ../lib/common
load ../lib/container
load ../lib/tidy

runs() { # NAME: how often it was started
    whelk logs "$1" | grep -cx run
}
ran() { # NAME TIMES
    [ "$(runs "$1")" -ge "$2" ]
}

@test "on-failure:N counts, and the last status stays" {
    whelk run -d --name c --restart on-failure:2 base sh -c 'echo run; exit 6' >/dev/null
    assert_equal "$(whelk wait c)" 6
    assert_equal "$(runs c)" 3
    state_is c exited
    # By hand it begins again.
    whelk start c >/dev/null
    assert_equal "$(whelk wait c)" 6
    assert_equal "$(runs c)" 6
}

@test "on-failure ends with the first success" {
    whelk run -d --name c --restart on-failure base sh -c 'echo run; [ -e /x ] || { touch /x; exit 1; }' >/dev/null
    assert_equal "$(whelk wait c)" 0
    assert_equal "$(runs c)" 2
    whelk run -d --name d --restart no base sh -c 'echo run; exit 1' >/dev/null
    assert_equal "$(whelk wait d)" 1
    assert_equal "$(runs d)" 1
}

@test "always: until it is stopped or killed" {
    for policy in always unless-stopped; do
        whelk run -d --name c --restart $policy base sh -c 'echo run; [ "$(wc -l </n)" -gt 1 ] && exec sleep 100
            echo >>/n' >/dev/null
        wait_for 10 ran c 3
        wait_for 10 state_is c running
        answers c stop -t 0 c
        state_is c exited
        whelk start c >/dev/null
        wait_for 10 state_is c running
        answers c kill c
        assert_equal "$(whelk wait c)" 137
        state_is c exited
        whelk rm c >/dev/null
    done
}

@test "between two runs it is restarting, and can be stopped, killed and removed" {
    local how
    for how in "stop -t 5" kill "rm -f"; do
        # The fourth pause is 800 ms.
        whelk run -d --name c --restart always base sh -c 'echo run; exit 1' >/dev/null
        wait_for 20 ran c 4
        wait_for 5 state_is c restarting
        whelk ps | grep -q Restarting
        whelk $how c >/dev/null
        wait_for 5 not state_is c restarting
        whelk rm -f c >/dev/null 2>&1 || true
    done
}

@test "the pauses grow" {
    local stamps
    whelk run -d --name c --restart on-failure:3 base sh -c 'echo run; exit 1' >/dev/null
    assert_equal "$(whelk wait c)" 1
    mapfile -t stamps < <(whelk logs -t c | while read -r t _; do date -d "$t" +%s%3N; done)
    assert_equal "${#stamps[@]}" 4
    [ $((stamps[1] - stamps[0])) -ge 100 ]
    [ $((stamps[2] - stamps[1])) -ge 200 ]
    [ $((stamps[3] - stamps[2])) -ge 400 ]
}

@test "mistakes" {
    for policy in sometimes always:3 on-failure:x on-failure:-1 ''; do
        refused 125 "--restart $policy is not known; known: no, always, unless-stopped, on-failure, on-failure:TIMES" \
            create --restart "$policy" base true
    done
    refused 125 "--rm and --restart always contradict each other" run --rm --restart always base true
}
