#!/usr/bin/env bats
# whelk run: standard input and output, signals, terminals.

load ../lib/common
load ../lib/container
load ../lib/tidy

# in_background WORDS...: whelk with its output in the file out; $pid is its process.
in_background() {
    # A shell's background commands ignore INT and QUIT, and what is ignored is not forwarded.
    env --default-signal=INT,QUIT "$WHELK" "$@" >out 2>err 3>&- &
    pid=$!
}
# Waits for it; $status is what it ended with.
ended() {
    status=0
    wait "$pid" || status=$?
    output=$(cat out) stderr=$(cat err)
}
nothing_runs() {
    no_orphans && [ -z "$(whelk ps -aq)" ]
}
# A script that names the signals that it gets, and ends at EXIT.
told_signals='for s in HUP INT QUIT USR1 USR2 TERM CONT ALRM; do trap "echo $s" $s; done
    echo ready; while [ ! -e /end ]; do sleep 0.02; done; exit 5'

# --- standard input

@test "-i: a pipe, a file, /dev/null, nothing at all (S-005)" {
    echo line >file
    run bash -c 'printf "a\nb" | "$WHELK" run -i --rm base cat'
    assert_output $'a\nb'
    run bash -c '"$WHELK" run --interactive --rm base cat <file'
    assert_output line
    run bash -c '"$WHELK" run -i --rm base cat </dev/null'
    assert_success
    assert_output ""
    run bash -c '"$WHELK" run -i --rm base cat <&-'
    assert_success
    assert_output ""
    run bash -c 'echo x | "$WHELK" run -i=false --rm base cat'
    assert_success
    assert_output ""
}

@test "without -i nothing is read (S-005)" {
    run bash -c '{ "$WHELK" run --rm base cat; cat; } <<<text'
    assert_success
    assert_output text
    run bash -c '"$WHELK" run --rm base cat <&-'
    assert_success
    run bash -c '"$WHELK" run --rm base echo out <&- 2>&-'
    assert_output out
}

@test "a directory is refused" {
    run --separate-stderr bash -c '"$WHELK" run -i --rm base cat <.'
    assert_status 125
    assert_one_error
    assert_stderr "Error: standard input is a directory; a container may not have it"
    # One that nobody reads does no harm.
    run bash -c '"$WHELK" run --rm base echo ok <.'
    assert_output ok
}

@test "the end of the input arrives, and what is behind it too" {
    run bash -c 'echo x | "$WHELK" run -i --rm base sh -c "cat; echo end; exit 3"'
    assert_status 3
    assert_output $'x\nend'
    # A command that does not want all of it.
    head -c 2000000 /dev/zero | tr '\0' x | fold -w 99 >file
    run timeout 60 bash -c '"$WHELK" run -i --rm base sh -c "head -n 1 >/dev/null; exit 4" <file'
    assert_status 4
}

@test "much in both directions, with a slow reader" {
    head -c 3000000 /dev/urandom >file
    run timeout 60 bash -c '"$WHELK" run -i --rm base cat <file | { sleep 0.3; cmp - file; }'
    assert_success
    assert_output ""
    # Output first, then input: neither may wait for the other.
    run timeout 60 bash -c '"$WHELK" run -i --rm base sh -c "head -c 3000000 /dev/zero; cat" <file | { sleep 0.3; wc -c; }'
    assert_output 6000000
}

@test "standard input that stays open does not hold the end" {
    mkfifo pipe
    exec 8<>pipe
    run timeout 60 bash -c '"$WHELK" run -i --rm base true <&8 8>&-'
    exec 8>&-
    assert_success
    # Nor does output that somebody else holds.
    run timeout 60 bash -c '"$WHELK" run --rm base sh -c "sleep 100 & echo started"'
    assert_output started
}

# --- standard output

@test "all output arrives, also of a command that ends at once" {
    local round
    run bash -c '"$WHELK" run --rm base sh -c "head -c 1000000 /dev/zero" | wc -c'
    assert_output 1000000
    run bash -c '"$WHELK" run --rm base sh -c "head -c 1000000 /dev/zero >&2" 2>&1 >/dev/null | wc -c'
    assert_output 1000000
    for round in {1..10}; do
        answers $'1\n2' run --rm base sh -c 'echo 1; echo 2'
    done
}

@test "a reader that goes away ends the run quietly (CV-15)" {
    run timeout 60 bash -c '"$WHELK" run --rm base yes 2>/dev/null | head -n 1'
    assert_output y
    run timeout 60 bash -c '"$WHELK" run --rm --init base yes 2>/dev/null | head -n 1'
    assert_output y
    wait_for 10 nothing_runs
}

@test "output that cannot be written is an error, unless the command has one of its own" {
    run --separate-stderr bash -c '"$WHELK" run --rm base echo x >/dev/full'
    assert_status 125
    assert_one_error
    assert_stderr "Error: cannot write to standard output: No space left on device"
    run --separate-stderr bash -c '"$WHELK" run --rm base sh -c "echo x; exit 3" >/dev/full'
    assert_status 3
    run --separate-stderr bash -c '"$WHELK" run --rm base sh -c "echo x; echo y >&2" >&-'
    assert_stderr y
}

@test "commands find /dev/stdout and /dev/stderr, whoever they run as" {
    run_whelk run --rm base sh -c 'echo out >/dev/stdout; echo err >/dev/stderr; echo fd >/dev/fd/1'
    assert_output $'out\nfd'
    assert_stderr err
    needs_ids
    run_whelk run --rm -u user base sh -c 'echo out >/dev/stdout; echo err >/dev/stderr'
    assert_success
    assert_output out
    assert_stderr err
}

# --- signals

@test "in the foreground signals go to the command, and its status counts (CV-10, R-006)" {
    local sig
    in_background run --name c base sh -c "$told_signals"
    wait_for 10 file_has out ready
    for sig in HUP INT QUIT USR1 USR2 TERM ALRM; do
        kill -$sig "$pid"
        wait_for 10 file_has out $sig
    done
    whelk exec c touch /end
    ended
    assert_status 5
    assert_equal "$(inspect_field c .State.ExitCode)" 5
}

@test "what the caller ignores is not forwarded" {
    (
        trap '' HUP
        exec "$WHELK" run --name c base sh -c "$told_signals" >out 2>err 3>&-
    ) &
    pid=$!
    wait_for 10 file_has out ready
    kill -HUP "$pid"
    kill -USR1 "$pid"
    wait_for 10 file_has out USR1
    whelk exec c touch /end
    ended
    assert_status 5
    ! grep -q HUP out
}

@test "a command that a forwarded signal kills" {
    in_background run --rm --init --name c base sh -c 'echo ready; exec sleep 100'
    wait_for 10 file_has out ready
    kill -TERM "$pid"
    ended
    assert_status 143
    assert_equal "$(cat err)" ""
}

@test "--sig-proxy=false: signals are whelk's own, and its container ends with it" {
    in_background run --sig-proxy=false --name c base sh -c "$told_signals"
    wait_for 10 file_has out ready
    kill -TERM "$pid"
    ended
    assert_status 143
    wait_for 10 state_is c exited
    ! grep -q TERM out
}

# --- terminals

@test "-t alone: a terminal without a terminal (S-006)" {
    run_whelk run -t --rm base sh -c 'tty; test -t 0 && test -t 1 && test -t 2 && echo all; echo err >&2'
    assert_success
    assert_output $'/dev/pts/0\r\nall\r\nerr\r'
    assert_stderr ""
    run_whelk run --rm base sh -c 'test -t 0 || test -t 1 || test -t 2'
    assert_status 1
    answers $'xterm\r' run -t --rm base sh -c 'echo $TERM'
    answers $'vt100\r' run -t --rm -e TERM=vt100 base sh -c 'echo $TERM'
}

@test "-it where standard input is no terminal warns and goes on (S-006)" {
    local flags
    for flags in -it -ti "-i -t" "--interactive --tty"; do
        run --separate-stderr bash -c 'echo "echo hello; exit 6" | timeout 60 "$WHELK" run $1 --rm base sh' - "$flags"
        assert_status 6
        assert_output --partial hello
        assert_stderr "Warning: standard input is not a terminal; the command gets one all the same"
    done
}

@test "-d -it runs a shell that waits (S-006)" {
    whelk run -dti --name c base sh >/dev/null
    assert_equal "$(inspect_field c .State.Running)" true
    answers "/dev/pts/0" exec c readlink /proc/1/fd/0
}

@test "a shell on a terminal: size, status, and the terminal is as it was" {
    terminal size:33x77 'wait:# ' 'type:stty size; tty; exit 3\r' -- run -it --rm base sh
    assert_success
    assert_line "33 77"
    assert_line /dev/pts/0
    assert_line "[status 3]"
    assert_line "[mode kept]"
}

@test "keys go to the command as they are: ^C, ^D" {
    terminal wait:go raw 'type:a\x03' 'wait:INT' 'type:b\r' -- \
        run -it --rm base sh -c 'trap "echo INT" INT; echo go; until read x; do :; done; echo "got $x"'
    assert_success
    assert_line --partial INT
    assert_line "got b"
    assert_line "[status 0]"
    assert_line "[mode kept]"
    terminal wait:go raw 'type:line\r' 'wait:line' 'type:\x04' -- run -it --rm base sh -c 'echo go; cat; echo end'
    assert_line end
    assert_line "[status 0]"
    # What has no handler, is not process 1 and so is killed.
    terminal wait:go raw 'type:\x03' -- run -it --init --rm base sh -c 'echo go; exec sleep 100'
    assert_line "[status 130]"
    assert_line "[mode kept]"
}

@test "the size follows the terminal's" {
    terminal size:24x80 wait:go raw size:10x20 'wait:10 20' size:50x132 'wait:50 132' 'type:x\r' -- \
        run -it --rm base sh -c 'trap "stty size" WINCH; stty size; echo go; until read x; do :; done'
    assert_success
    assert_line "24 80"
    assert_line "[status 0]"
}

@test "TERM to a whelk at a terminal ends it and its container, and the terminal is as it was" {
    local sig
    for sig in TERM HUP; do
        terminal wait:go raw kill:$sig -- run -it --rm --name c base sh -c 'trap "" TERM HUP; echo go; sleep 100'
        assert_success
        assert_line "[status $((128 + $(kill -l $sig)))]"
        assert_line "[mode kept]"
        wait_for 10 nothing_runs
    done
}

@test "^C without -t is passed on, with -t and without -i too" {
    local script='trap "echo INT; exit 4" INT; echo go; while :; do sleep 0.02; done'
    terminal wait:go 'type:\x03' -- run --rm base sh -c "$script"
    assert_line --partial INT
    assert_line "[status 4]"
    terminal wait:go 'type:\x03' -- run -t --rm base sh -c "$script"
    assert_line --partial INT
    assert_line "[status 4]"
    assert_line "[mode kept]"
}

@test "a terminal is as it was after a failure to start" {
    terminal -- run -it --rm base nosuch
    assert_line --partial "Error: executable \"nosuch\" not found"
    assert_line "[status 127]"
    assert_line "[mode kept]"
}

@test "the terminal on standard input never enters without -t" {
    terminal wait:type 'type:line\r' 'wait:line' 'type:\x04' -- \
        run -i --rm base sh -c 'echo type; test -t 0 || echo no terminal; cat; readlink /proc/self/fd/0'
    assert_line "no terminal"
    assert_line --regexp '^pipe:'
    assert_line "[status 0]"
}

@test "while nobody reads the output, signals are forwarded all the same" {
    local pid
    mkdir -m 0777 here
    mkfifo slow
    exec 8<>slow
    "$WHELK" run --name c -v ./here:/here base sh -c 'trap "touch /here/ended; exit 5" TERM; yes & wait' >slow 3>&- 8>&- &
    pid=$!
    full() { [ "$(whelk logs -n 1 c | wc -l)" = 1 ]; }
    wait_for 10 full
    sleep 0.2
    kill -TERM "$pid"
    wait_for 10 test -e here/ended
    cat slow >/dev/null 3>&- 8>&- &
    exec 8>&-
    run wait "$pid"
    assert_equal "$(inspect_field c .State.ExitCode)" 5
    whelk rm c >/dev/null
}
