#!/usr/bin/env bats
# whelk stats (C-025, CV-24, CV-F03)

load ../lib/common
load ../lib/container

setup_file() {
    base_image
}

teardown() {
    whelk rm -af >/dev/null
    no_containers_left
}

sleeper() { # NAME OPTION...
    local name=$1
    shift
    whelk run -d --name "$name" "$@" base sleep 300 >/dev/null
}
value() { # FIELD
    whelk stats --no-stream --format "{{.$1}}" c
}

@test "docker's table of running containers, once" {
    sleeper c
    whelk create --name d base true >/dev/null
    run_whelk stats --no-stream
    assert_success
    assert_stderr ""
    assert_equal "${#lines[@]}" 2
    assert_line --regexp '^CONTAINER ID +NAME +CPU % +MEM USAGE / LIMIT +MEM % +NET I/O +BLOCK I/O +PIDS$'
    assert_line --regexp "^$(inspect_field c .Id | cut -c1-12) +c +[0-9.]+% +[0-9.]+[KM]iB / [0-9.]+[GM]iB +[0-9.]+% +.* / .* +1$"
    refute_output $'\033'
    run_whelk stats -a --no-stream
    assert_equal "${#lines[@]}" 3
    assert_line --regexp ' d +0.00% +0B / 0B +0.00% +0B / 0B +0B / 0B +0$'
    run_whelk container stats --no-stream --no-trunc c
    assert_line --partial "$(inspect_field c .Id)"
}

@test "the numbers are true" {
    whelk run -d --name c base sh -c 'head -c 30000000 /dev/zero | tail -c 29000000 >/dev/null & while :; do :; done' >/dev/null
    sleep 0.3
    [ "$(value CPUPerc | cut -d. -f1)" -gt 3 ]
    [ "$(value CPUNano)" -gt 20000000 ]
    [ "$(value AvgCPU | cut -d. -f1)" -gt 3 ]
    sleeper d
    local bytes
    bytes=$(whelk stats --no-stream --format '{{.MemUsageBytes}}' d | cut -d ' ' -f 1)
    [ "$bytes" -gt 4096 ] && [ "$bytes" -lt 50000000 ]
    whelk exec d sh -c 'sleep 300 & sleep 300 &'
    assert_equal "$(whelk stats --no-stream --format '{{.PIDs}}' d)" 3
}

@test "a limit is the limit" {
    skip_unless_lane root
    sleeper c -m 64m
    assert_equal "$(value MemLimit)" 67108864
    [[ $(value MemUsage) == *" / 64MiB" ]]
}

@test "every field of docker and podman (CV-F03)" {
    sleeper c
    for field in Container Name ID CPUPerc MemUsage MemPerc NetIO BlockIO PIDs AvgCPU AVGCPU BlockInput BlockOutput \
        ContainerID CPU CPUNano CPUSystemNano Duration MemLimit MemUsageBytes Network PIDS SystemNano Up UpTime; do
        run_whelk stats --no-stream --format "{{.$field}}" c
        assert_success
        [ -n "$output" ]
    done
    assert_equal "$(value Container)" c
    assert_equal "$(whelk stats --no-stream --format json c | jq -r '.[0].Name')" c
    run_whelk stats --no-stream --format 'table {{.Name}}\t{{.PIDs}}' c
    assert_output "$(printf 'NAME   PIDS\nc      1')"
}

@test "with the host's network there is no traffic of its own" {
    sleeper c --network host
    assert_equal "$(value NetIO)" --
}

@test "it goes on, follows what comes, and redraws on a terminal only" {
    sleeper c
    cd "$BATS_TEST_TMPDIR"
    "$WHELK" stats -i 1 --format '{{.Name}}' >out 2>&1 3>&- &
    local pid=$!
    wait_for 10 file_has out c
    sleeper d
    wait_for 10 file_has out d
    kill "$pid"
    ! grep -q $'\033' out
    terminal 'wait:CONTAINER ID' 'wait:CONTAINER ID' kill:INT -- stats
    assert_output --partial $'\033[H\033[J'
    terminal 'wait:CONTAINER ID' 'wait:CONTAINER ID' kill:INT -- stats --no-reset
    refute_output $'\033[H'
    whelk stats | head -n 1 | grep -q '^CONTAINER ID'
}

@test "mistakes" {
    refused 125 "no such container: nosuch" stats --no-stream nosuch
    refused 125 "--interval 0: seconds, at least 1" stats -i 0
    refused 125 "--all takes no containers besides" stats -a c
    refused 125 "--latest: there is no container" stats --no-stream -l
    sleeper c
    run_whelk stats --no-stream --format '{{.Nosuch}}'
    assert_status 125
}
