# time-limit: 600
# kill -9 of whelk at random moments: the next command works, nothing is stale, and nothing is left in the end.

load ../lib/common

setup_file() {
    base_image
    seed=${WHELK_TEST_SEED:-$$}
    export seed
}

setup() {
    RANDOM=$seed
    echo "WHELK_TEST_SEED=$seed" # shown if the test fails
    base_image
    whelk rm -af >/dev/null
}

# How long the command takes when nobody disturbs it, in ms.
duration_of() {
    local begin=${EPOCHREALTIME/./}
    "$@" >/dev/null 2>&1 </dev/null
    echo $(((${EPOCHREALTIME/./} - begin) / 1000 + 1))
}

# kill_at_random MAX-MS COMMAND...: kills the invocation alone, or in every other round its whole process group, after a
# random time up to MAX-MS.
kill_at_random() {
    local pid ms=$((RANDOM % $1))
    shift
    setsid "$@" >/dev/null 2>&1 </dev/null 3>&- &
    pid=$!
    sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
    if ((RANDOM % 2)); then
        kill -KILL "$pid" 2>/dev/null || :
    else
        kill -KILL -- "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null || :
    fi
    { wait "$pid" || :; } 2>/dev/null # bash tells of each that was killed
}

# What ps says is so: what it lists can be inspected, and what it calls running has a supervisor. Containers come and go
# meanwhile: only what ps still says afterwards counts.
ps_is_right() {
    local ids known id pid
    ids=$(whelk ps -aq --no-trunc)
    [ -n "$ids" ] || return 0
    # shellcheck disable=SC2086 # a list
    known=$(whelk inspect $ids 2>/dev/null | jq -r '.[] | "\(.Id) \(if .State.Running then .State.SupervisorPid else 1 end)"')
    for id in $ids; do
        pid=$(sed -n "s/^$id //p" <<<"$known")
        [ -n "$pid" ] && [ -e "/proc/$pid" ] && continue
        whelk ps -aq --no-trunc | grep -q "$id" || continue
        pid=$(whelk inspect "$id" | jq -r '.[0].State | select(.Running) | .SupervisorPid')
        [ -z "$pid" ] || [ -e "/proc/$pid" ] || ! whelk ps -q --no-trunc | grep -q "$id" || {
            echo "ps says that $id runs; there is no process $pid" >&2
            return 1
        }
    done
}

next_command_works() {
    [ "$(whelk run --rm base echo works 2>&1)" = works ] || {
        whelk run --rm base echo works >&2 || :
        return 1
    }
}

# crash ROUNDS COMMAND...
crash() {
    local n max i
    n=$(rounds "$1")
    shift
    max=$(duration_of "$@")
    max=$((max + max / 4 + 2))
    for ((i = 0; i < n; i++)); do
        kill_at_random "$max" "$@"
        ps_is_right || {
            echo "in round $i, up to $max ms" >&2
            return 1
        }
        ((i % 10)) || next_command_works || {
            echo "in round $i, up to $max ms" >&2
            return 1
        }
    done
    next_command_works
}

nothing_is_left() {
    remove_all
    no_leftovers
}

@test "kill -9 of run" {
    crash 80 "$WHELK" run base sh -c 'echo hello; sleep 0.01'
    whelk rm -af
    no_containers_left
}

@test "kill -9 of run --rm" {
    crash 80 "$WHELK" run --rm base sh -c 'echo hello; sleep 0.01'
    # Nothing is running, so nothing is listed, not even what was killed between its making and its start. The next command
    # that changes the store takes the records of the dead away.
    wait_for 10 no_orphans
    run_whelk ps -aq
    assert_output ""
    whelk rm -af # changes the store, though there is nothing to remove
    no_containers_left
}

@test "kill -9 of run -d" {
    crash 60 "$WHELK" run -d base sleep 300
    whelk rm -af
    no_containers_left
}

@test "kill -9 of build" {
    mkdir -p "$BATS_TEST_TMPDIR/context"
    cat >"$BATS_TEST_TMPDIR/context/Dockerfile" <<'DOCKERFILE'
FROM base
COPY . /context/
RUN mkdir -p /a/b && for i in 1 2 3 4 5 6 7 8; do echo $i >/a/b/$i; done
RUN rm -r /a/b && ln -s a /c
ENV x=y
DOCKERFILE
    for i in {1..50}; do head -c 2000 /dev/urandom >"$BATS_TEST_TMPDIR/context/$i"; done
    crash 80 "$WHELK" build --no-cache -t crash "$BATS_TEST_TMPDIR/context"
    whelk build --no-cache -t crash "$BATS_TEST_TMPDIR/context"
    run_whelk run --rm crash sh -c 'ls /context | wc -l; readlink /c'
    assert_output $'51\na'
    nothing_is_left
}

@test "kill -9 of import" {
    crash 60 "$WHELK" import "$WHELK_TOOLS/base.tar" crash
    whelk import "$WHELK_TOOLS/base.tar" crash
    run_whelk run --rm crash busybox echo whole
    assert_output whole
    nothing_is_left
}

remove_one() {
    local id
    id=$("$WHELK" create base sh -c 'true')
    exec "$WHELK" rm -f "$id"
}
remove_running() {
    local id
    id=$("$WHELK" run -d base sleep 300)
    exec "$WHELK" rm -f "$id"
}

@test "kill -9 of rm" {
    export -f remove_one remove_running
    crash 40 bash -c remove_one
    crash 30 bash -c remove_running
    whelk rm -af
    no_containers_left
}

@test "kill -9 of rm between the container's end and its name's" {
    local id
    id=$(whelk create --name late base true)
    mv "$STORE/containers/$id" "$STORE/tmp/trash-$id"
    whelk rm -af # changes the store, though there is nothing to remove
    no_containers_left
    whelk create --name late base true
}

@test "kill -9 of rmi" {
    for i in {1..20}; do
        whelk import "$WHELK_TOOLS/base.tar" crash >/dev/null
        kill_at_random 20 "$WHELK" rmi -f crash
        whelk images >/dev/null
        base_image
        next_command_works
    done
    nothing_is_left
}

@test "kill -9 of many at once" {
    local n i j
    n=$(rounds 10)
    for ((i = 0; i < n; i++)); do
        for j in 1 2 3 4; do
            in_background kill_at_random 60 "$WHELK" run --rm base sleep 0.02
            in_background kill_at_random 60 "$WHELK" run -d base sleep 300
        done
        wait_all
        ps_is_right
        whelk rm -af >/dev/null
        next_command_works
    done
    nothing_is_left
}
