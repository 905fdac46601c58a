# time-limit: 400
# Hostile images and hostile processes in containers: what was tried against whelk once, and must not work again.

load ../lib/common

setup_file() {
    base_image
}

teardown() {
    whelk rm -af -t 0 >/dev/null 2>&1 || :
}

# hostile_image NAME <script: an image of the base's files after the script has worked on them (in their directory).
hostile_image() {
    local tree
    tree=$(mktemp -d "$BATS_TEST_TMPDIR/tree.XXXX")
    tar -C "$tree" -xf "$WHELK_TOOLS/base.tar"
    (cd "$tree" && sh -eu -s)
    tar -C "$tree" --owner=0 --group=0 -cf "$BATS_TEST_TMPDIR/$1.tar" .
    whelk import "$BATS_TEST_TMPDIR/$1.tar" "$1" >/dev/null
}

sleepers() { # SECONDS: the processes of the host that sleep for so long
    local p
    for p in /proc/[0-9]*; do
        [ "$({ tr '\0' ' ' <"$p/cmdline"; } 2>/dev/null)" = "sleep $1 " ] && echo "${p#/proc/}"
    done
    return 0
}
no_sleepers() {
    [ -z "$(sleepers "$1")" ]
}
find_sleeper() { # SECONDS: its parent into $middle
    local command
    command=$(sleepers "$1")
    [ -n "$command" ] && middle=$(awk '{ print $4 }' "/proc/$command/stat") && [ "${middle:-0}" -gt 1 ]
}

# --- images

@test "a link of the image is no place for /proc, /sys or /dev" {
    # Through /dev, which is mounted later and hides the link: what /proc/kcore is would change under the masks.
    hostile_image through-dev <<'SCRIPT'
rm -rf proc && ln -s dev/p proc && mkdir real && ln -s /real dev/p
SCRIPT
    run_whelk run --rm through-dev true
    assert_status 125
    assert_stderr --partial "cannot mount /proc: it is not a directory in the image"
    for name in sys dev; do
        hostile_image "link-$name" <<SCRIPT
rm -rf $name && ln -s /tmp $name
SCRIPT
        run_whelk run --rm "link-$name" true
        assert_status 125
        assert_stderr --partial "cannot mount /$name: it is not a directory in the image"
    done
    hostile_image file-proc <<'SCRIPT'
rmdir proc && echo x >proc
SCRIPT
    run_whelk run --rm file-proc true
    assert_status 125
    assert_stderr --partial "cannot mount /proc"
}

@test "an image without any of the places for mounts runs" {
    hostile_image bare <<'SCRIPT'
rm -rf proc sys dev etc
SCRIPT
    run_whelk run --rm bare cat /etc/hostname
    assert_success
}

@test "links of the image at the injected files lead nowhere outside" {
    hostile_image links <<'SCRIPT'
ln -s ../../../../.. etc/hosts
SCRIPT
    run_whelk run --rm links true
    assert_status 125
    hostile_image links2 <<'SCRIPT'
rm -rf etc && ln -s proc etc
SCRIPT
    run_whelk run --rm links2 true
    assert_status 125
    assert_stderr --partial "cannot make the mount point"
}

@test "passwd and group files cost no time and are plain files" {
    hostile_image long-line <<'SCRIPT'
head -c 3000000 /dev/zero | tr '\0' : >etc/passwd
SCRIPT
    run timeout 20 "$WHELK" run --rm -u 0 long-line true
    assert_status 0
    hostile_image long-group <<'SCRIPT'
{ printf 'x:x:5:' && head -c 3000000 /dev/zero | tr '\0' ,; } >etc/group
SCRIPT
    run timeout 20 "$WHELK" run --rm -u 0 long-group true
    assert_status 0
    # As root, kmsg would be read for ever.
    hostile_image kmsg <<'SCRIPT'
rm -f etc/passwd && ln -s /proc/kmsg etc/passwd
SCRIPT
    run timeout 20 "$WHELK" run --rm -u 0 kmsg true
    assert_status 0
    hostile_image fifo <<'SCRIPT'
rm -f etc/passwd && mkfifo etc/passwd && ln -sf /dev/tty etc/group
SCRIPT
    run timeout 20 "$WHELK" run --rm -u 0 fifo true
    assert_status 0
}

@test "the whelk binary cannot be reached through /proc" {
    hostile_image self <<'SCRIPT'
printf '#!/proc/self/exe\n' >evil && chmod 0755 evil && ln -s /proc/self/exe evil-link
SCRIPT
    local before
    before=$(cksum <"$WHELK")
    for program in /evil /evil-link /proc/self/exe; do
        run_whelk run --rm self "$program"
        assert_status 126
        whelk run -d --name target self sleep 100 >/dev/null
        run_whelk exec target "$program"
        assert_status 126
        whelk rm -f -t 0 target >/dev/null
    done
    assert_equal "$(cksum <"$WHELK")" "$before"
}

@test "a working directory cannot lead outside" {
    whelk run -d --name target base sh -c 'ln -s /proc/self/fd/4/../../.. /out; sleep 100' >/dev/null
    wait_for 5 whelk exec target test -L /out
    for dir in /proc/self/fd/3 /proc/self/cwd /proc/1/root /out; do
        run_whelk exec -w "$dir" target pwd
        assert_status 127
        run_whelk run --rm -w "$dir" base test "$(stat -c %d:%i /)" = "$(stat -c %d:%i .)"
        [ "$status" != 0 ]
    done
}

# --- what a container has

@test "only 0, 1 and 2 are open, however a command is started" {
    local options
    exec 8</etc/hostname
    for options in "" -i -t --init "--init -i" "-u 0"; do
        # shellcheck disable=SC2086 # a list of options
        run_whelk run --rm $options base fdprobe </dev/zero 8<&8
        assert_success
        refute_output hostname
    done
    whelk run -d --name target base sleep 100 >/dev/null
    run_whelk exec target sh -c 'ls /proc/self/fd | tr "\n" " "' 8<&8
    assert_output "0 1 2 3 " # 3 is of ls
    run_whelk exec -i target sh -c 'ls /proc/self/fd | tr "\n" " "' </dev/zero 8<&8
    assert_output "0 1 2 3 "
    run_whelk exec -t target sh -c 'ls /proc/self/fd | tr "\n" " "; tty'
    assert_line --partial "0 1 2 3"
    assert_line --partial /dev/pts/
}

@test "a detached container keeps nothing of the caller's" {
    local dir=$BATS_TEST_TMPDIR/caller
    mkdir "$dir"
    touch "$dir/lock"
    (
        cd "$dir"
        exec 9>lock
        flock 9
        timeout 20 sh -c 'id=$("$WHELK" run -d --init base sleep 100); test -n "$id"'
    )
    flock -n "$dir/lock" true
    for p in $(supervisor_pid "$(whelk ps -q)"); do
        [ "$(readlink "/proc/$p/cwd")" != "$dir" ]
    done
}

@test "streams and masks are not the host's null device" {
    local before
    before=$(stat -c '%a %u' /dev/null)
    whelk run --rm base sh -c 'chmod 600 /proc/self/fd/0; chmod 604 /proc/kallsyms; chown 5 /proc/kallsyms' 2>/dev/null || :
    whelk run --rm -i base sh -c 'chmod 600 /dev/stdin' </dev/null 2>/dev/null || :
    whelk run -d --rm base sh -c 'chmod 600 /dev/stdin' >/dev/null
    wait_for 10 no_containers_left
    assert_equal "$(stat -c '%a %u' /dev/null)" "$before"
}

@test "a named pipe as stdin stays its owner's" {
    local before fifo=$BATS_TEST_TMPDIR/fifo user=33
    [ "$WHELK_LANE" != plain ] || user=0
    mkfifo -m 640 "$fifo"
    before=$(stat -c '%a %u' "$fifo")
    { echo data; } >"$fifo" &
    run_whelk run --rm -i -u "$user" base sh -c 'chmod 666 /dev/stdin; cat' <"$fifo"
    assert_output data
    assert_equal "$(stat -c '%a %u' "$fifo")" "$before"
}

@test "exec has its container's limits and OOM score" {
    whelk run -d --name target base sleep 100 >/dev/null
    run_whelk exec target sh -c 'cat /proc/1/oom_score_adj /proc/self/oom_score_adj; ulimit -n; ulimit -c'
    assert_equal "${lines[0]}" "$(($(cat /proc/self/oom_score_adj) + 100))"
    assert_equal "${lines[1]}" "${lines[0]}"
    assert_equal "${lines[2]}" 1024
    assert_equal "${lines[3]}" 0
}

@test "without a control group, processes are bounded" {
    skip_unless_lane subuid plain # root is not counted
    run_whelk run --rm base sh -c 'ulimit -u'
    [ "$output" -le 2048 ]
}

# --- pid 1 of whelk

@test "--init's pid 1 tells nothing of the host and has next to no rights" {
    SECRET=of-the-host whelk run -d --name target --init base sleep 100 >/dev/null
    run_whelk exec target sh -c 'tr "\0" " " </proc/1/cmdline'
    refute_output sleep
    refute_output "$STORE"
    run_whelk exec target cat /proc/1/environ
    [ "$status" != 0 ]
    refute_output of-the-host
    for file in exe root cwd; do
        run_whelk exec target readlink "/proc/1/$file"
        [ "$status" != 0 ]
    done
    run_whelk exec target sh -c 'ls /proc/1/fd | wc -l'
    assert_output 0
    run_whelk exec target grep -E 'CapBnd|NoNewPrivs|^Seccomp:' /proc/1/status
    assert_line --partial 0000000000000000
    assert_line --regexp 'NoNewPrivs:.1'
    assert_line --regexp 'Seccomp:.2'
}

@test "--init's pid 1 has no secrets for a container that may trace" {
    SECRET=of-the-host whelk run -d --name target --init --cap-add SYS_PTRACE base sleep 100 >/dev/null
    run_whelk exec target sh -c 'tr "\0" "\n" </proc/1/environ; readlink /proc/1/exe'
    refute_output of-the-host
    refute_output "$WHELK"
    run_whelk exec target sh -c 'grep CapPrm /proc/1/status'
    assert_output --regexp 'CapPrm:.00000000000(8|0)0020'
}

# --- exec into a hostile container

@test "exec into a container that replaced its devices" {
    local place
    whelk run -d --name target base sleep 100 >/dev/null
    for place in 'ln -s /proc/self/exe' 'ln -s null' mkfifo touch; do
        whelk exec target sh -c "umount /dev/null; rm -f /dev/null; $place /dev/null" 2>/dev/null || :
        run timeout 20 "$WHELK" exec target echo in
        assert_success
        assert_output in
    done
    whelk exec target sh -c 'rm -f /dev/ptmx; ln -s /dev/zero /dev/ptmx'
    run timeout 20 "$WHELK" exec -t target tty
    assert_output --partial /dev/pts/
}

@test "kill -9 of exec or of its middle process ends the command" {
    local mark=0 time who options middle
    whelk run -d --name target base sleep 100 >/dev/null
    for who in invocation middle; do
        for options in "" -i -t; do
            mark=$((mark + 1)) time="1$mark$$.1" # other lanes have theirs
            # shellcheck disable=SC2086 # a list of options
            "$WHELK" exec $options target sleep "$time" </dev/zero >/dev/null 2>&1 3>&- &
            wait_for 5 find_sleeper "$time"
            if [ "$who" = middle ]; then
                kill -KILL "$middle"
            else
                kill -KILL $!
            fi
            wait_for 5 no_sleepers "$time"
            wait_for 5 is_gone "$middle"
            wait $! || :
        done
    done
    assert_equal "$(whelk exec target echo up)" up
}

@test "exec enters containers with the host's network, and those with --init" {
    for options in "--network host" --init; do
        # shellcheck disable=SC2086 # a list of options
        whelk run -d --name target $options base sleep 100 >/dev/null
        assert_equal "$(whelk exec target echo in)" in
        whelk rm -f -t 0 target >/dev/null
    done
}

# --- streams

@test "a signal arrives although stdin is not read" {
    local pid
    "$WHELK" run -i --name target base sh -c 'trap "exit 7" TERM; echo up; while :; do sleep 0.1; done' \
        </dev/zero >"$BATS_TEST_TMPDIR/out" 3>&- &
    pid=$!
    wait_for 5 grep -q up "$BATS_TEST_TMPDIR/out"
    sleep 0.3 # until all buffers are full
    kill -TERM "$pid"
    status=0
    wait "$pid" || status=$?
    assert_status 7
}

@test "output that others write does not keep a session open" {
    whelk run -d --name target base sleep 100 >/dev/null
    status=0
    timeout 20 "$WHELK" exec target sh -c 'for i in 1 2 3 4; do yes $i & done; exit 5' >/dev/null || status=$?
    assert_status 5
    run_whelk run --rm base sh -c 'head -c 65536 /dev/zero | tr "\0" x; head -c 60000 /dev/zero | tr "\0" y >&2'
    assert_equal "${#output} ${#stderr}" "65536 60000"
}

@test "a caller that ignores SIGCHLD" {
    run python3 -c '
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])' "$WHELK" run --rm base sh -c 'exit 3'
    assert_status 3
}

# --- mounts

@test "read-only mounts, devices and masks" {
    mkdir "$BATS_TEST_TMPDIR/host"
    run_whelk run --rm --read-only -v "$BATS_TEST_TMPDIR/host:/v:ro" base sh -c '
        for f in /x /v/x /etc/hosts /proc/sys/kernel/domainname; do (echo x >$f) 2>/dev/null && echo "$f is writable"; done; true'
    assert_output ""
    run_whelk run --rm base sh -c 'grep -E " /(proc/kallsyms|proc/keys) " /proc/self/mounts | grep -vc "ro,nosuid,noexec"'
    assert_output 0
    run_whelk run --rm base sh -c 'grep " / " /proc/self/mounts'
    assert_output --partial nodev
}

@test "a device that the container makes itself does not work" {
    skip_unless_lane root # a user namespace makes none
    for place in /dev/own /own /tmp/own; do
        run_whelk run --rm --cap-add MKNOD base sh -c "mknod $place c 1 3 && echo made && echo x >$place"
        assert_output made
        assert_stderr --partial "Permission denied"
    done
    run_whelk run --rm --cap-add MKNOD base sh -c 'head -c 4 /dev/urandom >/dev/null && echo ok'
    assert_output ok
}
