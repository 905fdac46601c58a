# Under a service manager: notifications, sockets that are passed in, and the signals that it sends. A stand-in for its
# socket (notify-listen.py) tells what arrived and from whom. With the real systemd: test/vm/unit.bats.

setup_file() {
    load ../lib/common
    base_image
}

setup() {
    load ../lib/common
    load ../lib/container
    dir=$(mktemp -d "$TMPDIR/notify.XXXX")
    said=$dir/said
    export NOTIFY_SOCKET=$dir/s
    python3 "$WHELK_TREE/test/lib/notify-listen.py" "$NOTIFY_SOCKET" "$said" 3>&- &
    listener=$!
    wait_for 10 test -S "$NOTIFY_SOCKET"
}

teardown() {
    kill "$listener"
    rm -rf "$dir"
    whelk rm -af >/dev/null
    no_containers_left
}

# has_said PID LINE
has_said() {
    file_has "$said" "$1 $2"
}
# start_whelk WORDS...: in the background; $starter is the process that systemd would know
start_whelk() {
    rm -f "$dir/out"
    "$WHELK" "$@" >"$dir/out" 2>"$dir/err" </dev/null 3>&- &
    starter=$!
}
ended_with() { # STATUS
    local status=0
    wait "$starter" || status=$?
    assert_equal "$status" "$1"
}

@test "READY when the command has been executed, by the main process; STOPPING, and the status" {
    start_whelk run --name one base sh -c 'trap "exit 7" TERM; while :; do sleep 0.1; done'
    wait_for 10 has_said "$starter" READY=1
    has_said "$starter" "STATUS=container one is running"
    wait_for 10 state_is one running
    kill -TERM "$starter"
    ended_with 7
    has_said "$starter" STOPPING=1
    has_said "$starter" "STATUS=container one is being stopped"
    not grep -v "^$starter " "$said"
}

@test "no READY when the command cannot be executed" {
    run -127 --separate-stderr "$WHELK" run base nothing-of-that-name
    sleep 0.2
    not grep -s READY "$said"
}

@test "a container cannot speak, unless it is to say when it is ready" {
    run_whelk run --rm base sh -c 'echo "${NOTIFY_SOCKET-none}"; test -e /dev/notify'
    assert_status 1
    assert_output none
    run_whelk run --rm --env-host base sh -c 'echo "${NOTIFY_SOCKET-none}"'
    assert_output none
}

@test "container: what may be said is passed on by the main process, with no main process but that one" {
    start_whelk run --name two --user 0 --sdnotify container base sh -c \
        'sdpeer notify "STATUS=half way" MAINPID=1 FDSTORE=1 NOTIFYACCESS=all EXTEND_TIMEOUT_USEC=5000000 WATCHDOG_USEC=x; while ! test -e /go; do sleep 0.1; done
         sdpeer notify READY=1 "STATUS=$(printf "with \033[31mcolour")"; sleep 0.1; sdpeer notify STOPPING=1 ERRNO=3; sleep 0.3; exit 4'
    wait_for 10 has_said "$starter" "STATUS=half way"
    has_said "$starter" EXTEND_TIMEOUT_USEC=5000000
    not grep READY "$said"
    whelk exec two touch /go
    ended_with 4
    has_said "$starter" READY=1
    has_said "$starter" 'STATUS=with \x1b[31mcolour'
    has_said "$starter" STOPPING=1
    has_said "$starter" ERRNO=3
    not grep -E 'MAINPID|FDSTORE|NOTIFYACCESS|WATCHDOG' "$said"
    not grep -v "^$starter " "$said"
}

@test "container: also with --init, for another user, with a read-only root, and again after a restart" {
    needs_ids
    start_whelk run --name three --init --read-only --user 1000 --sdnotify=container --restart on-failure:1 base \
        sh -c 'sdpeer notify "STATUS=as $(id -u)" READY=1; sleep 0.3; exit 5'
    ended_with 5
    assert_equal "$(grep -cxF "$starter STATUS=as 1000" "$said")" 2
}

@test "container: a message that is too long, and other bytes, do no harm" {
    start_whelk run --name four --sdnotify=container base sh -c \
        'sdpeer notify "STATUS=$(printf %06000d 0)" READY=1; sdpeer notify "STATUS=$(printf %0400d 0)"; sdpeer notify = "=1" READY READY=2 "READY=1 "; sdpeer notify READY=1; sleep 0.3'
    ended_with 0
    assert_equal "$(cat "$said")" "$starter STATUS=$(printf %0256d 0)
$starter READY=1"
}

@test "WATCHDOG_USEC: the command gets it, or the health check gives the signs of life" {
    export WATCHDOG_USEC=5000000 WATCHDOG_PID=1
    run_whelk run --rm --sdnotify=container base sh -c 'echo "$WATCHDOG_USEC ${WATCHDOG_PID-none}"; sdpeer notify WATCHDOG=1; sleep 0.3'
    assert_output "5000000 none"
    grep -q ' WATCHDOG=1$' "$said"
    : >"$said"
    start_whelk run --name five --health-cmd 'test ! -e /ill' --health-interval 100ms base sleep 1000
    wait_for 10 has_said "$starter" WATCHDOG=1
    whelk rm -f five
    ended_with 137
    run_whelk run --rm base true
    assert_success
    assert_stderr --partial "WatchdogSec= waits in vain"
}

@test "healthy: READY at the first success" {
    start_whelk run --name six --sdnotify healthy --health-cmd 'test -e /ok' --health-interval 100ms base sleep 1000
    wait_for 10 has_said "$starter" "STATUS=container six is running, and not yet healthy"
    sleep 0.3
    not grep READY "$said"
    whelk exec six touch /ok
    wait_for 10 has_said "$starter" READY=1
    wait_for 10 has_said "$starter" "STATUS=container six is healthy"
    whelk exec six rm /ok
    wait_for 10 has_said "$starter" "STATUS=container six is unhealthy"
    assert_equal "$(grep -c READY=1 "$said")" 1
    whelk stop -t 0 six
    ended_with 137
    has_said "$starter" STOPPING=1
}

@test "ignore: nothing is told" {
    run_whelk run --rm --sdnotify=ignore base true
    assert_success
    run_whelk run -d --name seven --sdnotify=ignore base sleep 1000
    whelk stop -t 0 seven
    sleep 0.2
    not test -s "$said"
}

@test "run -d: the supervisor becomes the main process and speaks for itself" {
    run_whelk run -d --name eight --sdnotify=container base sh -c 'sdpeer notify READY=1; while ! test -e /go; do sleep 0.1; done'
    assert_success
    local supervisor
    supervisor=$(supervisor_pid eight)
    grep -q " MAINPID=$supervisor$" "$said"
    wait_for 10 has_said "$supervisor" READY=1
    whelk stop -t 0 eight
    wait_for 10 has_said "$supervisor" STOPPING=1
    not grep refused "$said"
    : >"$said"
    # and it takes the signal of a stop
    whelk run -d --name nine base sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done'
    wait_for 10 grep -qE "^[0-9]+ STATUS=container nine is running" "$said"
    grep -qE '^[0-9]+ READY=1$' "$said"
    kill -TERM "$(supervisor_pid nine)"
    assert_equal "$(whelk wait nine)" 3
}

@test "create and start" {
    whelk create --name ten --sdnotify=container base sh -c 'sdpeer notify READY=1; sleep 0.2; exit 6'
    start_whelk start -a ten
    ended_with 6
    has_said "$starter" READY=1
}

@test "a stop by the service manager is one: the stop signal, its time, no restart" {
    unset NOTIFY_SOCKET
    # SYSTEMD_EXEC_PID is what systemd gives to units of every type.
    sh -c 'SYSTEMD_EXEC_PID=$$ exec "$@"' sh "$WHELK" run --name eleven --restart always --stop-signal USR1 --stop-timeout 1 base \
        sh -c 'trap "echo usr1" USR1; trap "echo term" TERM; echo up; while :; do sleep 0.1; done' >"$dir/out" 3>&- &
    starter=$!
    wait_for 10 file_has "$dir/out" up
    kill -TERM "$starter"
    ended_with 137
    file_has "$dir/out" usr1
    not file_has "$dir/out" term
    state_is eleven exited
    # elsewhere TERM is passed on as it is
    start_whelk run --name twelve --stop-signal USR1 base sh -c 'trap "exit 8" TERM; echo up; while :; do sleep 0.1; done'
    wait_for 10 file_has "$dir/out" up
    kill -TERM "$starter"
    ended_with 8
}

@test "a service manager that does not listen is no error" {
    NOTIFY_SOCKET=$dir/absent run_whelk run --rm base echo fine
    assert_success
    assert_output fine
    NOTIFY_SOCKET=relative run_whelk run --rm --sdnotify=container base sh -c 'echo "${NOTIFY_SOCKET-none}"'
    assert_output none
}

@test "errors" {
    refused 125 "--sdnotify maybe is not known; known: conmon, container, healthy, ignore" run --sdnotify=maybe base true
    refused 125 "--sdnotify healthy needs a health check: give --health-cmd" create --sdnotify=healthy base true
}
