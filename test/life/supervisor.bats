# time-limit: 400
# A container lives exactly as long as its supervisor, and nobody who waits misses its end.

load ../lib/common

setup_file() {
    base_image
}

teardown() {
    whelk rm -af >/dev/null 2>&1 || :
}

# All processes that sleep for exactly so many seconds: the tests use odd numbers as marks.
sleepers() {
    local p
    for p in /proc/[0-9]*; do
        [ "$({ tr '\0' ' ' <"$p/cmdline"; } 2>/dev/null)" = "sleep $1 " ] && echo "${p#/proc/}"
    done
    return 0
}
no_sleepers() {
    [ -z "$(sleepers "$1")" ]
}
some_sleepers() {
    [ -n "$(sleepers "$1")" ]
}

wait_into() { # FILE CONTAINER
    timeout 20 "$WHELK" wait "$2" >"$1"
}

@test "kill -9 of the supervisor kills its container" {
    local id pid
    id=$(whelk run -d base sleep 7001.1)
    pid=$(supervisor_pid "$id")
    [ "$pid" -gt 1 ]
    some_sleepers 7001.1
    kill -KILL "$pid"
    wait_for 5 no_sleepers 7001.1
    wait_for 5 no_orphans
    assert_equal "$(inspect_field "$id" .State.Status)" exited
    assert_equal "$(inspect_field "$id" .State.ExitCode)" 137
    assert_equal "$(whelk ps -q)" ""
    # It can be started again.
    whelk start "$id"
    some_sleepers 7001.1
}

@test "kill -9 of the supervisor kills a container whose first process has changed its user" {
    skip_unless_lane subuid root # with one id there is no other user
    local id pid
    id=$(whelk run -d base chuser 33 sleep 7002.1)
    wait_for 5 some_sleepers 7002.1
    pid=$(supervisor_pid "$id")
    [ "$pid" -gt 1 ]
    kill -KILL "$pid"
    wait_for 5 no_sleepers 7002.1
    wait_for 5 no_orphans
}

@test "kill -9 of the supervisor kills all of a container with --init" {
    local id pid
    id=$(whelk run -d --init base sh -c 'setsid sleep 7003.1 & setsid sleep 7003.1 & sleep 7003.1')
    wait_for 5 some_sleepers 7003.1
    pid=$(supervisor_pid "$id")
    [ "$pid" -gt 1 ]
    kill -KILL "$pid"
    wait_for 5 no_sleepers 7003.1
    wait_for 5 no_orphans
}

@test "kill -9 of an attached run kills its container" {
    local pid
    "$WHELK" run --rm base sleep 7004.1 3>&- </dev/null &
    pid=$!
    wait_for 10 some_sleepers 7004.1
    kill -KILL "$pid"
    wait_for 5 no_sleepers 7004.1
    wait_for 5 no_orphans
    assert_equal "$(whelk ps -aq)" ""
}

@test "who waits for a container whose supervisor is killed gets 137" {
    local id pid
    id=$(whelk run -d base sleep 7005.1)
    in_background wait_into "$BATS_TEST_TMPDIR/code" "$id"
    sleep 0.2
    pid=$(supervisor_pid "$id")
    [ "$pid" -gt 1 ]
    kill -KILL "$pid"
    wait_all
    assert_equal "$(cat "$BATS_TEST_TMPDIR/code")" 137
}

@test "wait never misses an exit" {
    local i j n id code
    n=$(rounds 200)
    for ((i = 0; i < n; i++)); do
        code=$((i % 120))
        id=$(whelk run -d base sh -c "exit $code")
        for j in 1 2 3; do
            in_background wait_into "$BATS_TEST_TMPDIR/$j" "$id"
        done
        wait_all
        for j in 1 2 3; do
            assert_equal "round $i: $(cat "$BATS_TEST_TMPDIR/$j")" "round $i: $code"
        done
        # The next life of the same container, and a waiter that comes before it.
        whelk start "$id" >/dev/null
        assert_equal "round $i: $(timeout 20 "$WHELK" wait "$id")" "round $i: $code"
        whelk rm "$id" >/dev/null
    done
}

@test "wait gets the status also of a container that removes itself" {
    local i n id
    n=$(rounds 50)
    for ((i = 0; i < n; i++)); do
        mkfifo "$BATS_TEST_TMPDIR/go$i"
        id=$(whelk run -d --rm -v "$BATS_TEST_TMPDIR/go$i:/go" base sh -c 'read x </go; exit 7')
        in_background wait_into "$BATS_TEST_TMPDIR/code" "$id"
        sleep 0.3 # it waits by now, also on a busy machine
        echo x >"$BATS_TEST_TMPDIR/go$i"
        wait_all
        assert_equal "round $i: $(cat "$BATS_TEST_TMPDIR/code")" "round $i: 7"
    done
}

@test "stop and start in turn, with waiters that stay" {
    local i n id
    n=$(rounds 30)
    id=$(whelk create base sleep 7006.1)
    for ((i = 0; i < n; i++)); do
        whelk start "$id" >/dev/null
        in_background wait_into "$BATS_TEST_TMPDIR/code" "$id"
        whelk kill "$id" >/dev/null
        wait_all
        assert_equal "round $i: $(cat "$BATS_TEST_TMPDIR/code")" "round $i: 137"
    done
}
