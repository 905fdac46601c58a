#!/usr/bin/env bats
# Health checks (R-137 to R-144)

load ../lib/common
load ../lib/container

setup_file() {
    base_image
}

setup() {
    cd "$BATS_TEST_TMPDIR"
}

teardown() {
    whelk rm -af >/dev/null
    no_containers_left
}

fast=(--health-interval 100ms --health-retries 2)
health() { # NAME FILTER
    jq -r "$2" "$STORE/containers/$(inspect_field "$1" .Id)/health.json"
}
health_is() { # NAME STATUS
    [ "$(health "$1" .status)" = "$2" ]
}

@test "starting, unhealthy, healthy, and what was found" {
    whelk run -d --name c --health-interval 300ms --health-retries 2 --health-cmd 'echo look; test -e /ok' base sleep 100 >/dev/null
    health_is c starting
    wait_for 10 health_is c unhealthy
    [ "$(health c .failing_streak)" -ge 2 ]
    assert_equal "$(health c '.log[0].output')" look
    assert_equal "$(health c '.log[0].exit_code')" 1
    whelk ps | grep -q '(unhealthy)'
    whelk exec c touch /ok
    wait_for 10 health_is c healthy
    assert_equal "$(health c '.failing_streak // 0')" 0
    whelk ps | grep -q '(healthy)'
    [ "$(health c '.log | length')" -le 5 ]
}

@test "a JSON array is run without a shell" {
    whelk run -d --name c "${fast[@]}" --health-cmd '["echo", "$HOME;x"]' base sleep 100 >/dev/null
    wait_for 10 health_is c healthy
    assert_equal "$(health c '.log[0].output')" '$HOME;x'
    whelk run -d --name d "${fast[@]}" --health-cmd '["nosuch"]' base sleep 100 >/dev/null
    wait_for 10 health_is d unhealthy
}

@test "a check that takes too long has failed" {
    whelk run -d --name c "${fast[@]}" --health-timeout 100ms --health-cmd 'sleep 50' base sleep 100 >/dev/null
    wait_for 10 health_is c unhealthy
    assert_equal "$(health c '.log[0].exit_code')" 137
}

@test "failures in the start period do not count" {
    whelk run -d --name c "${fast[@]}" --health-start-period 100s --health-start-interval 50ms --health-cmd 'echo >>/n; test -e /ok' \
        base sleep 100 >/dev/null
    wait_for 10 tried c 4
    health_is c starting
    whelk exec c touch /ok
    wait_for 10 health_is c healthy
    # It is over with the first success.
    whelk exec c rm /ok
    wait_for 10 health_is c unhealthy
}
tried() {
    [ "$(whelk exec "$1" cat /n 2>/dev/null | wc -l)" -ge "$2" ]
}

@test "--health-on-failure" {
    whelk run -d --name kill "${fast[@]}" --health-on-failure kill --health-cmd false base sleep 100 >/dev/null
    whelk run -d --name stop "${fast[@]}" --health-on-failure stop --health-cmd false --restart always base \
        sh -c 'trap "exit 3" TERM; while :; do sleep 0.02; done' >/dev/null
    whelk run -d --name again "${fast[@]}" --health-on-failure restart --health-cmd false base sh -c 'echo run; exec sleep 100' >/dev/null
    assert_equal "$(whelk wait kill)" 137
    assert_equal "$(whelk wait stop)" 3
    wait_for 15 ran again 2
    answers again stop -t 0 again
    refused 125 "--health-on-failure cry is not known; known: none, kill, restart, stop" \
        create --health-cmd true --health-on-failure cry base true
}
ran() { # NAME TIMES
    [ "$(whelk logs "$1" | grep -cx run)" -ge "$2" ]
}

@test "--no-healthcheck, and none" {
    whelk run -d --name c --no-healthcheck --health-cmd true base sleep 100 >/dev/null
    whelk run -d --name d --health-cmd none base sleep 100 >/dev/null
    for name in c d; do
        not test -e "$STORE/containers/$(inspect_field $name .Id)/health.json"
    done
    run_whelk create --health-cmd '[' base true
    assert_status 125
    assert_one_error
}

@test "no check is left when it ends" {
    whelk run -d --name c "${fast[@]}" --health-cmd 'sleep 77' base sleep 100 >/dev/null
    sleep 0.3
    answers c stop -t 0 c
}

@test "healthcheck run: 0, 1, 125 (CV-13)" {
    whelk run -d --name c --health-cmd 'test -f /ok' base sleep 100 >/dev/null
    run "$WHELK" healthcheck run c
    [ "$status" = 1 ]
    whelk exec c touch /ok
    run "$WHELK" healthcheck run c
    [ "$status" = 0 ]
    whelk run -d --name none base sleep 100 >/dev/null
    run "$WHELK" healthcheck run none
    [ "$status" = 125 ]
    [[ $output == *"has no health check"* ]]
    whelk stop -t 0 c
    run "$WHELK" healthcheck run c
    [ "$status" = 125 ]
}
