#!/usr/bin/env bats
# whelk exec (S-020, C-020)

load ../lib/common
load ../lib/container
load ../lib/tidy

setup() {
    cd "$BATS_TEST_TMPDIR"
    whelk run -d --name c -h inside -e FROM=run -w /work base sleep 1000 >/dev/null
}

@test "streams and status are the command's (CV-01)" {
    run_whelk exec c sh -c 'echo out; echo err >&2; exit 7'
    assert_status 7
    assert_output out
    assert_stderr err
    answers "" container exec c true
    run_whelk exec c sh -c 'kill -9 $$'
    assert_status 137
    run_whelk exec c sh -c 'kill -TERM $$'
    assert_status 143
    run bash -c '"$WHELK" exec c sh -c "head -c 1000000 /dev/zero" | wc -c'
    assert_output 1000000
}

@test "the words behind the container are the command's (CV-28)" {
    answers $'-e\n--tty\na  b' exec c printf '%s\n' -e --tty 'a  b'
    answers -x exec -- c echo -x
}

@test "it is in all namespaces of the container, with its files" {
    local name
    for name in mnt pid net ipc uts cgroup user; do
        assert_equal "$(whelk exec c readlink /proc/self/ns/$name)" "$(whelk exec c readlink /proc/1/ns/$name)"
    done
    answers inside exec c hostname
    answers "sleep 1000 " exec c sh -c 'tr "\0" " " </proc/1/cmdline'
    run_whelk exec c cat /etc/hosts
    assert_line --regexp '^[0-9.]+[[:space:]]+inside( |$)'
    answers "" exec c sh -c 'echo text >/file'
    answers text exec c cat /file
    # No more processes than these.
    answers $'COMMAND\nsleep\nps' exec c ps -o comm
}

@test "a command that says nothing for seconds lives on" {
    run_whelk exec c sleep 4
    assert_success
    assert_stderr ""
}

@test "environment, directory and user are the container's" {
    answers "run /work 0 /root inside whelk" exec c sh -c 'echo $FROM $PWD $(id -u) $HOME $HOSTNAME $container'
    assert_equal "$(whelk exec c env | sort)" "FROM=run
HOME=/root
HOSTNAME=inside
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
container=whelk"
    assert_equal "$(whelk exec c sh -c 'umask; ulimit -Sn; ulimit -Sc')" $'0022\n1024\n0'
}

@test "-e and --env-file" {
    export WHELK_T_ONE=1
    printf '# comment\nA=file\nB=file\nWHELK_T_ONE\n' >vars
    answers "cli file 1 run" exec -e A=cli --env-file vars c sh -c 'echo $A $B $WHELK_T_ONE $FROM'
    answers "exec" exec --env FROM=exec c sh -c 'echo $FROM'
    answers "run" exec c sh -c 'echo $FROM'
    refused 125 'environment variable "=x" has no name; write -e NAME=value without blanks around =' exec -e =x c true
    refused 125 "cannot read the environment file no/such: No such file or directory" exec --env-file no/such c true
}

@test "-w" {
    answers /tmp exec -w /tmp c pwd
    answers / exec --workdir=/ c pwd
    refused 127 "cannot enter the working directory /no/such: No such file or directory" exec -w /no/such c pwd
    refused 127 "cannot enter the working directory /etc/passwd: Not a directory" exec -w /etc/passwd c pwd
    refused 125 "--workdir rel: the working directory must be an absolute path" exec -w rel c pwd
}

@test "-u" {
    answers 0 exec -u root c id -u
    refused 125 "the container's /etc/passwd has no user \"nosuch\"; use a number or a name that it has" exec -u nosuch c id
    refused 125 "the container's /etc/group has no group \"nosuch\"; use a number or a name that it has" exec -u 0:nosuch c id
    needs_ids
    answers "uid=1000(user) gid=1000(user) groups=50(staff),1000(user)" exec -u user c id
    answers "uid=33(www-data) gid=5(tty) groups=5(tty)" exec --user 33:tty c id
    answers /home/user exec -u user c sh -c 'echo $HOME'
    answers 0000000000000000 exec -u user c sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status
}

@test "rights are the container's, unless --privileged" {
    local of='s/^\(CapEff\|CapBnd\|Seccomp\|NoNewPrivs\):[[:space:]]*//p'
    assert_equal "$(whelk exec c sed -n "$of" /proc/self/status)" "$(whelk run --rm base sed -n "$of" /proc/self/status)"
    whelk run -d --name d --cap-drop ALL --security-opt no-new-privileges base sleep 1000 >/dev/null
    assert_equal "$(whelk exec d sed -n "$of" /proc/self/status)" $'0000000000000000\n0000000000000000\n1\n2'
    run_whelk exec --privileged c sed -n "$of" /proc/self/status
    [[ ${lines[0]} > 000001 ]]
    assert_equal "${lines[3]}" 0
}

@test "standard input only with -i" {
    run bash -c 'echo text | "$WHELK" exec -i c cat'
    assert_output text
    run bash -c '{ "$WHELK" exec c cat; cat; } <<<text'
    assert_success
    assert_output text
    echo file >file
    run bash -c '"$WHELK" exec --interactive c cat <file'
    assert_output file
    run bash -c '"$WHELK" exec -i c cat </dev/null'
    assert_output ""
    run bash -c '"$WHELK" exec -i c cat <&-'
    assert_success
    run --separate-stderr bash -c '"$WHELK" exec -i c cat <.'
    assert_status 125
    assert_stderr "Error: standard input is a directory; a container may not have it"
    head -c 3000000 /dev/urandom >big
    run timeout 60 bash -c '"$WHELK" exec -i c cat <big | { sleep 0.2; cmp - big; }'
    assert_success
}

@test "-t and -it" {
    answers $'/dev/pts/0\r\nxterm\r' exec -t c sh -c 'tty; echo $TERM'
    answers $'vt100\r' exec -t -e TERM=vt100 c sh -c 'echo $TERM'
    terminal size:33x77 'wait:# ' 'type:stty size; exit 3\r' -- exec -it c sh
    assert_success
    assert_line "33 77"
    assert_line "[status 3]"
    assert_line "[mode kept]"
    terminal wait:go raw size:10x20 'wait:10 20' 'type:\x03' -- exec -it c sh -c 'trap "stty size" WINCH; echo go; while :; do sleep 0.02; done'
    assert_line "[status 130]"
    assert_line "[mode kept]"
}

@test "signals go to the command (C-020)" {
    local sig pid
    "$WHELK" exec c sh -c 'for s in HUP TERM USR1; do trap "echo $s" $s; done; trap "exit 5" USR2
        echo ready; while :; do sleep 0.02; done' >out 3>&- &
    pid=$!
    wait_for 10 file_has out ready
    for sig in HUP TERM USR1; do
        kill -$sig "$pid"
        wait_for 10 file_has out $sig
    done
    kill -USR2 "$pid"
    status=0
    wait "$pid" || status=$?
    assert_equal $status 5
    assert_equal "$(inspect_field c .State.Running)" true
}

@test "a whelk that is killed takes its command along" {
    local pid
    "$WHELK" exec c sh -c 'echo ready; exec sleep 2222' >out 3>&- &
    pid=$!
    wait_for 10 file_has out ready
    kill -KILL "$pid"
    wait "$pid" || :
    wait_for 10 sh -c '! "$WHELK" exec c pgrep -f "^sleep 2222" >/dev/null'
}

@test "the end of the container ends the command" {
    local pid
    "$WHELK" exec c sh -c 'echo ready; exec sleep 1000' >out 2>err 3>&- &
    pid=$!
    wait_for 10 file_has out ready
    whelk kill c >/dev/null
    status=0
    wait "$pid" || status=$?
    assert_equal $status 137
}

@test "a reader that goes away ends it quietly (CV-15)" {
    run timeout 60 bash -c '"$WHELK" exec c yes 2>/dev/null | head -n 1'
    assert_output y
}

@test "commands that cannot be executed: 126 and 127 (CV-03b, CV-03c)" {
    local n
    # Each several times: the message comes back from inside, and must not get lost on the way.
    for n in 1 2 3 4 5; do
        refused 127 "executable \"nosuch\" not found in the container's PATH (/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)" \
            exec c nosuch
        refused 126 "cannot execute /etc: it is a directory" exec c /etc
        refused 126 "cannot execute /etc/passwd: Permission denied" exec c /etc/passwd
        refused 127 "cannot execute /no/such: no such file in the container" exec c /no/such
    done
}

@test "containers that do not run, and other mistakes" {
    local id
    refused 125 "no such container: nosuch" exec nosuch true
    refused 125 '"whelk exec" needs a command to run; see whelk exec --help' exec c
    refused 125 "--latest and --cidfile cannot be used together" exec -l --cidfile x c true
    refused 125 'unknown option "--bogus" for "whelk exec"; see whelk exec --help' exec --bogus c true
    id=$(whelk create --name d base true)
    refused 125 "container d is not running" exec d true
    whelk start -a d
    refused 125 "container d is not running" exec "${id:0:12}" true
}

@test "-d leaves it running; it ends with the container" {
    whelk run -d --name e --cidfile "$BATS_TEST_TMPDIR/cid" base sleep 300 >/dev/null
    answers "" exec -d e sh -c 'echo x >/made; exec sleep 298'
    wait_for 5 whelk exec e test -e /made
    assert_equal "$(whelk top e args | grep -c 'sleep 298')" 1
    refused 127 'executable "nosuch" not found in the container'"'"'s PATH (/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)' exec -d e nosuch
    answers x exec -l cat /made
    answers x exec --cidfile "$BATS_TEST_TMPDIR/cid" cat /made
    assert_equal "$(whelk events --stream=false -f event=exec_died --format '{{.ContainerExitCode}}' | tail -n 1)" 0
}

@test "keys leave a command that has a terminal" {
    whelk run -d --name e base sleep 300 >/dev/null
    terminal wait:go raw 'type:\x10\x11' -- exec -it e sh -c 'echo go; exec sleep 297'
    assert_output --partial "[status 0]"
    assert_equal "$(whelk top e args | grep -c 'sleep 297')" 1
    terminal wait:go raw 'type:x' -- exec -it --detach-keys x e sh -c 'echo go; exec sleep 296'
    assert_output --partial "[status 0]"
    assert_equal "$(whelk top e args | grep -c 'sleep 296')" 1
}
