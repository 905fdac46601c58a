#!/usr/bin/env bats
# Full disks, clocks that were set, and scripts as users write them.

load ../lib/common
load ../lib/container
load ../lib/tidy

# In a mount namespace of its own: a store of 24 MB, full to the last block while the commands run.
on_full_disk() { # SCRIPT, in which w is whelk
    unshare --mount --propagation private bash -eu -c '
        mkdir -p small && mount -t tmpfs -o size=24m none small
        w() { "$WHELK" --root "$PWD/small/store" --runroot "$PWD/small/run" "$@"; }
        w import "$WHELK_TOOLS/base.tar" base >/dev/null
        w run -d --name up base sh -c "echo hello; exec sleep 300" >/dev/null
        w run -d --name gone --rm base sh -c "trap \"exit 3\" TERM; while :; do sleep 0.05; done" >/dev/null
        w create --name made base true >/dev/null
        w run --name ended base true
        fill() {
            dd if=/dev/zero of=small/fill bs=64k 2>/dev/null || :
            dd if=/dev/zero of=small/rest bs=1k 2>/dev/null || :
        }
        until w logs up | grep -q hello; do sleep 0.05; done
        fill
        eval "$1"
        rm small/fill small/rest
        [ "$(w run --rm base echo again)" = again ]
        w rm -af >/dev/null
        for i in {1..100}; do [ -n "$(ls -A small/store/tmp)" ] || break; sleep 0.05; done
        ls -A small/store/containers small/store/tmp | grep -v ":$\|^$\|^\." && exit 1
        sleep 0.1
    ' - "$1"
}

@test "a full disk: looking, stopping and removing work" {
    skip_unless_lane root
    run on_full_disk '
        w ps -a --format "{{.Names}} {{.State}}" | sort
        w logs up
        w exec up echo inside
        w stop -t 0 up >/dev/null && w wait up
        w stop gone >/dev/null
        w ps -a --format "{{.Names}} {{.State}}" | sort
        w rm made
        fill
        w container prune -f | tail -n 1 | cut -d: -f1
        w ps -aq'
    assert_success
    assert_output "ended exited
gone running
made created
up running
hello
inside
137
ended exited
made created
up exited
made
Total reclaimed space"
}

@test "a full disk: what cannot be started says so in one line" {
    skip_unless_lane root
    run on_full_disk 'fill; w start made 2>&1 || echo "status $?"'
    assert_success
    assert_output --partial "No space left on device"
    assert_output --partial "status 125"
    assert_equal "$(wc -l <<<"$output")" 2
}

@test "times that lie in the future are shown and compared" {
    local dir
    run_whelk run --name c base echo hello
    dir=$STORE/containers/$(inspect_field c .Id)
    jq '.created = "2071-01-01T00:00:00.000000000Z"' "$dir/container.json" >record && cat record >"$dir/container.json"
    sed -i 's/^[0-9]*-/2071-/' "$dir/log"
    answers "hello" logs c
    answers "hello" logs --since 10m c
    answers "" logs --until 10m c
    run_whelk logs -t c
    assert_output --partial "2071-"
    assert_equal "$(inspect_field c .Created)" 2071-01-01T00:00:00.000000000Z
    answers "c Less than a second ago" ps -a --format '{{.Names}} {{.RunningFor}}'
    answers "" ps -aq --filter until=1h
    answers c rm c
}

@test "rm -f while a container starts leaves nothing, and both commands end" {
    local i
    for i in {1..10}; do
        whelk create --name c base sleep 300 >/dev/null
        in_background "$WHELK" start c
        in_background "$WHELK" rm -f c
        wait_all || :
        whelk rm -f c >/dev/null
    done
    answers "" ps -aq
}

@test "a script: traps, pipes and xargs -P" {
    cat >script <<'SCRIPT'
set -euo pipefail
id=$("$WHELK" run -d --name service base sh -c 'trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.05; done')
trap '"$WHELK" rm -f "$id" >/dev/null' EXIT
until "$WHELK" logs service | grep -q up; do sleep 0.05; done
seq 8 | xargs -P 4 -I{} "$WHELK" exec service sh -c 'echo $(({} * {}))' | sort -n | tr '\n' ' '
echo
seq 6 | xargs -P 3 -I{} sh -c '"$WHELK" run --rm base sh -c "exit {}" || echo $?' | sort | tr '\n' ' '
echo
printf 'b\na\n' | "$WHELK" run -i --rm base sort | head -n 1
"$WHELK" run --rm base seq 100000 | head -n 1 || echo "pipe $?"
"$WHELK" stop service >/dev/null
"$WHELK" logs service | tail -n 1
SCRIPT
    WHELK=$WHELK run bash script
    assert_output --partial "1 4 9 16 25 36 49 64 
1 2 3 4 5 6 
a
1
"
    assert_equal "$(tail -n 1 <<<"$output")" bye
    answers "" ps -aq
}

@test "exit codes when kills race with the end" {
    local i
    for i in {1..8}; do
        whelk run -d --name c base sh -c 'sleep 0.1; exit 7' >/dev/null
        sleep "0.$((RANDOM % 2))$((RANDOM % 10))"
        whelk kill c >/dev/null 2>&1 || :
        run_whelk wait c
        [[ $output = 7 || $output = 137 ]]
        assert_equal "$(inspect_field c .State.ExitCode)" "$output"
        whelk rm c >/dev/null
    done
}
