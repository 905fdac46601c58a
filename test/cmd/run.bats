#!/usr/bin/env bats
# time-limit: 300
# whelk run: what becomes of the words of the command line. Streams and signals: run-streams.bats; mounts: run-mounts.bats;
# capabilities and all that: run-security.bats.

load ../lib/common
load ../lib/container
load ../lib/tidy

# --- the command and its status

@test "standard output, standard error and the status are the command's (S-001, CV-01)" {
    run_whelk run --rm base sh -c 'echo out; echo err >&2; exit 7'
    assert_status 7
    assert_output out
    assert_stderr err
    answers "" run --rm base true
    run_whelk container run --rm base false
    assert_status 1
}

@test "the words behind the image are the command's, byte for byte (S-002, S-015)" {
    answers $'--rm\n-x\na  b\n\n*\n$HOME' run --rm base printf '%s\n' --rm -x 'a  b' '' '*' '$HOME'
    answers "all done" run --rm base sh -c "sleep 0.01; echo all done"
    assert_equal "$(whelk run --rm base printf %s $'\xff\n\x01"\\' | od -An -tx1)" " ff 0a 01 22 5c"
    # and options end there, or at --
    answers hi run --rm -- base echo hi
}

@test "a command that is not there: 127 (CV-03c)" {
    local path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    refused 127 "executable \"nosuch\" not found in the container's PATH ($path)" run --rm base nosuch
    refused 127 "executable \"nosuch\" not found in the container's PATH (/x)" run --rm -e PATH=/x base nosuch
    refused 127 "cannot execute /no/such: no such file in the container" run --rm base /no/such
    refused 127 "cannot execute /etc/passwd/x: no such file in the container" run --rm base /etc/passwd/x
    printf '#!/no/interpreter\n' >script
    chmod 0755 script
    refused 127 "cannot execute /script: its interpreter or loader is missing in the container" \
        run --rm -v ./script:/script base /script
    refused 127 "cannot execute /bin/script: its interpreter or loader is missing in the container" \
        run --rm -v ./script:/bin/script base script
}

@test "a command that cannot be executed: 126 (CV-03b)" {
    refused 126 "cannot execute /etc: it is a directory" run --rm base /etc
    refused 126 "cannot execute /etc/passwd: Permission denied" run --rm base /etc/passwd
    printf 'neither script nor program\n' >text
    chmod 0755 text
    refused 126 "cannot execute /text: not a program for this machine (exec format error)" \
        run --rm -v ./text:/text base /text
    chmod 0644 text
    refused 126 "cannot execute /bin/text: Permission denied" run --rm -v ./text:/bin/text base text
}

@test "commands are looked for in the container, not on the host (S-047)" {
    mkdir bin
    printf '#!/bin/sh\necho host\n' >bin/only-here
    chmod 0755 bin bin/only-here
    PATH=$PWD/bin:$PATH not_found run --rm base only-here
    answers host run --rm -v ./bin:/opt/bin:ro -e PATH=/opt/bin:/bin base only-here
    answers /bin/wc run --rm base which wc
}

@test "the status of a command that a signal ended is 128 and the signal's number (CV-02)" {
    local pair
    for pair in KILL=137 TERM=143 INT=130 SEGV=139 ABRT=134; do
        run_whelk run --rm --init base sh -c "kill -${pair%=*} \$\$"
        assert_status "${pair#*=}"
        assert_stderr ""
    done
}

@test "a shell without anything to read ends at once (S-003)" {
    answers "" run --rm base sh
    run_whelk run --rm base
    assert_status 125
    assert_one_error
    assert_stderr "Error: image localhost/base:latest says no command to run; give one after the image's name"
}

@test "an image that is not there (CV-03)" {
    local image
    for image in nosuch base:v9 user/base base@sha256:1234; do
        run_whelk run --pull never "$image" true
        assert_status 125
        assert_one_error
        assert_stderr --partial "$image"
    done
    run_whelk run --pull never nosuch
    assert_stderr --partial "Error: no such image: nosuch"
    assert_equal "$(whelk ps -aq)" ""
}

@test "images by name, tag, id and prefix (S-044)" {
    local id name
    id=$(inspect_field base .Id)
    id=${id#sha256:}
    for name in base base:latest localhost/base localhost/base:latest "$id" "${id:0:8}" "sha256:$id"; do
        answers ok run --rm "$name" echo ok
    done
}

@test "mistakes of the command line: one line and 125 (CV-03, CV-28)" {
    refused 125 '"whelk run" needs at least one IMAGE argument; see whelk run --help' run
    refused 125 '"whelk run" needs at least one IMAGE argument; see whelk run --help' run -it --rm
    refused 125 'unknown option "--bogus" for "whelk run"; see whelk run --help' run --bogus base true
    refused 125 'unknown option "--privilegd" for "whelk run"; did you mean "--privileged"?' run --privilegd base true
    refused 125 'option "--rm" is either true or false, not "maybe"' run --rm=maybe base true
    refused 125 'option "--name" of "whelk run" needs a value: --name NAME' run --name
    refused 125 'option "--stop-timeout" needs a whole number, not "x"' run --stop-timeout x base true
    refused 125 '"=" is not an image; variables are set as -e NAME=value, without blanks around =' run -e NAME = value base
    assert_equal "$(whelk ps -aq)" ""
}

@test "--help prints the help and runs nothing" {
    run_whelk run --help
    assert_success
    assert_stderr ""
    assert_line "Usage: whelk run [OPTIONS] IMAGE [COMMAND [ARG...]]"
    assert_line --partial "-d, --detach "
    answers "--help" run --rm base echo --help
}

# --- in the background

@test "-d prints the id when the command has been executed (S-004, CV-21)" {
    local id
    run_whelk run -d base sleep 100
    assert_success
    assert_id "$output"
    assert_stderr ""
    id=$output
    assert_equal "$(whelk ps -q --no-trunc)" "$id"
    assert_equal "$(inspect_field "$id" .State.Running)" true
    # A caller that reads the output to its end does not wait for the container.
    id=$(timeout 20 "$WHELK" run --detach base sleep 100)
    assert_id "$id"
}

@test "-d of a command that cannot be executed fails as in the foreground" {
    not_found run -d base nosuch
    assert_one_error
    run_whelk run -d base /etc
    assert_status 126
    assert_one_error
    assert_equal "$(whelk ps -q)" ""
    not_found run -d --rm base nosuch
    assert_equal "$(whelk ps -aq | wc -l)" 2
}

@test "a container with -d and -i keeps its standard input open, one with -d alone has none" {
    local id
    id=$(whelk run -d -i base cat)
    whelk run -d --name c base cat >/dev/null
    assert_equal "$(whelk wait c)" 0
    assert_equal "$(inspect_field "$id" .State.Running)" true
}

@test "the end is recorded with status and time (S-091)" {
    whelk run -d --name c base sh -c 'exit 9' >/dev/null
    assert_equal "$(whelk wait c)" 9
    assert_equal "$(inspect_field c .State.Status)" exited
    assert_equal "$(inspect_field c .State.ExitCode)" 9
    [[ $(inspect_field c .State.FinishedAt) =~ ^20[0-9][0-9]-.*Z$ ]]
}

no_containers() {
    [ -z "$(whelk ps -aq)" ]
}

@test "--rm removes the container, in the foreground and in the background, and keeps the status (S-012)" {
    run_whelk run --rm --name c base sh -c 'exit 5'
    assert_status 5
    assert_equal "$(whelk ps -aq)" ""
    # The name is free again.
    whelk run -d --rm --name c base sleep 100 >/dev/null
    assert_equal "$(whelk kill c)" c
    wait_for 10 no_containers
    # One that cannot be started leaves nothing either.
    not_found run --rm base nosuch
    assert_equal "$(whelk ps -aq)" ""
    run_whelk run --rm=false --name c base true
    assert_equal "$(whelk ps -aq | wc -l)" 1
}

@test "containers of one image are independent (S-090)" {
    whelk run --name a base sh -c 'echo a >/file; rm /etc/group; echo x >>/etc/passwd'
    answers "1 5" run --rm base sh -c 'ls /file /etc/group 2>/dev/null | wc -l | tr "\n" " "; wc -l </etc/passwd'
}

# --- names and ids

@test "--name (R-009)" {
    local id name
    id=$(whelk run -d --name web.1_x-Y base sleep 100)
    assert_equal "$(inspect_field "$id" .Name)" /web.1_x-Y
    assert_equal "$(whelk stop -t 0 web.1_x-Y)" web.1_x-Y
    refused 125 "the container name \"web.1_x-Y\" is already in use by $id: remove that container or choose another name" \
        run --name web.1_x-Y base true
    assert_equal "$(whelk ps -aq | wc -l)" 1
    for name in -a .a _a a/b 'a b' 'ä' "$(printf 'a%.0s' {1..129})" ""; do
        run_whelk run --name "$name" base true
        assert_status 125
        assert_one_error
        assert_stderr --partial "Error: invalid container name '$name': it may have letters, digits, _ . and -, "
    done
    refused 125 "invalid container name 'a\\x0ab': it may have letters, digits, _ . and -, begins with a letter or digit, and is not longer than 128 bytes" \
        run --name $'a\nb' base true
}

@test "without a name one is made up of an adjective and a surname (S-045)" {
    local i
    for i in 1 2 3; do
        whelk create base true >/dev/null
    done
    assert_equal "$(whelk ps -a --format '{{.Names}}' 2>/dev/null | sort -u | grep -cE '^[a-z]+_[a-z]+$')" 3 ||
        assert_equal "$(for i in $(whelk ps -aq); do inspect_field "$i" .Name; done | sort -u | grep -cE '^/[a-z]+_[a-z]+$')" 3
}

@test "--cidfile (R-011)" {
    local id
    id=$(whelk run -d --cidfile cid base sleep 100)
    assert_equal "$(cat cid)" "$id"
    refused 125 "the cid file cid exists already; is another container using it? Remove it or name another" \
        run -d --cidfile cid base true
    refused 125 "cannot make the cid file no/such: No such file or directory" run -d --cidfile no/such base true
    whelk rm -f "$id" >/dev/null
    [ ! -e cid ]
    # A container that did not come to be leaves none, nor does --rm.
    run_whelk run --cidfile cid --pull never nosuch
    assert_status 125
    [ ! -e cid ]
    answers "" run --rm --cidfile cid base true
    [ ! -e cid ]
}

@test "--label (R-014)" {
    whelk create --name c --label a=1 -l b --label a=2=3 base true >/dev/null
    assert_equal "$(inspect_field c '.Config.Labels | tojson')" '{"a":"2=3","b":""}'
    refused 125 "--label =x has no key; write KEY=VALUE" run --label =x base true
}

# --- what the command finds

@test "environment of every container (CV-79)" {
    local id
    id=$(whelk run -d base env)
    whelk wait "$id" >/dev/null
    run_whelk logs "$id"
    assert_equal "$(sort <<<"$output")" "HOME=/root
HOSTNAME=${id:0:12}
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
container=whelk"
    # The caller's proxies and secrets stay outside.
    SECRET=x http_proxy=y run_whelk run --rm base sh -c 'env | grep -cE "SECRET|http_proxy"'
    assert_output 0
    # HOME is the user's, unless it is set.
    answers /x run --rm -e HOME=/x base sh -c 'echo $HOME'
}

@test "-e sets, copies, and the later wins (S-010, R-035)" {
    export WHELK_T_ONE=1 WHELK_T_TWO="2 words"
    unset WHELK_T_NONE
    answers "v w/=/" run --rm -e A="v w" --env B== base sh -c 'echo "$A/${B}/"'
    answers $'x\n\nset' run --rm -e A=w -e A=x -e E= base sh -c 'echo "$A"; echo "$E"; echo "${E+set}"'
    answers "1-2 words-unset" run --rm -e WHELK_T_ONE -e WHELK_T_TWO -e WHELK_T_NONE base \
        sh -c 'echo "$WHELK_T_ONE-$WHELK_T_TWO-${WHELK_T_NONE-unset}"'
    answers "1-2 words" run --rm -e 'WHELK_T_*' base sh -c 'echo "$WHELK_T_ONE-$WHELK_T_TWO"'
    answers "a=b" run --rm -ePATH=/bin -e=A=a=b base sh -c 'echo "$A"'
    refused 125 'environment variable "=x" has no name; write -e NAME=value without blanks around =' run -e =x base true
    refused 125 'environment variable "" has no name; write -e NAME=value without blanks around =' run -e "" base true
}

@test "--env-file (R-036)" {
    export WHELK_T_ONE=1
    unset WHELK_T_NONE
    printf '%s\n' '# comment' '  # another' '' 'A=1' '  B = "quoted" $A  ' 'WHELK_T_ONE' 'WHELK_T_NONE' 'A=2' 'C=a=b#c' >vars
    printf 'A=3\r\nD=x' >more
    run_whelk run --rm --env-file vars base env
    assert_line A=2
    assert_line "WHELK_T_ONE=1"
    assert_line "C=a=b#c"
    refute_output WHELK_T_NONE
    refute_output comment
    run_whelk run --rm --env-file vars --env-file more -e C=c base env
    assert_line A=3
    assert_line D=x
    assert_line C=c
    refused 125 "cannot read the environment file no/such: No such file or directory" run --env-file no/such base true
    refused 125 "cannot read the environment file .: Is a directory" run --env-file . base true
    echo =x >bad
    refused 125 'bad: environment variable "=x" has no name; write -e NAME=value without blanks around =' run --env-file bad base true
}

@test "-w is made if it is missing (S-011, R-042)" {
    answers / run --rm base pwd
    answers /tmp run --rm -w /tmp base pwd
    answers /new/dir run --rm -w //new/./dir/ base pwd
    answers "root 755" run --rm --workdir /new base sh -c 'stat -c "%U %a" /new'
    refused 125 "--workdir rel: the working directory must be an absolute path" run -w rel base pwd
    refused 125 "cannot make the directory etc/passwd in the container: Not a directory" run --rm -w /etc/passwd base pwd
}

@test "-u: root is there for everybody (R-043)" {
    answers "0 0 /root" run --rm base sh -c 'echo $(id -u) $(id -g) $HOME'
    answers "0 0 /root" run --rm -u 0 base sh -c 'echo $(id -u) $(id -g) $HOME'
    answers "0 0 /root" run --rm --user root:root base sh -c 'echo $(id -u) $(id -g) $HOME'
    refused 125 "the container's /etc/passwd has no user \"nosuch\"; use a number or a name that it has" \
        run --rm -u nosuch base id
    refused 125 "the container's /etc/group has no group \"nosuch\"; use a number or a name that it has" \
        run --rm -u 0:nosuch base id
    refused 125 "the container's /etc/passwd has no user \"99999999999\"; use a number or a name that it has" \
        run --rm -u 99999999999 base id
}

@test "-u: other users, by the container's own files" {
    needs_ids
    answers "uid=0(root) gid=0(root) groups=0(root)" run --rm base id
    answers "uid=1000(user) gid=1000(user) groups=50(staff),1000(user)" run --rm -u user base id
    answers "uid=1000(user) gid=1000(user) groups=50(staff),1000(user)" run --rm -u 1000 base id
    answers "uid=1000(user) gid=33(www-data) groups=33(www-data)" run --rm -u user:www-data base id
    answers "uid=33(www-data) gid=5(tty) groups=5(tty)" run --rm -u 33:5 base id
    answers "4242 0 /" run --rm -u 4242 base sh -c 'echo $(id -u) $(id -g) $HOME'
    answers "1000 /home/user" run --rm -u user base sh -c 'echo $(id -u) $HOME'
    # It can write where it may, and only there.
    answers 1000 run --rm -u user -w /home/user base sh -c 'touch x; stat -c %u x; ! touch /x 2>/dev/null'
}

@test "-u: what is not mapped" {
    [ "$WHELK_LANE" != root ] || skip "root has all ids"
    if has_ids; then
        refused 125 "user 99999999:0 is outside of the ids that are mapped; more are given in /etc/subuid and /etc/subgid" \
            run --rm -u 99999999 base id
    else
        refused 125 "user 1000:1000 needs more ids than this user has: only 0 is mapped; as root, usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER, then use a new store" \
            run --rm -u user base id
    fi
}

@test "-h, and the files that whelk writes (R-050)" {
    local id
    answers $'my.host\nmy.host\nmy.host' run --rm -h my.host base sh -c 'hostname; cat /etc/hostname; echo $HOSTNAME'
    id=$(whelk run -d --name c base cat /etc/hosts)
    whelk wait c >/dev/null
    run_whelk logs c
    assert_line --regexp '^127\.0\.0\.1[[:space:]]+localhost'
    assert_line --regexp "[[:space:]]${id:0:12}( |\$)"
    assert_line --regexp '[[:space:]]c$'
    answers "$(cat /etc/resolv.conf)" run --rm --network host base cat /etc/resolv.conf
    refused 125 "--hostname bad_host: letters, digits, dots and dashes, at most 64" run -h bad_host base true
    refused 125 "--hostname : letters, digits, dots and dashes, at most 64" run --hostname "" base true
    run_whelk run -h "$(printf 'a%.0s' {1..65})" base true
    assert_status 125
    answers 64 run --rm -h "$(printf 'a%.0s' {1..64})" base sh -c 'printf %s $(hostname) | wc -c'
}

# --- ENTRYPOINT and CMD

@test "--entrypoint replaces the entrypoint and clears the command (R-034)" {
    answers "x y" run --rm --entrypoint echo base x y
    answers "" run --rm --entrypoint echo base
    answers "x y" run --rm --entrypoint '["sh", "-c", "echo $0 $1"]' base x y
    answers ok run --rm --entrypoint "" base echo ok
    refused 125 "image localhost/base:latest says no command to run; give one after the image's name" run --entrypoint "" base
    refused 125 "--entrypoint [1]: element 0 is not a string" run --entrypoint "[1]" base
    run_whelk run --entrypoint '["sh"' base
    assert_status 125
    assert_one_error
    assert_stderr --partial "Error: --entrypoint [\"sh\": "
}

@test "ENTRYPOINT and CMD, and what the command line makes of them (S-002, S-067)" {
    needs_build
    local table line name entrypoint cmd
    # NAME | ENTRYPOINT | CMD | without words | with the words "x y"
    table='
none-exec   |                   | ["echo","cmd"] | cmd       | sh: x: not
exec-none   | ["echo","entry"]  |                | entry     | entry x y
exec-exec   | ["echo","entry"]  | ["cmd"]        | entry cmd | entry x y
exec-shell  | ["echo","entry"]  | cmd arg        | entry /bin/sh -c cmd arg | entry x y
shell-none  | echo entry        |                | entry     | entry
shell-exec  | echo entry        | ["cmd"]        | entry     | entry
none-shell  |                   | echo $((1 + 2)) | 3        | sh: x: not'
    while IFS='|' read -r name entrypoint cmd plain words; do
        read -r name <<<"$name"
        read -r plain <<<"$plain"
        read -r words <<<"$words"
        [ -n "$name" ] || continue
        {
            echo "FROM base"
            [ -z "${entrypoint// /}" ] || echo "ENTRYPOINT $entrypoint"
            [ -z "${cmd// /}" ] || echo "CMD $cmd"
        } | build_image "$name" >/dev/null
        answers "$plain" run --rm "$name"
        if [ "$words" = "sh: x: not" ]; then
            not_found run --rm "$name" x y
            answers "x y" run --rm "$name" echo x y
        else
            answers "$words" run --rm "$name" x y
        fi
        # --entrypoint clears the image's CMD too.
        answers "" run --rm --entrypoint echo "$name"
        answers "x y" run --rm --entrypoint echo "$name" x y
        whelk rmi "$name" >/dev/null
    done <<<"$table"
}

@test "what else an image says: ENV, WORKDIR, USER, LABEL" {
    needs_build
    build_image says >/dev/null <<'DOCKERFILE'
FROM base
ENV A=image PATH=/bin:/sbin
WORKDIR /work
LABEL l=image m=image
USER root
CMD ["sh", "-c", "echo $A $PATH $PWD"]
DOCKERFILE
    answers "image /bin:/sbin /work" run --rm says
    answers "cli /bin /" run --rm -e A=cli -e PATH=/bin -w / says
    whelk create --name c --label l=cli says >/dev/null
    assert_equal "$(inspect_field c '.Config.Labels | tojson')" '{"l":"cli","m":"image"}'
    whelk rm -a >/dev/null
    whelk rmi says >/dev/null
}

# --- --init

@test "--init is process 1: it reaps, and hides what whelk was called with (R-054)" {
    answers whelk-init run --rm --init base cat /proc/1/comm
    answers "whelk-init" run --rm --init -v /etc/hostname:/h -e SECRET=1 base sh -c "tr -d '\0' </proc/1/cmdline"
    run_whelk run --rm --init base cat /proc/1/environ /proc/1/maps
    assert_status 1
    assert_output ""
    # An orphan that ends is gone, and no zombie.
    answers reaped run --rm --init base sh -c '
        sh -c "sleep 0.05 & echo \$! >/pid"
        for i in $(seq 500); do
            [ -e /proc/$(cat /pid) ] || { echo reaped; exit; }
            sleep 0.01
        done; grep State /proc/$(cat /pid)/status'
    run_whelk run --rm --init base sh -c 'exit 6'
    assert_status 6
    refused 127 "cannot execute /no/such: no such file in the container" run --rm --init base /no/such
}

@test "--init passes signals on" {
    whelk run -d --init --name c base sh -c 'trap "echo got; exit 9" TERM; echo ready; while :; do sleep 0.05; done' >/dev/null
    wait_for 10 printed c ready
    answers c stop c
    assert_equal "$(whelk wait c)" 9
    printed c got
    # What does not handle TERM ends too: it is not process 1.
    whelk run -d --init --name d base sleep 100 >/dev/null
    answers d stop d
    assert_equal "$(whelk wait d)" 143
}

@test "--stop-signal and --stop-timeout are checked (R-056, R-057)" {
    refused 125 "--stop-signal: invalid signal: BOGUS" run --stop-signal BOGUS base true
    refused 125 "--stop-timeout -2: seconds, or -1 to wait for ever" run --stop-timeout=-2 base true
    answers "" run --rm --stop-signal 12 --stop-timeout -1 base true
}

# --- networks

@test "--network none and private have a network of their own, with loopback" {
    local mode
    for mode in none private; do
        run_whelk run --rm --network $mode base sh -c 'readlink /proc/self/ns/net; ip addr show lo'
        assert_success
        [ "${lines[0]}" != "$(readlink /proc/self/ns/net)" ]
        assert_output --partial ",UP"
        assert_output --partial "inet 127.0.0.1/8"
    done
    answers 1 run --rm --net none base sh -c 'ip link | grep -c "^[0-9]"'
}

@test "--network host shares that of the host" {
    answers "$(readlink /proc/self/ns/net)" run --rm --network host base readlink /proc/self/ns/net
    answers "$(hostname)" run --rm --net=host base hostname
}

@test "other networks are refused" {
    run_whelk run --network bogus:x/y base true
    assert_status 125
    assert_one_error
    assert_stderr --partial "Error: --network bogus:x/y"
}

@test "--pull knows its words (R-019)" {
    answers ok run --rm --pull never base echo ok
    answers ok run --rm --pull=missing base echo ok
    run_whelk run --rm --pull sometimes base echo ok
    assert_status 125
    assert_one_error
    assert_stderr 'Error: --pull: "sometimes" is not a policy for pulling: missing, always, never, newer'
}

@test "programs can see that they are in a container, and nothing of it gets into images (CV-79)" {
    run_whelk run --name marked base sh -c '[ -f /run/.containerenv ] && [ ! -s /run/.containerenv ] && echo there'
    assert_output there
    answers "" diff marked
    whelk commit marked marked >/dev/null 2>&1
    printf 'FROM base\nRUN [ -f /run/.containerenv ]\n' | whelk build -t built - >/dev/null 2>&1
    for image in marked built; do
        id=$(whelk create "$image" true)
        assert_equal "$(whelk export "$id" | tar -t | grep -c containerenv)" 0
        whelk rm "$id" >/dev/null
    done
    mkdir -p host
    answers there run --rm -v ./host:/run base sh -c '[ -e /run/.containerenv ] || echo there'
    assert_equal "$(ls -A host)" ""
    whelk rm marked >/dev/null
    whelk rmi marked built >/dev/null
}
