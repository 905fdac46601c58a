# Control groups version 2 in every place where whelk can be started: the unit test of the real thing makes groups, limits, freezes, kills and
# removes them, and must not skip where the controllers are to be had.

TEST_CGROUP=/whelk/bin/test-cgroup

setup() {
    load ../lib/common
    load guest
}

# in_unit PROPERTY... -- COMMAND...: as a service of the system's (root) or the user's manager
in_unit() {
    local properties=()
    while [ "$1" != -- ]; do
        properties+=(-p "$1")
        shift
    done
    shift
    systemd-run $TEST_USER --quiet --wait --pipe --collect "${properties[@]}" -- "$@"
}

assert_all_passed() {
    [ "$status" = 0 ] && [[ $output$stderr != *SKIPPED* ]] || _fail "the unit test failed or skipped"
}

no_groups_left() {
    [ -z "$(container_groups)" ]
}
teardown() {
    # systemd removes a scope when it sees that it is empty.
    wait_for 10 no_groups_left || {
        container_groups >&2
        return 1
    }
}

@test "where the caller's group is not its own: a scope by systemd" {
    run --separate-stderr "$TEST_CGROUP"
    assert_all_passed
    # Debian gives users cpu, memory and pids; root has all there are.
    if [ "$WHELK_LANE" = root ]; then
        [[ $output$stderr != *"# refused"* ]] || _fail "a controller was refused"
    else
        [[ $output == *"# refused: --cpuset-cpus needs the cpuset controller: systemd does not delegate it to users; as root, "*Delegate=* ]] ||
            _fail "no word of the cpuset controller"
        [[ $output != *"# refused: --memory"* ]] || _fail "the memory controller was refused"
    fi
}

@test "in a unit with Delegate=yes: below its group" {
    run --separate-stderr in_unit Delegate=yes -- "$TEST_CGROUP"
    assert_all_passed
}

@test "in a unit with Delegate=yes, started by a script" {
    run --separate-stderr in_unit Delegate=yes -- sh -c "$TEST_CGROUP && $TEST_CGROUP && cat /proc/self/cgroup"
    assert_all_passed
    [[ $output == *.service/supervisor ]] || _fail "the script was not moved to the unit's leaf"
}

@test "in a unit without delegation: a scope" {
    run --separate-stderr in_unit -- sh -c "$TEST_CGROUP && cat /proc/self/cgroup"
    assert_all_passed
    [[ $output == *.service ]] || _fail "the unit's own processes were moved"
}

@test "in a scope with Delegate=yes" {
    run --separate-stderr systemd-run $TEST_USER --quiet --scope -p Delegate=yes -- "$TEST_CGROUP"
    assert_all_passed
}

@test "as a user without a manager: refused, and told what to do" {
    skip_unless_lane subuid
    run --separate-stderr env -u DBUS_SESSION_BUS_ADDRESS -u XDG_RUNTIME_DIR "$TEST_CGROUP"
    [ "$status" = 0 ] || _fail "the unit test failed"
    [[ $output$stderr == *"needs the memory controller, and the D-Bus of systemd's user manager is not to be had"*enable-linger* ]] ||
        _fail "no advice"
}

@test "as a user of a system unit with Delegate=yes" {
    skip_unless_lane root
    run --separate-stderr in_unit Delegate=yes User=tester -- "$TEST_CGROUP"
    assert_all_passed
}

@test "without systemd: below the caller's own group, as root" {
    skip_unless_lane root
    # What tells of systemd is hidden; the top of the hierarchy is the caller's.
    run --separate-stderr unshare --mount sh -c "echo 0 >/sys/fs/cgroup/cgroup.procs; mount -t tmpfs none /run/systemd && $TEST_CGROUP"
    assert_all_passed
}
