# Helpers of the tests in the guest:  load guest  (after ../lib/common)

# Both lanes run at the same time: each has its own part of the hierarchy of control groups, and its own ports.
if [ "$WHELK_LANE" = root ]; then
    TEST_USER=--system UNITS=/run/systemd/system PORTS=20
else
    TEST_USER=--user UNITS=$HOME/.config/systemd/user PORTS=30
fi

container_groups() {
    local in="/sys/fs/cgroup -path /sys/fs/cgroup/user.slice -prune -o"
    [ "$WHELK_LANE" = root ] || in=/sys/fs/cgroup/user.slice
    find $in -name 'whelk-*' -type d -print 2>/dev/null
}

sd() {
    systemctl $TEST_USER "$@"
}
property() { # UNIT PROPERTY
    sd show --value -p "$2" "$1"
}
is() { # UNIT PROPERTY VALUE
    [ "$(property "$1" "$2")" = "$3" ]
}
