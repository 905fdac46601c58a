# Limits, freezing and exec of containers with control groups version 2: in a login's session, where systemd makes a scope, and in a unit with
# Delegate=yes.

setup_file() {
    load ../lib/common
    base_image
}

setup() {
    load ../lib/common
    load guest
}

teardown() {
    whelk rm -af >/dev/null
    no_containers_left
    wait_for 10 no_groups_left
}

no_groups_left() {
    local left
    left=$(container_groups)
    [ -z "$left" ] || ! echo "$left"
}

delegated() {
    systemd-run $TEST_USER --quiet --wait --pipe --collect -p Delegate=yes -E WHELK -E HOME -E TMPDIR -- "$@"
}

SHOW='cd /sys/fs/cgroup; cat /proc/self/cgroup; cat memory.max memory.swap.max pids.max cpu.max cpu.weight'
LIMITS="--memory 64m --memory-swap 96m --pids-limit 50 --cpus 1.5 --cpu-shares 1024"
assert_limits() {
    assert_success
    assert_output $'0::/\n67108864\n33554432\n50\n150000 100000\n39'
}

@test "limits in a session: in a scope" {
    run_whelk run --rm $LIMITS base sh -c "$SHOW"
    assert_limits
    whelk run -d --name one $LIMITS base sleep 1000 >/dev/null
    grep -q '/whelk-[0-9a-f]*-[0-9]*\.scope/ctr$' "/proc/$(container_pid one)/cgroup"
    grep -q '/whelk-[0-9a-f]*-[0-9]*\.scope/supervisor$' "/proc/$(supervisor_pid one)/cgroup"
    run_whelk exec one sh -c "$SHOW"
    assert_limits
    assert_stderr ""
}

@test "limits in a unit with Delegate=yes: in its group" {
    run --separate-stderr delegated "$WHELK" run --rm $LIMITS base sh -c "$SHOW"
    assert_limits
    run --separate-stderr delegated sh -c "$WHELK run -d --name two $LIMITS base sleep 1000; cat /proc/\$(\$WHELK inspect two | jq .[0].State.Pid)/cgroup; $WHELK rm -f two"
    assert_success
    assert_line --regexp '^0::/.*\.service/whelk-[0-9a-f]{12}$'
}

@test "out of memory: 137 and OOMKilled" {
    run_whelk run --name three --memory 16m --memory-swap 16m base sh -c 'head -c 100m /dev/zero | tail'
    whelk inspect three | jq -e '.[0].State.OOMKilled'
    run_whelk run --name four --memory 16m --memory-swap 16m base tail /dev/zero
    assert_status 137
    whelk inspect four | jq -e '.[0].State.OOMKilled'
}

@test "a limit that this user cannot have is refused" {
    skip_unless_lane subuid
    run_whelk run --rm --cpuset-cpus 0 base true
    assert_status 125
    assert_one_error
    assert_stderr --partial "--cpuset-cpus needs the cpuset controller: systemd does not delegate it to users"
}

ticks() { # the container counts into its log
    whelk logs "$1" | wc -l
}
assert_pauses() {
    local before
    wait_for 10 eval '[ "$(ticks '"$1"')" -gt 2 ]'
    whelk pause "$1"
    assert_equal "$(inspect_field "$1" .State.Status)" paused
    before=$(ticks "$1")
    sleep 1
    assert_equal "$(ticks "$1")" "$before"
    whelk unpause "$1"
    assert_equal "$(inspect_field "$1" .State.Status)" running
    wait_for 10 eval '[ "$(ticks '"$1"')" -gt '"$before"' ]'
}

@test "pause and unpause, with a group from the start" {
    whelk run -d --name five --pids-limit 40 base sh -c 'while :; do echo tick; sleep 0.1; done' >/dev/null
    assert_pauses five
}

@test "pause and unpause, with a group that is made late" {
    whelk run -d --name six base sh -c 'while :; do echo tick; sleep 0.1; done' >/dev/null
    assert_pauses six
    whelk stop -t 1 six
}

@test "stats" {
    whelk run -d --name seven --memory 64m --pids-limit 40 base sh -c 'while :; do :; done' >/dev/null
    run_whelk stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}} {{.CPUPerc}}' seven
    assert_success
    assert_output --regexp '^seven [1-9][0-9]* [0-9.]+[kKMi]*B / (67.1[0-9]*MB|64MiB) [0-9.]+%$'
    refute_output " 0.00%"
}

@test "update" {
    whelk run -d --name eight --memory 64m --cpus 1 base sleep 1000 >/dev/null
    run_whelk update --memory 32m --memory-swap 48m --cpus 0.5 --pids-limit 30 eight
    assert_success
    run_whelk exec eight sh -c 'cd /sys/fs/cgroup; cat memory.max memory.swap.max cpu.max pids.max'
    assert_output $'33554432\n16777216\n50000 100000\n30'
}

@test "--cgroup-conf" {
    run_whelk run --rm --cgroup-conf memory.high=33554432 --cgroup-conf pids.max=77 base sh -c 'cd /sys/fs/cgroup; cat memory.high pids.max'
    assert_success
    assert_output $'33554432\n77'
    run_whelk run --rm --cgroup-conf memory.nosuch=1 base true
    assert_status 125
    assert_stderr "Error: --cgroup-conf: the memory controller has no memory.nosuch here"
}
