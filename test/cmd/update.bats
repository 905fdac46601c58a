#!/usr/bin/env bats
# whelk update (C-010)

load ../lib/common
load ../lib/container
load ../lib/tidy

host() { # FIELD of HostConfig
    inspect_field c ".HostConfig.$1"
}
limit_of_group() { # CONTROLLER FILE
    cat "/sys/fs/cgroup/$1/$(grep -E "^[0-9]+:[^:]*\b$1\b" "/proc/$(container_pid c)/cgroup" | cut -d: -f3)/$2"
}
# Limits of version 1 are root's.
needs_groups() {
    skip_unless_lane root
    [ -e /sys/fs/cgroup/memory/cgroup.procs ] || skip "no memory controller of version 1 is mounted"
}

@test "limits of one that does not run are recorded" {
    whelk create --name c base sleep 300 >/dev/null
    answers c update -m 64m --cpus 1.5 --pids-limit 77 --cpu-shares 512 c
    assert_equal "$(host Memory) $(host NanoCpus) $(host PidsLimit) $(host CpuShares)" "67108864 1500000000 77 512"
    answers c container update --cpu-quota 20000 c
    assert_equal "$(host Memory) $(host NanoCpus) $(host CpuQuota)" "67108864 0 20000"
}

@test "limits of a running one hold at once, also where it had no group" {
    local id
    needs_groups
    id=$(whelk run -d --name c base sh -c 'while :; do sleep 1; done')
    answers c update -m 64m --pids-limit 20 c
    assert_equal "$(limit_of_group memory memory.limit_in_bytes) $(limit_of_group pids pids.max)" "67108864 20"
    answers c update --memory 32m --memory-swap 40m --cpus 0.5 c
    assert_equal "$(limit_of_group memory memory.limit_in_bytes) $(limit_of_group cpu cpu.cfs_quota_us)" "33554432 50000"
    assert_equal "$(limit_of_group pids pids.max)" 20
    whelk kill c >/dev/null
    wait_for 5 state_is c exited
    whelk start c >/dev/null
    assert_equal "$(limit_of_group memory memory.limit_in_bytes)" 33554432
    whelk rm -f c >/dev/null
    [ -z "$(find /sys/fs/cgroup/ -name "whelk-${id:0:12}*" 2>/dev/null)" ]
}

@test "a limit that cannot be had changes nothing" {
    skip_unless_lane subuid plain
    [ ! -e /sys/fs/cgroup/cgroup.controllers ] || skip "version 2 may let users have groups"
    whelk run -d --name c base sleep 300 >/dev/null
    run_whelk update -m 64m --restart always c
    assert_status 125
    assert_stderr --partial "--memory needs the memory controller"
    assert_equal "$(host Memory) $(host RestartPolicy.Name)" "0 no"
}

@test "a restart policy holds at once" {
    whelk run -d --name c base sh -c 'echo run; while [ ! -e /go ]; do sleep 0.05; done; rm /go; exit 3' >/dev/null
    answers c update --restart on-failure:5 c
    assert_equal "$(host RestartPolicy.Name) $(host RestartPolicy.MaximumRetryCount)" "on-failure 5"
    whelk exec c touch /go
    wait_for 10 restarted c
    assert_equal "$(whelk logs c)" $'run\nrun'
    whelk update --restart no c
    whelk exec c touch /go
    assert_equal "$(whelk wait c)" 3
}
restarted() {
    [ "$(inspect_field "$1" .RestartCount)" = 1 ] && state_is "$1" running && [ "$(whelk logs "$1" | wc -l)" = 2 ]
}

@test "health checks are begun, changed and ended" {
    whelk run -d --name c base sleep 300 >/dev/null
    answers c update --health-cmd false --health-interval 100ms --health-retries 1 c
    wait_for 10 prints unhealthy inspect_field c .State.Health.Status
    answers c update --health-cmd true c
    wait_for 10 prints healthy inspect_field c .State.Health.Status
    answers c update --health-timeout 5s --health-start-period 1s --health-start-interval 1s --health-on-failure kill c
    assert_equal "$(inspect_field c .Config.Healthcheck.Timeout)" 5000000000
    answers c update --no-healthcheck c
    assert_equal "$(inspect_field c .State.Health)" null
}

@test "variables and ulimits hold from the next start" {
    whelk run -d --name c -e A=1 -e B=2 base sleep 300 >/dev/null
    answers c update -e A=3 -e C=4 --unsetenv B --ulimit nofile=99 c
    assert_equal "$(whelk exec c sh -c 'echo $A$B$C')" 34 # exec reads the record
    whelk restart -t 0 c >/dev/null
    assert_equal "$(tr '\0' '\n' <"/proc/$(container_pid c)/environ" | grep -E '^[ABC]=' | sort | tr '\n' ' ')" "A=3 C=4 "
    assert_equal "$(whelk exec c sh -c 'ulimit -n')" 99
}

@test "the last one, and several" {
    whelk create --name c base true >/dev/null
    whelk create --name d base true >/dev/null
    run_whelk update -l --pids-limit 5
    assert_success
    assert_equal "$(inspect_field d .HostConfig.PidsLimit)" 5
    answers $'c\nd' update --pids-limit 6 c d
    assert_equal "$(whelk events --stream=false -f event=update --format '{{.Name}}' | tail -n 3)" $'d\nc\nd'
}

@test "mistakes" {
    whelk create --name c base true >/dev/null
    refused 125 "no such container: nosuch" update --cpus 1 nosuch
    refused 125 "name at least one container, or give --all" update --cpus 1
    refused 125 "--restart nosuch is not known; known: no, always, unless-stopped, on-failure, on-failure:TIMES" update --restart nosuch c
    refused 125 "the container has no health check to change; give --health-cmd" update --health-interval 1s c
    refused 125 "--no-healthcheck and the other options of health checks contradict each other" update --no-healthcheck --health-retries 1 c
    run_whelk update --memory 1k c
    assert_status 125
    assert_stderr --partial --memory
    whelk create --name d --rm base true >/dev/null
    refused 125 "--restart always: the container is one that is removed when it ends (--rm)" update --restart always d
}
