# Where output goes besides the file: passthrough, and what can be said of journald without one (with one: test/vm/journal.bats).

setup_file() {
    load ../lib/common
    base_image
}

setup() {
    load ../lib/common
    load ../lib/container
    dir=$(mktemp -d "$TMPDIR/log.XXXX")
}

teardown() {
    rm -rf "$dir"
    whelk rm -af >/dev/null
    no_containers_left
}

@test "passthrough: the caller's own pipes and sockets, without a process in between" {
    local kind='k=$(readlink /proc/$$/fd/1); echo "${k%%:*}"; echo err >&2'
    run bash -c '{ "$@" 2>&1 >&3 | sed s/^/stderr:/ >&4; exit ${PIPESTATUS[0]}; } 3>&1 4>&1 | cat; exit ${PIPESTATUS[0]}' bash \
        "$WHELK" run --name one --log-driver passthrough base sh -c "$kind; exit 4"
    assert_status 4
    assert_equal "$(sort <<<"$output")" $'pipe\nstderr:err'
    refused 125 "container one keeps no log: with the log driver passthrough, whoever started it got its output" logs one
    assert_equal "$(inspect_field one .HostConfig.LogConfig.Type)" passthrough
    # each of a container's runs writes to the streams of its start
    assert_equal "$(whelk start -a one 2>/dev/null | cat)" pipe
    # a socket, as systemd gives it
    run python3 -c 'import socket, subprocess, sys
a, b = socket.socketpair()
subprocess.run(sys.argv[1:], stdout=b, stderr=subprocess.DEVNULL, check=True)
b.close()
print(a.makefile().read(), end="")' "$WHELK" run --rm --log-driver passthrough base sh -c "$kind"
    assert_success
    assert_output socket
}

@test "passthrough: with -d, /dev/null, and over restarts" {
    whelk run -d --name two --log-driver passthrough --restart on-failure:2 base sh -c 'echo again; exit 1' 2>/dev/null | cat >"$dir/out"
    # The pipe is at its end when the last run of the container is.
    assert_equal "$(grep -c '^again$' "$dir/out")" 3
    assert_id "$(grep -v again "$dir/out")"
    whelk run --rm --log-driver passthrough base sh -c 'readlink /proc/self/fd/1' >/dev/null 2>&1
}

@test "passthrough: the owner of the caller's pipe stays" {
    needs_ids
    { whelk run --rm --user 1000 --log-driver passthrough base echo hello 2>/dev/null; stat -L -c %u /proc/self/fd/1; } | cat >"$dir/out"
    assert_equal "$(cat "$dir/out")" "hello
$(id -u)"
}

@test "passthrough: files, terminals and directories stay outside" {
    "$WHELK" run --rm --log-driver passthrough base true >"$dir/file" 2>"$dir/err" && false
    # stderr is a file too; stdout is looked at first
    file_has "$dir/err" "Error: --log-driver passthrough: standard output is a file; it has to be a pipe, a socket or /dev/null"
    refused 125 "--log-driver passthrough and --tty contradict each other" run --rm -t --log-driver passthrough base true
}

@test "journald where there is none" {
    [ ! -S /run/systemd/journal/socket ] || skip "systemd's journal is there"
    run_whelk run --name three --log-driver journald base true
    assert_status 125
    assert_one_error
    assert_stderr "Error: systemd's journal is not to be had (/run/systemd/journal/socket): No such file or directory; use --log-driver file" ||
        assert_stderr --regexp "^Error: systemd's journal is not to be had .*use --log-driver file"
}

@test "--log-opt tag" {
    for tag in web '{{.Name}}-{{.ImageName}}' '{{.ID}} {{.FullID}} {{.ImageID}} {{.ImageFullID}}'; do
        run_whelk create --log-opt "tag=$tag" base true
        assert_success
    done
    refused 125 "--log-opt tag= gives no word to find lines by" create --log-opt tag= base true
    run_whelk create --log-opt 'tag={{.Nonsense}}' base true
    assert_status 125
    assert_stderr --partial "--log-opt tag={{.Nonsense}}: "
    refused 125 "--log-opt x=1 is not known; known: max-size=SIZE (-1: no limit), max-file=1...1000, tag=TEXT" create --log-opt x=1 base true
}

@test "SIGHUP to the supervisor: a log file that was moved away is made anew" {
    whelk run -d --name four base sh -c 'echo before; while ! test -e /go; do sleep 0.1; done; echo after; sleep 1000' >/dev/null
    local log
    log=$(inspect_field four .LogPath)
    wait_for 10 printed four before
    mv "$log" "$dir/moved"
    kill -HUP "$(supervisor_pid four)"
    wait_for 10 test -e "$log"
    whelk exec four touch /go
    wait_for 10 printed four after
    grep -q 'F before$' "$dir/moved"
    not grep -q after "$dir/moved"
    assert_equal "$(whelk logs four)" after
    state_is four running
}
