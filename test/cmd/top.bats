#!/usr/bin/env bats
# whelk top (C-024)

load ../lib/common
load ../lib/container

setup_file() {
    base_image
}

teardown() {
    whelk rm -af >/dev/null
    no_containers_left
}

# A container without any ps in it whose first process has a child.
family() {
    whelk run -d --name c "$@" base sh -c 'rm -f /bin/ps; sleep 300 & wait' >/dev/null
    wait_for 10 has_two
}
has_two() {
    [ "$(whelk top c pid | wc -l)" = 3 ]
}
row() { # the words of the row of the first process
    run_whelk top c "$@"
    assert_success
    assert_stderr ""
    set -- ${lines[1]}
    echo "$*"
}

@test "docker's columns, with the container's pids and names" {
    family
    run_whelk top c
    assert_success
    assert_line --regexp '^UID +PID +PPID +C +STIME +TTY +TIME +CMD$'
    assert_line --regexp '^root +1 +0 +[0-9]+ +[^ ]+ +\? +00:00:0[0-9] +sh -c rm -f /bin/ps; sleep 300 & wait$'
    assert_line --regexp '^root +[0-9]+ +1 .* sleep 300$'
    assert_equal "${#lines[@]}" 3
    run_whelk container top c -ef
    assert_success
    assert_line --regexp '^root +1 +0 '
}

@test "options of ps, and descriptors" {
    family
    run_whelk top c -o pid,args=WHAT
    assert_success
    assert_equal "$(head -n 1 <<<"$output")" "PID   WHAT"
    for words in "-eo pid,ppid" "-eopid,ppid" "o pid,ppid" "pid ppid" "pid,ppid" "%p %P"; do
        assert_equal "$(row $words)" "1 0"
    done
    run_whelk top c aux
    assert_success
    assert_line --regexp '^USER +PID +%CPU +%MEM +VSZ +RSS +TTY +STAT +STIME +TIME +COMMAND$'
    run_whelk top c -l
    assert_line --regexp '^STATE +UID +PID '
    assert_equal "$(row pgid sid uid gid ruser rgroup group)" "1 1 0 0 root root root"
    assert_equal "$(row hpid)" "$(container_pid c)"
    assert_equal "$(row seccomp label comm)" "filter ? sh"
    [[ $(row capeff) == *SETUID* ]]
    [[ $(row capbnd) == *SYS_CHROOT* ]]
    assert_equal "$(row capamb)" none
    for number in nice etimes vsz rss nlwp; do
        [[ $(row "$number") =~ ^-?[0-9]+$ ]]
    done
    [[ $(row etime time) =~ ^[0-9]+:[0-9]+\ [0-9]+:[0-9]+:[0-9]+$ ]]
}

@test "users of the container by name, and what exec started" {
    needs_ids
    whelk run -d --name c --user user base sleep 300 >/dev/null
    in_background whelk exec -u 0 c sleep 299
    wait_for 10 has_two
    assert_equal "$(row user uid)" "user $(whelk exec c id -u)"
    run_whelk top c user args
    assert_line --regexp '^root +sleep 299$'
    whelk kill c >/dev/null
    wait_all || true
}

@test "of other containers nothing is seen" {
    family
    whelk run -d --name d base sleep 777 >/dev/null
    run_whelk top c args
    refute_output 777
    run_whelk top -l args
    assert_line "sleep 777"
}

@test "hostile passwd, names and arguments (H10)" {
    whelk run -d --name c base sh -c 'rm /etc/passwd; mkfifo /etc/passwd; exec sh -c "sleep 300; :" "$(printf "a\033[31mb")"' >/dev/null
    run_whelk top c user args
    assert_success
    assert_line --regexp '^0 '
    refute_output $'\033'
}

@test "mistakes" {
    local id
    refused 125 "no such container: nosuch" top nosuch
    refused 125 "name a container, or give --latest" top
    id=$(whelk create --name c base true)
    refused 125 "container c is not running" top c
    run_whelk top c nosuch
    assert_status 125
    assert_stderr --partial '"nosuch" is no descriptor; known: user, uid,'
    refused 125 'top: the option "q" of ps is not known here; known: e f F l j u v a x w, and -o LIST' top c -q
    refused 125 "top: -o needs a list, as -o pid,args" top c -o
}
