# Descriptors that are handed in: sockets of a service manager, --preserve-fds and --preserve-fd.

setup_file() {
    load ../lib/common
    base_image
}

setup() {
    load ../lib/common
    load ../lib/container
    dir=$(mktemp -d "$TMPDIR/handed.XXXX")
}

teardown() {
    rm -rf "$dir"
    whelk rm -af >/dev/null
    no_containers_left
}

activated() { # NAMES WORDS...: whelk with sockets, in the background
    local names=$1
    shift
    rm -f "$dir/ports"
    in_background python3 "$WHELK_TREE/test/lib/activate.py" "$dir/ports" "$names" "$WHELK" "$@" 2>"$dir/err"
    wait_for 10 test -s "$dir/ports"
}
ask() { # N: what the service behind port N answers
    python3 -c 'import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20)
s.settimeout(20)
print(s.makefile().read(), end="")' "$(sed -n "$1p" "$dir/ports")"
}
open_fds() { # prints what is open inside, but for ls's own
    echo 'ls /proc/self/fd | xargs'
}

@test "sockets of a .socket unit, without any network" {
    activated web run --rm --network none base sdpeer accept 3
    assert_equal "$(ask 1)" "pid 1 LISTEN_PID 1 LISTEN_FDS 1 LISTEN_FDNAMES web"
    wait_all
}

@test "two sockets, --init, another user: LISTEN_PID is the command's" {
    local user=0
    ! has_ids || user=1000
    activated a:b run --rm --init --user $user base sh -c 'sdpeer accept 4; exec sdpeer accept 3'
    assert_equal "$(ask 2 | sed 's/^pid [0-9]* //')" "LISTEN_PID 2 LISTEN_FDS 2 LISTEN_FDNAMES a:b"
    assert_equal "$(ask 1)" "pid 2 LISTEN_PID 2 LISTEN_FDS 2 LISTEN_FDNAMES a:b"
    wait_all
}

@test "sockets stay open over restarts, and with -d" {
    activated web run -d --name one --restart always base sdpeer accept 3
    for i in 1 2 3; do
        assert_equal "$(ask 1)" "pid 1 LISTEN_PID 1 LISTEN_FDS 1 LISTEN_FDNAMES web"
    done
    wait_all
    whelk rm -f one
}

@test "sockets with create and start" {
    whelk create --name two base sdpeer accept 3
    activated web start -a two
    assert_equal "$(ask 1)" "pid 1 LISTEN_PID 1 LISTEN_FDS 1 LISTEN_FDNAMES web"
    wait_all
}

@test "sockets that are another process's are left alone" {
    LISTEN_PID=1 LISTEN_FDS=1 LISTEN_FDNAMES=x run_whelk run --rm base sh -c "echo \${LISTEN_FDS-none}; $(open_fds)"
    assert_success
    assert_output $'none\n0 1 2 3'
    # and a health check or an exec does not get them
    activated web run -d --name three base sleep 1000
    wait_all
    run_whelk exec three sh -c "echo \${LISTEN_FDS-none}; $(open_fds)"
    assert_output $'none\n0 1 2 3'
}

@test "--preserve-fds: pipes, at their numbers, and their end" {
    run_whelk run --rm --preserve-fds 2 base sh -c 'cat <&3; cat <&4' 3< <(echo three) 4< <(echo four)
    assert_success
    assert_output $'three\nfour'
    # The reader sees the end as soon as the command has gone.
    whelk run --rm --preserve-fds=1 base sh -c 'echo out >&3' 3>&1 >"$dir/out" | cat >"$dir/piped"
    assert_equal "$(cat "$dir/piped")" out
    not test -s "$dir/out"
    # What is not named does not come in.
    run_whelk run --rm --preserve-fds 1 base sh -c 'test -e /proc/self/fd/3 && ! test -e /proc/self/fd/5' 3< <(echo) 5< <(echo)
    assert_success
}

@test "--preserve-fd: single ones; with -d the writer's end is the container's" {
    run_whelk run --rm --preserve-fd 5,9 --preserve-fd=5 base sh -c 'cat <&5; cat <&9; test ! -e /proc/self/fd/7' 5< <(echo five) 7< <(echo seven) 9< <(echo nine)
    assert_success
    assert_output $'five\nnine'
    whelk run -d --name four --preserve-fd 6 base sh -c 'echo hello >&6; sleep 1000' 6> >(cat >"$dir/six"; touch "$dir/end")
    wait_for 10 file_has "$dir/six" hello
    not test -e "$dir/end"
    whelk rm -f four
    wait_for 10 test -e "$dir/end"
}

@test "--preserve-fds counts from behind the sockets of systemd" {
    activated a:b run --rm --preserve-fds 0 --preserve-fd 4 base sh -c 'sdpeer accept 4; test ! -e /proc/self/fd/5'
    assert_equal "$(ask 2)" "pid 2 LISTEN_PID 1 LISTEN_FDS 2 LISTEN_FDNAMES a:b"
    wait_all
    activated a run --rm --preserve-fds 1 base true
    not wait_all
    file_has "$dir/err" "Error: --preserve-fds: descriptor 4 is not open"
}

@test "exec: --preserve-fds and --preserve-fd" {
    whelk run -d --name five base sleep 1000
    run_whelk exec --preserve-fds 1 --preserve-fd 8 five sh -c 'cat <&3; cat <&8' 3< <(echo three) 8< <(echo eight)
    assert_success
    assert_output $'three\neight'
    whelk exec --preserve-fds 1 five sh -c 'echo out >&3' 3>&1 >/dev/null | cat >"$dir/piped"
    assert_equal "$(cat "$dir/piped")" out
    # A process that the command leaves behind holds what it got.
    run_whelk exec --preserve-fds 1 five true 3<"$dir"
    assert_status 125
    assert_stderr "Error: --preserve-fds: descriptor 3 is a directory; only pipes and sockets may enter a container"
}

@test "a file, a directory or a device never gets in" {
    echo content >"$dir/file"
    mkfifo "$dir/fifo"
    run_whelk run --rm --preserve-fds 1 base true 3<"$dir"
    assert_status 125
    assert_one_error
    assert_stderr "Error: --preserve-fds: descriptor 3 is a directory; only pipes and sockets may enter a container"
    run_whelk run --rm --preserve-fd 7 base true 7<"$dir/file"
    assert_status 125
    assert_stderr "Error: --preserve-fd: descriptor 7 is a file; only pipes and sockets may enter a container"
    run_whelk run --rm --preserve-fd 7 base true 7</dev/null
    assert_stderr "Error: --preserve-fd: descriptor 7 is a device; only pipes and sockets may enter a container"
    run_whelk run --rm --preserve-fd 7 base true 7<>"$dir/fifo"
    assert_stderr "Error: --preserve-fd: descriptor 7 is a pipe by name; only pipes and sockets may enter a container"
    sh -c 'exec 3</ ; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"' sh "$WHELK" run --rm base true 2>"$dir/err" && false
    file_has "$dir/err" "Error: LISTEN_FDS: descriptor 3 is a directory; only pipes and sockets may enter a container"
    assert_equal "$(whelk ps -aq)" ""
}

@test "errors" {
    exec 4<&- 5<&- 6<&-
    refused 125 "--preserve-fd: descriptor 6 is not open" run --rm --preserve-fd 6 base true
    refused 125 "--preserve-fd x: numbers of descriptors from 3 on, with commas" run --rm --preserve-fd x base true
    refused 125 "--preserve-fd 2: numbers of descriptors from 3 on, with commas" run --rm --preserve-fd 2 base true
    refused 125 "--preserve-fds -1: a number from 0 to 1024" run --rm --preserve-fds=-1 base true
    refused 125 "--preserve-fds 1025: a number from 0 to 1024" run --rm --preserve-fds 1025 base true
    sh -c 'LISTEN_PID=$$ LISTEN_FDS=5000 exec "$@"' sh "$WHELK" run --rm base true 2>"$dir/err" && false
    file_has "$dir/err" "Error: LISTEN_FDS is 5000; at most 1024 sockets can be passed"
}
