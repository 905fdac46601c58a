#!/usr/bin/env bats
# Limits, and what a container starts with

load ../lib/common
load ../lib/container
load ../lib/tidy

needs_v1() {
    skip_unless_lane root
    [ -e /sys/fs/cgroup/memory/cgroup.procs ] && [ -e /sys/fs/cgroup/pids/cgroup.procs ] || skip "no controllers of version 1"
}
group() { # CONTROLLER ID
    find "/sys/fs/cgroup/$1/" -name "whelk-${2:0:12}" 2>/dev/null | head -n 1
}
no_group() { # ID
    [ -z "$(find /sys/fs/cgroup/ -name "whelk-${1:0:12}" 2>/dev/null)" ]
}

@test "the kernel has what was asked for (root, version 1)" {
    needs_v1
    local id
    id=$(whelk run -d --name c --memory 64m --pids-limit 50 --cpus 0.5 --cpu-shares 300 base sleep 100)
    assert_equal "$(cat "$(group memory "$id")/memory.limit_in_bytes")" 67108864
    assert_equal "$(cat "$(group pids "$id")/pids.max")" 50
    assert_equal "$(cat "$(group cpu "$id")/cpu.shares")" 300
    assert_equal "$(cat "$(group cpu "$id")/cpu.cfs_quota_us")" $(($(cat "$(group cpu "$id")/cpu.cfs_period_us") / 2))
    grep -qx "$(container_pid c)" "$(group pids "$id")/cgroup.procs"
    whelk rm -f c >/dev/null
    no_group "$id"
}

@test "a run that was started again does not inherit the killing of the one before" {
    needs_v1
    run_whelk run --name c --memory 20m --restart on-failure:3 base sh -c 'echo run; [ -e /once ] && sleep 0.5 && exit 0; touch /once; exec tail /dev/zero'
    assert_status 0
    assert_output $'run\nrun'
    assert_equal "$(inspect_field c .State.OOMKilled)" false
}

@test "too much memory: 137, and inspect says why" {
    needs_v1
    run_whelk run --name c --memory 20m base tail /dev/zero
    assert_status 137
    assert_equal "$(inspect_field c .State.OOMKilled)" true
    no_group "$(inspect_field c .Id)"
    whelk run --name d --memory 20m base true
    assert_equal "$(inspect_field d .State.OOMKilled)" false
}

@test "no group is left of a supervisor that was killed, once its container is removed" {
    needs_v1
    local id pid
    id=$(whelk run -d --name c --memory 64m base sleep 100)
    pid=$(supervisor_pid c)
    kill -KILL "$pid"
    wait_for 10 not state_is c running
    whelk rm c >/dev/null
    wait_for 5 no_group "$id"
}

@test "users without control groups are refused, and told why" {
    skip_unless_lane subuid plain
    [ ! -e /sys/fs/cgroup/cgroup.controllers ] || skip "version 2 may let users have groups"
    [ -e /sys/fs/cgroup/memory ] || skip "no controllers of version 1"
    local advice="a user cannot have control groups of version 1; boot with systemd.unified_cgroup_hierarchy=1"
    refused 125 "--memory needs the memory controller: $advice" run --rm --memory 64m base true
    refused 125 "--pids-limit needs the pids controller: $advice" run --rm --pids-limit 9 base true
    refused 125 "--cpus needs the cpu controller: $advice" run --rm --cpus 1 base true
    assert_equal "$(whelk ps -aq)" ""
}

@test "--ulimit, --shm-size, --oom-score-adj, --tz, --env-host, --group-add" {
    answers $'64\n128' run --rm --ulimit nofile=64:128 base sh -c 'ulimit -n; ulimit -Hn'
    answers 8192 run --rm --shm-size 8m base sh -c 'df -k /dev/shm | tail -n 1 | { read -r _ n _; echo $n; }'
    answers 500 run --rm --oom-score-adj 500 base cat /proc/self/oom_score_adj
    answers Europe/Berlin run --rm --tz Europe/Berlin base sh -c 'echo $TZ'
    OWN=value answers value run --rm --env-host base sh -c 'echo $OWN'
    if has_ids; then
        run_whelk run --rm --group-add staff --group-add 33 base id -G
        assert_success
        assert_output --regexp '(^| )50( |$)'
        assert_output --regexp '(^| )33( |$)'
    fi
    refused 125 "--ulimit nosuch=1: write NAME=SOFT[:HARD], with a name such as nofile, nproc, core, memlock, stack" \
        create --ulimit nosuch=1 base true
    refused 125 "--oom-score-adj 1001 is not a number from -1000 to 1000" create --oom-score-adj 1001 base true
    refused 125 "--tz ../x is not the name of a time zone" create --tz ../x base true
}

@test "--sysctl: only what is the container's own" {
    answers 77 run --rm --sysctl net.core.somaxconn=77 base cat /proc/sys/net/core/somaxconn
    answers 9000 run --rm --sysctl kernel.msgmax=9000 base cat /proc/sys/kernel/msgmax
    run_whelk create --sysctl kernel.panic=1 base true
    assert_status 125
    assert_stderr --partial "Error: --sysctl kernel.panic is not of a container's own namespaces"
    refused 125 "--sysctl net.core.somaxconn would change more than this container: the namespace is not its own" \
        create --net host --sysctl net.core.somaxconn=1 base true
    refused 125 "--sysctl net.core: write NAME=VALUE" create --sysctl net.core base true
}

@test "--ipc host, --uts host, --device" {
    answers "$(readlink /proc/self/ns/ipc)" run --rm --ipc host base readlink /proc/self/ns/ipc
    answers "$(readlink /proc/self/ns/uts)" run --rm --uts host base readlink /proc/self/ns/uts
    not test "$(whelk run --rm base readlink /proc/self/ns/ipc)" = "$(readlink /proc/self/ns/ipc)"
    answers ok run --rm --device /dev/null:/dev/mine base sh -c 'test -c /dev/mine && echo x >/dev/mine && echo ok'
    refused 125 "--device /etc/passwd: /etc/passwd is not a device" create --device /etc/passwd base true
}

@test "--replace removes the one of the same name" {
    local id
    id=$(whelk run -d --name c base sleep 100)
    run_whelk run --replace --name c base echo new
    assert_success
    assert_output new
    not test "$(inspect_field c .Id)" = "$id"
    assert_equal "$(whelk ps -aq | wc -l)" 1
    refused 125 "--replace needs --name: it removes the container that has the name" run --replace base true
}

@test "--cgroup-conf writes files of the group (R-134)" {
    refused 125 "--cgroup-conf memory.high: write FILE=VALUE, as memory.high=1073741824" create --cgroup-conf memory.high base true
    refused 125 "--cgroup-conf ../x=1: write FILE=VALUE, as memory.high=1073741824" create --cgroup-conf ../x=1 base true
    refused 125 "--cgroup-conf cgroup.procs=1: the file has to be one of a controller, as memory.high or cpu.max" \
        create --cgroup-conf cgroup.procs=1 base true
    needs_v1
    local id
    id=$(whelk run -d --name c --cgroup-conf memory.swappiness=10 --cgroup-conf pids.max=77 base sleep 100)
    assert_equal "$(cat "$(group memory "$id")/memory.swappiness")" 10
    assert_equal "$(cat "$(group pids "$id")/pids.max")" 77
    whelk update --cgroup-conf pids.max=78 c >/dev/null
    assert_equal "$(cat "$(group pids "$id")/pids.max")" 78
    refused 125 "--cgroup-conf: the memory controller has no memory.nosuch here" run --rm --cgroup-conf memory.nosuch=1 base true
    refused 125 "--cgroup-conf: cannot write x to pids.max of the pids controller: Invalid argument" \
        run --rm --cgroup-conf pids.max=x base true
}
