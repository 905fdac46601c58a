# The everyday commands on an older kernel with control groups version 2.

setup_file() {
    load ../lib/common
    base_image
}

setup() {
    load ../lib/common
}

teardown() {
    whelk rm -af >/dev/null
    no_containers_left
}

@test "the guest is what it should be" {
    [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]
    [ "$(cat /proc/1/comm)" = systemd ]
    if [ "$WHELK_LANE" = root ]; then
        assert_equal "$(id -u)" 0
    else
        [ -S "$XDG_RUNTIME_DIR/bus" ]
        grep -q 'session-.*scope' /proc/self/cgroup
    fi
}

@test "run: output, status, input" {
    run_whelk run --rm base sh -c 'echo out; echo err >&2; exit 7'
    assert_status 7
    assert_output out
    assert_stderr err
    assert_equal "$(echo data | whelk run -i --rm base cat)" data
}

@test "run: files of the image and of the container" {
    run_whelk run --name one base sh -c 'echo changed >/etc/group; rm /etc/passwd; mkdir -p /made/below; cat /etc/group'
    assert_success
    assert_output changed
    run_whelk start -a one
    assert_success
    run_whelk run --rm base cat /etc/passwd
    assert_success
    assert_line --partial root:x:0:0
}

@test "run: many layers" {
    local i from=base
    for i in 1 2 3 4 5 6; do
        printf 'FROM %s\nRUN echo %d >/layer-%d\nRUN rm -f /layer-%d\n' "$from" "$i" "$i" $((i - 1)) | build_image "deep-$i"
        from=deep-$i
    done
    run_whelk run --rm deep-6 sh -c 'echo /layer-*'
    assert_success
    assert_output /layer-6
}

@test "run: read-only" {
    run_whelk run --rm --read-only base sh -c 'echo x >/file'
    assert_status 1
    assert_stderr --partial "Read-only file system"
}

@test "exec, ps, stop, rm" {
    run_whelk run -d --name two base sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done'
    assert_success
    run_whelk exec two sh -c 'echo from exec; exit 5'
    assert_status 5
    assert_output "from exec"
    run_whelk ps
    assert_success
    assert_line --regexp '^[0-9a-f]{12} .* Up .* two *$'
    run_whelk stop -t 20 two
    assert_success
    assert_equal "$(whelk wait two)" 3
    run_whelk rm two
    assert_success
    assert_equal "$(whelk ps -aq)" ""
}

@test "a supervisor that is killed takes its container along" {
    whelk run -d --name three base sleep 1000 >/dev/null
    local supervisor child
    supervisor=$(supervisor_pid three) child=$(container_pid three)
    [ "$child" -gt 0 ]
    kill -KILL "$supervisor"
    wait_for 10 is_gone "$child"
}

@test "the container sees its own part of the hierarchy, and cannot write it" {
    run_whelk run --rm base sh -c 'cat /proc/self/cgroup; test -f /sys/fs/cgroup/cgroup.procs; echo $?; mkdir /sys/fs/cgroup/x'
    assert_status 1
    assert_line 0::/
    assert_line 0
    assert_stderr --partial "Read-only file system"
}
