#!/usr/bin/env bats
# whelk rm (S-028, CV-04)

load ../lib/common
load ../lib/container
load ../lib/tidy

@test "it removes containers that do not run, and prints what was typed" {
    local id
    whelk run --name a base touch /file
    id=$(whelk create --name b base true)
    run_whelk rm a "${id:0:10}"
    assert_success
    assert_stderr ""
    assert_equal "$(sort <<<"$output")" "$(printf '%s\n' a "${id:0:10}" | sort)"
    no_containers_left
    # Its other names.
    for command in "container rm" "container remove" remove; do
        whelk create --name a base true >/dev/null
        answers a $command a
    done
}

@test "the name can be taken again, and nothing of the files is left" {
    whelk run --name a base touch /file
    whelk rm a >/dev/null
    answers gone run --rm --name a base sh -c '[ -e /file ] || echo gone'
}

@test "what holds much is deleted when rm ends, and what holds little soon after" {
    whelk run --name a base sh -c 'i=0; while [ $i -lt 500 ]; do : >/$i; i=$((i + 1)); done'
    whelk create --name b base true >/dev/null
    answers a rm a
    assert_equal "$(store_entries tmp)" ""
    answers b rm b
    nothing_in_tmp() { [ -z "$(store_entries tmp)" ]; }
    wait_for 10 nothing_in_tmp
}

@test "files of any owner and mode are removed" {
    whelk run --name a base sh -c 'mkdir -p /d/e && touch /d/e/f && chmod 0 /d/e /d && chmod 0500 /etc'
    answers a rm a
    no_containers_left
    needs_ids
    whelk run --name a base sh -c 'mkdir -p /d/e && touch /d/e/f && chown -R user:user /d && chmod 0700 /d /d/e'
    answers a rm a
    no_containers_left
}

@test "one that runs is refused with 2 and told how (S-028, CV-04)" {
    local id
    id=$(whelk run -d --name c base sleep 100)
    refused 2 "container ${id:0:12} is running; stop it first, or remove it with --force" rm c
    assert_equal "$(inspect_field c .State.Running)" true
    answers c rm -f c
    assert_equal "$(whelk ps -aq)" ""
}

@test "one that is not there: 1, but other errors come first (CV-04)" {
    whelk create --name a base true >/dev/null
    whelk run -d --name c base sleep 100 >/dev/null
    refused 1 "no such container: nosuch" rm nosuch
    run_whelk rm nosuch a
    assert_status 1
    assert_output a
    assert_stderr "Error: no such container: nosuch"
    run_whelk rm nosuch c
    assert_status 2
    run_whelk rm c nosuch
    assert_status 2
    assert_stderr_line --partial "is running"
    assert_stderr_line "Error: no such container: nosuch"
}

@test "-f: what is not there is no error; -i neither" {
    whelk create --name a base true >/dev/null
    whelk create --name b base true >/dev/null
    answers "" rm -f nosuch
    answers "" rm --ignore nosuch
    answers a rm -f nosuch a
    answers b rm -i nosuch b
    whelk run -d --name c base sleep 100 >/dev/null
    run_whelk rm -i nosuch c
    assert_status 2
}

@test "-f -t gives time to end" {
    mkdir d
    chmod 0777 d
    whelk run -d --name c -v ./d:/d base sh -c 'trap "touch /d/ended; exit" TERM; touch /d/ready; while :; do sleep 0.02; done' >/dev/null
    wait_for 10 test -e d/ready
    answers c rm -f -t 20 c
    [ -e d/ended ]
    rm d/*
    # Without, it is killed.
    whelk run -d --name c -v ./d:/d base sh -c 'trap "touch /d/ended; exit" TERM; touch /d/ready; while :; do sleep 0.02; done' >/dev/null
    wait_for 10 test -e d/ready
    answers c rm --force c
    [ ! -e d/ended ]
}

@test "-a, and rm \$(ps -aq) (S-023)" {
    whelk create --name a base true >/dev/null
    whelk run --name b base true
    run_whelk rm $(whelk ps -a -q)
    assert_success
    assert_equal "${#lines[@]}" 2
    whelk create --name a base true >/dev/null
    whelk run -d --name c base sleep 100 >/dev/null
    run_whelk rm -a
    assert_status 2
    assert_equal "${#lines[@]}" 1
    run_whelk rm -af
    assert_success
    assert_equal "$(whelk ps -aq)" ""
    answers "" rm --all
}

@test "many, some of which run, side by side" {
    local n
    for n in {1..8}; do
        whelk create base sleep 100 >/dev/null
        whelk run -d base sleep 100 >/dev/null
    done
    run_whelk rm -f $(whelk ps -aq)
    assert_success
    assert_equal "${#lines[@]}" 16
    no_containers_left
}

@test "who waits for a container that is removed is not left waiting" {
    whelk run -d --name c base sleep 100 >/dev/null
    "$WHELK" wait c >out 3>&- &
    pid=$!
    sleep 0.1
    whelk rm -f c >/dev/null
    wait "$pid"
    assert_equal "$(cat out)" 137
}

@test "--depend: first those that need it, and those that need them" {
    local a b c
    a=$(whelk run -d --name a base sleep 300)
    b=$(whelk run -d --name b --network "container:a" base sleep 300)
    c=$(whelk create --name c --requires b base true)
    whelk create --name other base true >/dev/null
    run_whelk rm -f --depend a
    assert_success
    assert_output "$c
$b
a"
    assert_equal "$(whelk ps -a --format '{{.Names}}')" other
    a=$(whelk run -d --name a --ipc shareable base sleep 300)
    whelk create --name b --ipc "container:a" base true >/dev/null
    run_whelk rm --depend a # what needs it goes first; it runs itself
    assert_status 2
    assert_equal "$(whelk ps -a --format '{{.Names}}' | sort | xargs)" "a other"
    whelk create --name b --pid "container:a" base true >/dev/null
    run_whelk rm -f --depend a b
    assert_success
    assert_equal "$(sort <<<"$output" | xargs)" "a b"
    refused 125 "--link: whelk has no links between containers; they find each other by names" rm --link other
}

@test "mistakes" {
    whelk create --name a base true >/dev/null
    refused 125 "name at least one container, or give --all" rm
    refused 125 "--all takes no containers besides" rm -a a
    refused 125 "--time -3: seconds, or -1 to wait for ever" rm -f -t -3 a
    refused 125 'option "--time" needs a whole number, not "x"' rm --time x a
    refused 125 'unknown option "--bogus" for "whelk rm"; see whelk rm --help' rm --bogus a
    assert_equal "$(whelk ps -aq | wc -l)" 1
}

@test "a cid file, the last one, and those that match" {
    whelk create --name a --cidfile "$BATS_TEST_TMPDIR/a" base true >/dev/null
    whelk create --name b -l k base true >/dev/null
    whelk create --name c base true >/dev/null
    answers "$(inspect_field c .Id)" rm -l
    answers "$(inspect_field b .Id)" rm --filter label=k
    answers "$(inspect_field a .Id)" rm --cidfile "$BATS_TEST_TMPDIR/a"
    answers "" rm -i --cidfile "$BATS_TEST_TMPDIR/a"
}
