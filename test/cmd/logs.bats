#!/usr/bin/env bats
# whelk logs (S-041, CV-15)

load ../lib/common

setup() {
    base_image
}

teardown() {
    whelk rm -af >/dev/null
    no_containers_left
}

@test "standard output and standard error go where they came from, after the end too" {
    whelk run --name c base sh -c 'echo out; echo err >&2; echo more; exit 4' >/dev/null 2>&1 || true
    for command in "logs" "container logs"; do
        run_whelk $command c
        assert_success
        assert_output $'out\nmore'
        assert_stderr err
    done
    run_whelk logs c 2>/dev/null
    assert_output $'out\nmore'
}

@test "of a container that runs" {
    id=$(whelk run -d --name c base sh -c 'echo started; sleep 300')
    wait_for 10 grep -q started "$STORE/containers/$id/log"
    run_whelk logs c
    assert_success
    assert_output started
    run_whelk logs "${id:0:12}"
    assert_output started
    run_whelk logs "$id"
    assert_output started
}

@test "of every start" {
    whelk run --name c base sh -c 'echo again' >/dev/null
    whelk start -a c >/dev/null
    run_whelk logs c
    assert_output $'again\nagain'
}

@test "of one that never ran: nothing" {
    whelk create --name c base true
    run_whelk logs c
    assert_success
    assert_output ""
    assert_stderr ""
}

@test "bytes come back as they were" {
    script='printf "\\000\\001\\377\\r\\n\\n  x  \\n"; head -c 200000 /dev/zero | tr "\\000" y; printf "\\nlast without end"'
    whelk run base sh -c "$script" >"$BATS_TEST_TMPDIR/out"
    whelk run --name c base sh -c "$script" >/dev/null
    whelk logs c >"$BATS_TEST_TMPDIR/log"
    [ "$(wc -c <"$BATS_TEST_TMPDIR/log")" -gt 200000 ]
    cmp "$BATS_TEST_TMPDIR/log" "$BATS_TEST_TMPDIR/out"
}

@test "a torn tail is left out, the rest is shown" {
    id=$(whelk create --name c base echo whole)
    whelk start -a c >/dev/null
    printf '2026-01-01T00:00:00.000000000Z stdout F torn' >>"$STORE/containers/$id/log"
    run_whelk logs c
    assert_success
    assert_output whole
    assert_stderr ""
}

@test "lines that are no records do no harm" {
    id=$(whelk create --name c base true)
    printf 'x\n\nnonsense\n2026-01-01T00:00:00.000000000Z stdout F right\n' >"$STORE/containers/$id/log"
    run_whelk logs c
    assert_success
    assert_output right
}

@test "a reader that went away is quiet (CV-15)" {
    whelk run --name c base sh -c 'i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i + 1)); done' >/dev/null
    run --separate-stderr bash -c '"$1" logs c | head -n 1; echo "${PIPESTATUS[0]}"' - "$WHELK"
    assert_output $'line 0\n0'
    assert_stderr ""
    whelk logs c | tail -n 1 | grep -qx 'line 19999'
}

@test "a full disk behind it is an error" {
    id=$(whelk create --name c base echo hello)
    whelk start -a c >/dev/null
    run --separate-stderr bash -c '"$1" logs c >/dev/full' - "$WHELK"
    assert_status 125
    assert_one_error
    assert_stderr "Error: cannot write out the log of container ${id:0:12}: No space left on device"
}

@test "the log goes with its container" {
    whelk run --name c base echo hello >/dev/null
    whelk rm c
    run_whelk logs c
    assert_status 125
    assert_one_error
    assert_stderr "Error: no such container: c"
}

@test "an ambiguous start of an id is an error that lists the candidates (S-044)" {
    for i in {1..17}; do whelk create base true >/dev/null; done # of 17 ids two begin with the same digit
    digit=$(whelk ps -aq | cut -c1 | sort | uniq -d | head -n 1)
    run_whelk logs "$digit"
    assert_status 125
    assert_one_error
    assert_stderr --partial "Error: \"$digit\" is the start of more than one container id: $digit"
    for id in $(whelk ps -aq | grep "^$digit"); do assert_stderr --partial "$id"; done
}

@test "of several containers; of those that are not there it says so" {
    whelk run --name one base echo 1 >/dev/null
    whelk run --name two base echo 2 >/dev/null
    run_whelk logs two nosuch one
    assert_status 125
    assert_output $'2\n1'
    assert_stderr "Error: no such container: nosuch"
    run_whelk logs --names one two
    assert_success
    assert_output $'one 1\ntwo 2'
}

# write_log ID: five lines, a minute apart.
write_log() {
    printf '2026-01-01T00:0%s:00.000000000Z %s\n' 1 'stdout F one' 2 'stderr F two' 3 'stdout P th' 3 'stdout F ree' \
        4 'stdout F four' 5 'stdout F five' >"$STORE/containers/$1/log"
}

@test "--tail takes the last lines" {
    write_log "$(whelk create --name c base true)"
    while IFS='|' read -r words out err; do
        run_whelk logs $words c
        assert_success
        assert_output "$(tr ' ' '\n' <<<"$out")"
        assert_stderr "$err"
    done <<'END'
|one three four five|two
-n 2|four five|
--tail 3|three four five|
--tail=4|three four five|two
-n 100|one three four five|two
-n all|one three four five|two
--tail 0||
END
}

@test "--since and --until choose by time" {
    write_log "$(whelk create --name c base true)"
    while IFS='|' read -r words out err; do
        run_whelk logs $words c
        assert_success
        assert_output "$(tr ' ' '\n' <<<"$out")"
        assert_stderr "$err"
    done <<'END'
--since 2026-01-01T00:03:30Z|four five|
--until 2026-01-01T00:01:30Z|one|
--since 2026-01-01T00:01:30Z --until 2026-01-01T00:02:30Z||two
--since 2026-01-01T00:01:30Z -n 1|five|
--since 1767225750|three four five|
--since 2027-01-01||
END
    whelk run --name now base echo young >/dev/null
    run_whelk logs --since 10m now
    assert_output young
    run_whelk logs --until 10m now
    assert_output ""
}

@test "--timestamps tells when a line was written (CV-25)" {
    write_log "$(whelk create --name c base true)"
    run_whelk logs -t c
    assert_success
    assert_equal "${lines[0]}" "2026-01-01T00:01:00.000000000Z one"
    assert_equal "${lines[1]}" "2026-01-01T00:03:00.000000000Z three"
    assert_stderr "2026-01-01T00:02:00.000000000Z two"
}

@test "--follow goes on until the end, and gives each line at once" {
    whelk run -d --name c base sh -c 'echo first; while [ ! -e /go ]; do sleep 0.05; done; echo last; exit 3'
    "$WHELK" logs -f c >"$BATS_TEST_TMPDIR/out" 3>&- &
    pid=$!
    wait_for 10 grep -q first "$BATS_TEST_TMPDIR/out"
    kill -0 "$pid"
    whelk exec c touch /go
    wait "$pid"
    assert_equal "$(cat "$BATS_TEST_TMPDIR/out")" $'first\nlast'
    # Of one that has ended there is nothing to wait for.
    run_whelk logs --follow c
    assert_success
    assert_output $'first\nlast'
}

@test "usage errors" {
    while IFS='|' read -r words text; do
        run_whelk logs $words
        assert_status 125
        assert_one_error
        assert_stderr --partial "Error: $text"
    done <<'END'
|name at least one container, or give --all
nosuch|no such container: nosuch
--bogus a|unknown option "--bogus" for "whelk logs"; see whelk logs --help
--color a|--color is for the names in front of the lines; give --names too
--tail x a|--tail x is not a number of lines; give a number, or all
--since nonsense a|"nonsense" is not a time; write how long ago (2h30m), seconds since 1970, or a date
END
}

@test "several are followed at once; names, colours and labels in front" {
    whelk run -d --name a -l k=v base sh -c 'echo one; sleep 0.3; echo two' >/dev/null
    whelk run -d --name b base sh -c 'echo three' >/dev/null
    run_whelk logs -f --names a b
    assert_success
    assert_equal "$(sort <<<"$output")" $'a one\na two\nb three'
    run_whelk logs --names --color --details a
    assert_line --regexp $'^\033\\[3[0-9]ma\033\\[0m k=v two$'
    run_whelk logs -l
    assert_output three
}
