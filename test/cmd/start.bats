#!/usr/bin/env bats
# whelk start (S-017, S-018)

load ../lib/common
load ../lib/container
load ../lib/tidy

@test "it starts in the background and prints what was typed (S-017, CV-21)" {
    local id
    id=$(whelk create --name c base sh -c 'echo ran; exec sleep 100')
    answers c start c
    assert_equal "$(inspect_field c .State.Running)" true
    wait_for 10 printed c ran
    whelk kill c >/dev/null
    whelk wait c >/dev/null
    answers "${id:0:10}" start "${id:0:10}"
    # Twice is no error.
    answers "$id" start "$id"
    answers c container start c
}

@test "another start keeps the files and adds to the log" {
    local id pid
    id=$(whelk create --name c base sh -c 'cat /file 2>/dev/null; echo "run $(ls /tmp | wc -l)" | tee -a /file; touch /tmp/$(cat /proc/sys/kernel/random/uuid)')
    answers "run 0" start -a c
    answers $'run 0\nrun 1' start -a c
    run_whelk start -a c
    assert_output $'run 0\nrun 1\nrun 2'
    run_whelk logs c
    assert_output $'run 0\nrun 0\nrun 1\nrun 0\nrun 1\nrun 2'
    assert_equal "$(inspect_field c .Id)" "$id"
}

@test "several, and one that is not there: the others are started" {
    whelk create --name a base sleep 100 >/dev/null
    whelk create --name b base sleep 100 >/dev/null
    run_whelk start a nosuch b
    assert_status 125
    assert_output $'a\nb'
    assert_stderr "Error: no such container: nosuch"
    assert_equal "$(whelk ps -q | wc -l)" 2
}

@test "-a shows its output, and ends with its status (S-018, CV-01)" {
    whelk create --name c base sh -c 'echo out; echo err >&2; exit 7' >/dev/null
    for flag in -a --attach -a=true; do
        run_whelk start $flag c
        assert_status 7
        assert_output out
        assert_stderr err
    done
    answers c start --attach=false c
}

@test "-i feeds a container that was made with it, and no other" {
    whelk create -i --name c base sh -c 'cat; exit 4' >/dev/null
    run bash -c 'echo text | "$WHELK" start -i c'
    assert_status 4
    assert_output text
    whelk create --name d base cat >/dev/null
    run bash -c 'echo text | "$WHELK" start -ai d'
    assert_success
    assert_output ""
}

@test "-ai on a terminal" {
    whelk create -it --name c base sh -c 'stty size; read x; echo "got $x"; exit 3' >/dev/null
    terminal size:20x70 wait:'20 70' 'type:line\r' -- start -ai c
    assert_success
    assert_line "got line"
    assert_line "[status 3]"
    assert_line "[mode kept]"
}

@test "-a passes signals on, --sig-proxy=false does not" {
    whelk create --name c base sh -c 'trap "echo got; exit 5" USR1; echo ready; while :; do sleep 0.02; done' >/dev/null
    "$WHELK" start -a c >out 3>&- &
    pid=$!
    wait_for 10 file_has out ready
    kill -USR1 "$pid"
    status=0
    wait "$pid" || status=$?
    assert_equal $status 5
    file_has out got
    "$WHELK" start -a --sig-proxy=false c >out 3>&- &
    pid=$!
    wait_for 10 file_has out ready
    kill -TERM "$pid"
    status=0
    wait "$pid" || status=$?
    assert_equal $status 143
    wait_for 10 state_is c exited
}

@test "a command that cannot be executed (CV-03)" {
    whelk create --name c base nosuch >/dev/null
    whelk create --name d base /etc >/dev/null
    not_found start c
    assert_one_error
    assert_stderr --partial 'Error: executable "nosuch" not found'
    not_found start -a c
    refused 126 "cannot execute /etc: it is a directory" start d
    assert_equal "$(inspect_field c .State.Running)" false
    [[ $(inspect_field c .State.Error) == *nosuch* ]]
}

@test "a bind mount that has gone since create" {
    mkdir d
    whelk create --name c -v ./d:/d base true >/dev/null
    rmdir d
    run_whelk start c
    assert_status 125
    assert_one_error
    assert_stderr --partial "/d"
    mkdir d
    answers "" start -a c
}

@test "mistakes" {
    refused 125 "--checkpoint: whelk cannot freeze processes to disk, so there is none to go on from" start --checkpoint one c
    whelk create --name a base true >/dev/null
    whelk create --name b base true >/dev/null
    refused 125 "no such container: nosuch" start nosuch
    refused 125 "no such container: nosuch" start -a nosuch
    refused 125 "name at least one container, or give --all" start
    refused 125 "--all takes no containers besides" start --all c
    refused 125 "--attach and --interactive take one container" start -a a b
    refused 125 "--attach and --interactive take one container" start -i a b
    refused 125 'unknown option "--bogus" for "whelk start"; see whelk start --help' start --bogus a
    refused 125 "no such container: a/b" start a/b
    refused 125 "no such container: ../containers" start ../containers
}

@test "a prefix of several ids is ambiguous, and they are listed (S-044)" {
    local n digit candidates
    for n in {1..17}; do
        whelk create base true >/dev/null
    done
    # Of 17 ids two begin alike.
    digit=$(whelk ps -aq | cut -c 1 | sort | uniq -d | head -n 1)
    run_whelk start "$digit"
    assert_status 125
    assert_one_error
    assert_stderr --partial "Error: \"$digit\" is the start of more than one container id: $digit"
    for n in $(whelk ps -aq | grep "^$digit" | head -n 2); do
        assert_stderr --partial "$n"
    done
    # A name wins over a prefix.
    whelk create --name "$digit" base true >/dev/null
    answers "$digit" start "$digit"
}

@test "all, the last one, and those that match" {
    whelk create --name a -l k=v base sleep 300 >/dev/null
    whelk create --name b base sleep 300 >/dev/null
    whelk create --name c base true >/dev/null
    run_whelk start -l
    assert_success
    assert_equal "$output" "$(inspect_field c .Id)"
    run_whelk start -f label=k
    assert_equal "$output" "$(inspect_field a .Id)"
    state_is a running
    state_is b created
    run_whelk start --all
    assert_success
    assert_equal "${#lines[@]}" 3
    state_is b running
}

@test "keys leave it running" {
    whelk create -it --name c base sh -c 'echo go; exec sleep 300' >/dev/null
    terminal wait:go raw 'type:x' -- start -ai --detach-keys x c
    assert_output --partial "[status 0]"
    state_is c running
}
