#!/usr/bin/env bats
# Health checks (R-137 to R-144)

load ../lib/common
load ../lib/container
load ../lib/tidy

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
    whelk run -d --name c --no-healthcheck base sleep 100 >/dev/null
    whelk run -d --name d --health-cmd none base sleep 100 >/dev/null
    for name in c d; do
        not test -e "$STORE/containers/$(inspect_field $name .Id)/health.json"
    done
    run_whelk create --health-cmd '[' base true
    assert_status 125
    assert_one_error
    refused 125 "--no-healthcheck and the other options of health checks contradict each other" \
        create --no-healthcheck --health-cmd true base true
    refused 125 "--no-healthcheck and the other options of health checks contradict each other" \
        create --no-healthcheck --health-startup-retries 0 base true
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
    run "$WHELK" healthcheck run --ignore-result c
    [ "$status" = 0 ]
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

@test "--health-startup-cmd comes first, and wants its successes" {
    whelk run -d --name c "${fast[@]}" --health-startup-cmd 'echo early >>/s; test -e /up' --health-startup-interval 50ms \
        --health-startup-success 2 --health-cmd 'echo late >>/s; false' base sleep 100 >/dev/null
    wait_for 10 said c early 3
    health_is c starting
    said c late 0
    whelk exec c touch /up
    wait_for 10 health_is c unhealthy
    [ "$(whelk exec c sed -n '/early/h;/late/{x;p;q}' /s)" = early ] # none of the late ones before an early one
    whelk inspect c | jq -e '.[0].Config.StartupHealthCheck == {"Test": ["CMD-SHELL", "echo early >>/s; test -e /up"],
        "Interval": 50000000, "Timeout": 30000000000, "Retries": 0, "Successes": 2}'
}
said() { # NAME WORD AT_LEAST
    [ "$(whelk exec "$1" grep -cx "$2" /s 2>/dev/null)" -ge "$3" ]
}

@test "--health-startup-retries starts it again" {
    whelk run -d --name c "${fast[@]}" --health-startup-cmd false --health-startup-interval 50ms --health-startup-retries 2 \
        --health-cmd true base sh -c 'echo run; exec sleep 100' >/dev/null
    wait_for 15 ran c 2
    answers c stop -t 0 c
}

@test "a startup check that takes too long has failed" {
    whelk run -d --name c "${fast[@]}" --health-startup-cmd 'sleep 50' --health-startup-interval 50ms --health-startup-timeout 100ms \
        --health-startup-retries 2 --health-cmd true base sh -c 'echo run; exec sleep 100' >/dev/null
    wait_for 15 ran c 2
}

@test "what is kept of results" {
    whelk run -d --name c "${fast[@]}" --health-max-log-count 2 --health-max-log-size 10 --health-cmd 'echo "$RANDOM-0123456789"; echo >>/n' \
        base sleep 100 >/dev/null
    wait_for 10 tried c 4
    assert_equal "$(health c '.log | length')" 2
    assert_equal "$(health c '.log[0].output | length')" 10
    assert_equal "$(inspect_field c .Config.HealthMaxLogCount) $(inspect_field c .Config.HealthMaxLogSize)" "2 10"
    whelk update --health-max-log-count 0 --health-max-log-size 0 c
    wait_for 10 kept_more c
    assert_equal "$(inspect_field c .Config.HealthMaxLogCount) $(inspect_field c .Config.HealthMaxLogSize)" "1000 65536"
    refused 125 "--health-max-log-count 1001: at most 1000" create --health-cmd true --health-max-log-count 1001 base true
    refused 125 "--health-max-log-size 65537: at most 65536" create --health-cmd true --health-max-log-size 65537 base true
}
kept_more() {
    [ "$(health "$1" '.log | length')" -gt 5 ] && [ "$(health "$1" '.log[-1].output | length')" -gt 10 ]
}

@test "--health-log-destination" {
    mkdir logs
    id=$(whelk run -d --name c "${fast[@]}" --health-log-destination logs --health-cmd 'echo look' base sleep 100)
    wait_for 10 health_is c healthy
    assert_equal "$(jq -r '.status, .log[0].output' "logs/$id-healthcheck.log" | tr '\n' ' ')" "healthy look  "
    assert_equal "$(inspect_field c .Config.HealthLogDestination)" "$PWD/logs"
    whelk run -d --name d "${fast[@]}" --health-log-destination events_logger --health-cmd 'echo look; exit 3' base sleep 100 >/dev/null
    wait_for 10 health_is d unhealthy
    whelk events --since 1m --until 0s --stream=false --filter container=d --filter event=health_check --format json | head -n 1 |
        jq -e '.Attributes | .healthLog == "look\n" and .healthExitCode == "3"'
    whelk create --name e --health-cmd true --health-log-destination local base true >/dev/null
    assert_equal "$(inspect_field e .Config.HealthLogDestination)" local
    refused 125 "--health-log-destination nowhere: neither local nor events_logger, and as a directory: No such file or directory" \
        create --health-cmd true --health-log-destination nowhere base true
    touch file
    refused 125 "--health-log-destination file is no directory" create --health-cmd true --health-log-destination file base true
}

@test "--health-interval disable" {
    whelk run -d --name c --health-interval disable --health-cmd 'echo >>/n' base sleep 100 >/dev/null
    whelk run -d --name d --health-interval 50ms --health-cmd 'echo >>/n' base sleep 100 >/dev/null
    wait_for 10 tried d 3
    tried c 0
    not whelk exec c test -e /n
    whelk healthcheck run c
    whelk exec c test -e /n
    whelk update --health-interval 50ms c >/dev/null
    wait_for 10 tried c 3
    refused 125 '--health-interval: "soon" is not a duration; write a number with its unit, like 500ms, 10s or 1h30m' \
        create --health-cmd true --health-interval soon base true
}

@test "what contradicts itself about checks" {
    refused 125 "--health-startup-cmd comes before a health check, and there is none; give --health-cmd" \
        create --health-startup-cmd true base true
    refused 125 "there is no startup check to set; give --health-startup-cmd" \
        create --health-cmd true --health-startup-retries 3 base true
    refused 125 "--health-retries 0: at least 1 failure makes a container unhealthy" create --health-cmd true --health-retries 0 base true
    refused 125 "--health-cmd is an empty array" create --health-cmd '[]' base true
    refused 125 "--health-startup-cmd is an empty array" create --health-cmd true --health-startup-cmd '[]' base true
}
