#!/usr/bin/env bats
# whelk attach, and leaving a terminal by keys (R-005, CV-80)

load ../lib/common
load ../lib/container
load ../lib/tidy

# echoer NAME OPTION...: writes "tick" all the time and "got LINE" for each line that comes; ends with 7 with its input.
echoer() {
    local name=$1
    shift
    whelk run -d "$@" --name "$name" base sh -c '(while :; do echo tick; sleep 0.05; done) &
        while read -r line; do echo "got $line"; echo "err $line" >&2; done; exit 7' >/dev/null
}
has() { # FILE LINE: a terminal ends lines with \r\n
    tr -d '\r' <"$1" 2>/dev/null | grep -qxF -e "$2"
}
# client NAME WORDS...: whelk attach in the background, its streams in NAME.out and NAME.err; returns when it is attached.
client() {
    local name=$1
    shift
    "$WHELK" attach "$@" <"${stdin:-/dev/null}" >"$name.out" 2>"$name.err" 3>&- &
    client_pid=$!
    wait_for 10 has "$name.out" tick
}
ends_with() { # STATUS PID
    local code=0
    wait "$2" || code=$?
    assert_equal "$code" "$1"
}

@test "what comes from now on, and the status" {
    whelk run -d --name c base sh -c 'echo before; while [ ! -e /go ]; do echo tick; sleep 0.02; done
        echo out; echo err >&2; exit 9' >/dev/null
    wait_for 10 printed c before
    client a c
    whelk exec c touch /go
    ends_with 9 "$client_pid"
    not has a.out before
    has a.out out
    has a.err err
    not has a.out err
}

@test "several at once, one of which types" {
    local first second
    echoer c -i
    client watcher --no-stdin c
    first=$client_pid
    client other --no-stdin c
    second=$client_pid
    mkfifo in
    exec 5<>in
    stdin=in client typist c
    echo hello >&5
    for name in watcher other typist; do
        wait_for 10 has $name.out "got hello"
        wait_for 10 has $name.err "err hello"
    done
    # One that goes leaves the others and the container alone.
    kill -KILL "$first"
    ends_with 137 "$first"
    echo again >&5
    wait_for 10 has other.out "got again"
    wait_for 10 has typist.out "got again"
    not has watcher.out "got again"
    kill -KILL "$client_pid"
    ends_with 137 "$client_pid"
    exec 5>&-
    wait_for 10 state_is c running
    echo last | "$WHELK" attach c >last.out 2>&1 || assert_equal $? 7
    ends_with 7 "$second"
    has other.out "got last"
}

@test "the end of the input passes through, and the status comes back" {
    echoer c -i
    run bash -c 'echo one | "$1" attach c | grep -v tick; exit "${PIPESTATUS[1]}"' - "$WHELK"
    assert_status 7
    assert_line "got one"
}

@test "one without --interactive gets no input" {
    whelk run -d --name c base sh -c 'while [ ! -e /go ]; do echo tick; sleep 0.05; done; cat; exit 3' >/dev/null
    mkfifo in
    exec 5<>in
    echo nothing >&5
    stdin=in client a c
    whelk exec c touch /go
    ends_with 3 "$client_pid"
    not has a.out nothing
    exec 5>&-
}

@test "signals are forwarded, without --sig-proxy=false" {
    whelk run -d --name c base sh -c 'trap "echo got USR1" USR1; trap "exit 5" TERM
        while :; do echo tick; sleep 0.02; done' >/dev/null
    client deaf --sig-proxy=false c
    kill -USR1 "$client_pid"
    ends_with 138 "$client_pid"
    client a c
    kill -USR1 "$client_pid"
    wait_for 10 has a.out "got USR1"
    assert_equal "$(whelk logs c | grep -c USR1)" 1
    kill -TERM "$client_pid"
    ends_with 5 "$client_pid"
}

@test "one that does not run is an error" {
    whelk create --name c base true >/dev/null
    refused 125 "container c is not running; start it first: whelk start c" attach c
    whelk start -a c
    refused 125 "container c is not running; start it first: whelk start c" container attach c
    refused 125 "no such container: nosuch" attach nosuch
    refused 125 '"whelk attach" takes at most 1 argument, but got 2; see whelk attach --help' attach a b
}

@test "run -it left by its keys goes on, and can be attached again" {
    terminal wait:go raw 'type:\x10\x11' -- run -it --name c base sh -c 'echo go; read l; echo "line $l"; stty size; exit 4'
    assert_success
    assert_line "[status 0]"
    assert_line "[mode kept]"
    assert_equal "$(inspect_field c .State.Running)" true
    terminal size:10x20 raw 'type:x\r' 'wait:line x' -- attach c
    assert_line "10 20"
    assert_line "[status 4]"
    assert_line "[mode kept]"
    assert_equal "$(whelk wait c)" 4
}

@test "leaving never takes the container along" {
    local i n
    n=$(rounds 20)
    for ((i = 0; i < n; i++)); do
        terminal wait:go raw 'type:\x10\x11' -- run -it --name "c$i" base sh -c 'echo go; exec sleep 100'
        assert_line "[status 0]"
    done
    for ((i = 0; i < n; i++)); do
        state_is "c$i" running
    done
}

@test "a lone ctrl-p is held back until the next key" {
    terminal wait:go raw 'type:\x10' 'type:x\x10\x10y\r' 'wait:end' -- \
        run -it --rm base sh -c 'stty -echo; echo go; read -r l; printf %s "$l" | od -An -tx1; echo end'
    assert_line " 10 78 10 10 79"
    assert_line "[status 0]"
}

@test "--detach-keys of run, start and attach" {
    terminal wait:go raw 'type:a\x10\x11b' 'type:ax' -- run -it --name c --detach-keys a,x base sh -c 'echo go; exec sleep 100'
    assert_line "[status 0]"
    state_is c running
    terminal raw 'type:\x1d' -- attach --detach-keys 'ctrl-]' c
    assert_line "[status 0]"
    state_is c running
    # None: the usual keys are keys like others.
    whelk rm -f c >/dev/null
    terminal wait:go raw 'type:\x10\x11\r' wait:end -- \
        run -it --rm --detach-keys= base sh -c 'stty raw -echo; echo go; dd bs=1 count=2 2>/dev/null | od -An -tx1; echo end'
    assert_output --partial " 10 11"
    assert_line "[status 0]"
    whelk run -d -i --name c base sleep 100 >/dev/null
    for keys in ctrl- 'ctrl-!' ab 1 ctrl-A; do
        refused 125 "detach key \"$keys\" is not a letter, nor ctrl- with one of a-z @ [ \\ ] ^ _" \
            attach --detach-keys "$keys" c
    done
    refused 125 "more than 16 detach keys" attach --detach-keys a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a c
}

@test "no keys where no terminal is typed at" {
    echoer c -i
    run bash -c 'printf "\\020\\021x\\n" | "$1" attach c | grep -a -v tick | od -An -tx1; exit "${PIPESTATUS[1]}"' - "$WHELK"
    assert_status 7
    assert_output --partial "67 6f 74 20 10 11 78 0a"
}

@test "a slow reader holds back the output, and nothing else" {
    whelk run -d --name c base sh -c 'while [ ! -e /go ]; do sleep 0.02; done; yes | head -c 3000000; touch /done; sleep 100' >/dev/null
    mkfifo out
    exec 5<>out
    "$WHELK" attach c >out 3>&- 5>&- &
    local pid=$!
    wait_for 10 test -e out
    whelk exec c touch /go
    # Others are served meanwhile, and its end ends it.
    answers c stop -t 0 c
    exec 5>&-
    wait "$pid" || true
}

@test "the last one" {
    whelk run -d --name c base sh -c 'sleep 0.5; echo end; exit 6' >/dev/null
    run_whelk attach -l --no-stdin
    assert_status 6
    assert_output end
    refused 125 "name a container, or give --latest" attach
}
