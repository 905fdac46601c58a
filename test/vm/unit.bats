# Units of systemd that wrap containers: of the system (root) and of a user who lingers.

setup_file() {
    load ../lib/common
    base_image
}

setup() {
    load ../lib/common
    load ../lib/container
    load guest
    mkdir -p "$UNITS"
    made=$BATS_TEST_TMPDIR/made
    : >"$made"
}

teardown() {
    local unit
    for unit in $(cat "$made"); do
        [ -n "$BATS_TEST_COMPLETED" ] || journal_of "$unit" | tail -n 5 | sed "s/^/$unit: /"
        sd stop "$unit" 2>/dev/null || true
        sd reset-failed "$unit" 2>/dev/null || true
        rm -f "$UNITS/$unit"
    done
    sd daemon-reload
    whelk rm -af >/dev/null
    no_containers_left
}

# make_unit NAME <<END: with the path of whelk for %W
make_unit() {
    sed "s|%W|$WHELK|" >"$UNITS/$1"
    echo "$1" >>"$made" # this may be a subshell
    sd daemon-reload
}
# make_service NAME TYPE "OPTIONS AND COMMAND OF RUN" [LINE...]
make_service() {
    local name=$1 type=$2 words=$3
    shift 3
    printf '%s\n' "[Service]" "Type=$type" "ExecStart=%W run --name $name $words" "$@" | make_unit "$name.service"
}
journal_of() { # UNIT
    local field=_SYSTEMD_UNIT
    [ "$WHELK_LANE" = root ] || field=_SYSTEMD_USER_UNIT
    journalctl -q -o cat "$field=$1"
}

@test "Type=exec: main process, output, stop, status" {
    make_service one exec "base sh -c 'trap \"exit 7\" TERM; echo from one; while :; do sleep 0.1; done'" KillMode=mixed
    sd start one
    assert_equal "$(property one ActiveState)" active
    assert_equal "$(cat "/proc/$(property one MainPID)/comm")" whelk
    wait_for 20 printed one "from one"
    wait_for 20 eval 'journal_of one.service | grep -qx "from one"'
    sd stop one
    assert_equal "$(property one ExecMainStatus)" 7
    assert_equal "$(property one Result)" exit-code
    state_is one exited
    assert_equal "$(whelk wait one)" 7
}

@test "Type=exec: a command that is not there is the unit's failure, with its status" {
    make_service two exec "--rm base nothing-of-that-name"
    sd start two || true
    wait_for 20 is two ActiveState failed
    assert_equal "$(property two ExecMainStatus)" 127
}

@test "Type=notify: started when the command has been executed; SuccessExitStatus" {
    make_service three notify "--rm base sleep 1000" KillMode=mixed SuccessExitStatus=137 TimeoutStopSec=60
    sd start three
    assert_equal "$(property three ActiveState)" active
    assert_equal "$(property three StatusText)" "container three is running"
    state_is three running
    whelk exec three true
    "$WHELK" stop -t 0 three
    wait_for 20 is three ActiveState inactive
    # without the line the same end is a failure
    make_service three notify "--rm base sleep 1000"
    sd start three
    "$WHELK" stop -t 0 three
    wait_for 20 is three ActiveState failed
}

@test "Type=notify: what cannot start never becomes active" {
    make_service four notify "--rm base nothing-of-that-name"
    not sd start four
    assert_equal "$(property four ActiveState) $(property four ExecMainStatus)" "failed 127"
}

@test "--sdnotify=container: the command says when, and how it is" {
    make_service five notify "--rm --sdnotify=container base sh -c 'until test -e /go; do sleep 0.1; done; sdpeer notify READY=1 \"STATUS=all is well\"; sleep 1000'" KillMode=mixed SuccessExitStatus=137 TimeoutStopSec=60
    sd start --no-block five
    wait_for 30 state_is five running
    assert_equal "$(property five ActiveState)" activating
    whelk exec five touch /go
    wait_for 20 is five ActiveState active
    assert_equal "$(property five StatusText)" "all is well"
    whelk rm -f five
    wait_for 20 is five ActiveState inactive
}

@test "--sdnotify=healthy" {
    make_service six notify "--rm --sdnotify=healthy --health-cmd 'test -e /ok' --health-interval 200ms base sleep 1000" SuccessExitStatus=137
    sd start --no-block six
    wait_for 30 state_is six running
    assert_equal "$(property six ActiveState)" activating
    whelk exec six touch /ok
    wait_for 20 is six ActiveState active
    whelk rm -f six
    wait_for 20 is six ActiveState inactive
}

@test "Restart=on-failure" {
    make_service seven exec "--rm --replace base sh -c 'exit 3'" Restart=on-failure RestartSec=0
    sd start seven || true
    wait_for 60 eval '[ "$(property seven NRestarts)" -ge 1 ]'
    sd stop seven
    make_service eight exec "--rm --replace base sh -c 'exit 3'" Restart=on-failure RestartSec=0 SuccessExitStatus=3
    sd start eight || true
    wait_for 30 is eight ActiveState inactive
    assert_equal "$(property eight NRestarts)" 0
    # the main process is killed: the container goes with it, and both come again
    make_service nine notify "--rm --replace --stop-timeout 1 base sleep 1000" Restart=on-failure RestartSec=0 KillMode=mixed
    sd start nine
    local before
    before=$(container_pid nine)
    kill -KILL "$(property nine MainPID)"
    wait_for 30 is_gone "$before"
    wait_for 30 is nine NRestarts 1
    wait_for 30 is nine ActiveState active
    state_is nine running
}

@test "Delegate=yes: the container below the unit, with its limits, and nothing left" {
    make_service ten notify "--rm --memory 64m --pids-limit 50 base sleep 1000" Delegate=yes KillMode=mixed MemoryMax=512M
    sd start ten
    local group
    group=$(property ten ControlGroup)
    grep -qE "^0::$group/whelk-[0-9a-f]{12}\$" "/proc/$(container_pid ten)/cgroup"
    assert_equal "$(cat "/proc/$(property ten MainPID)/cgroup")" "0::$group/supervisor"
    run_whelk exec ten cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max
    assert_output $'67108864\n50'
    whelk rm -f ten
    wait_for 20 test ! -e "/sys/fs/cgroup$group"
}

@test "Delegate=yes: without a limit, and with one of threads only" {
    make_service sixteen notify "--rm --stop-timeout 0 base sleep 1000" Delegate=yes SuccessExitStatus=137
    sd start sixteen
    sd stop sixteen
    make_service sixteen notify "--rm --stop-timeout 0 --cpus 0.5 base sleep 1000" Delegate=yes SuccessExitStatus=137
    sd start sixteen
    run_whelk exec sixteen cat /sys/fs/cgroup/cpu.max
    assert_output "50000 100000"
    sd stop sixteen
}

@test "--cgroups=split: below the unit or not at all" {
    make_service fifteen notify "--rm --stop-timeout 1 --cgroups=split base sleep 1000" Delegate=yes KillMode=mixed
    sd start fifteen
    local group
    group=$(property fifteen ControlGroup)
    grep -qE "^0::$group/whelk-[0-9a-f]{12}\$" "/proc/$(container_pid fifteen)/cgroup"
    assert_equal "$(cat "/proc/$(property fifteen MainPID)/cgroup" "/proc/$(supervisor_pid fifteen)/cgroup")" "0::$group/supervisor
0::$group/supervisor"
    sd stop fifteen
    make_service fifteen notify "--rm --cgroups=split base true" StandardError=journal
    not sd start fifteen
    wait_for 20 eval 'journal_of fifteen.service | grep -q "^Error: --cgroups split: the caller.s control group is not delegated; put Delegate=yes into the unit"'
}

@test "a socket unit: the first connection starts the container, which has no network" {
    printf '%s\n' "[Socket]" "ListenStream=127.0.0.1:${PORTS}082" FileDescriptorName=front | make_unit twelve.socket
    make_service twelve exec "--rm --replace --network none base sdpeer accept 3"
    sd start twelve.socket
    for i in 1 2; do
        local answer
        exec 7<>"/dev/tcp/127.0.0.1/${PORTS}082"
        read -r -t 60 answer <&7
        exec 7<&-
        assert_equal "$answer" "pid 1 LISTEN_PID 1 LISTEN_FDS 1 LISTEN_FDNAMES front"
        wait_for 20 is twelve ActiveState inactive
    done
    sd stop twelve.socket
}

@test "the examples" {
    local name
    mkdir -p "$HOME/site"
    echo "hello from a file" >"$HOME/site/index.html"
    for name in site.service page.socket page@.service; do
        sed "s|ExecStart=whelk|ExecStart=%W|; s|80\(8[01]\)|${PORTS}0\1|" "$WHELK_TREE/examples/systemd/$name" | make_unit "$name"
    done
    sd start site page.socket
    assert_equal "$(property site ActiveState)" active
    for port in "${PORTS}080" "${PORTS}081"; do
        wait_for 30 eval "busybox wget -q -O - http://127.0.0.1:$port/ | grep -qx 'hello from a file'"
    done
    sd stop site page.socket
    assert_equal "$(property site Result) $(property site ActiveState)" "success inactive"
}

@test "a unit of the system for another user" {
    skip_unless_lane root
    # There is no runtime directory and no bus. A store of its own: the other lane uses that user's.
    local data=/var/tmp/other-store
    install -d -o tester -g tester "$data"
    other() {
        runuser -u tester -- env HOME=/home/tester XDG_DATA_HOME="$data" "$WHELK" "$@"
    }
    other import "$WHELK_TOOLS/base.tar" base >/dev/null
    make_service thirteen notify "--rm --stop-timeout 1 --memory 64m base sh -c 'cat /sys/fs/cgroup/memory.max; sleep 1000'" User=tester \
        Environment=XDG_DATA_HOME="$data" Delegate=yes KillMode=mixed
    sd start thirteen
    assert_equal "$(property thirteen ActiveState)" active
    wait_for 20 eval 'journal_of thirteen.service | grep -qx 67108864'
    sd stop thirteen
    assert_equal "$(other ps -aq)" ""
}

@test "run -d out of a session outlives it, as the user lingers" {
    skip_unless_lane subuid
    sudo -n runuser -l tester -c "$WHELK run -d --name fourteen base sleep 1000" >/dev/null
    state_is fourteen running
    run_whelk exec fourteen echo alive
    assert_success
    assert_output alive
    whelk rm -f fourteen
}
