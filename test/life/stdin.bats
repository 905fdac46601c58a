# A caller's stdin is data for the container, never a way out of it.

load ../lib/common

setup_file() {
    base_image
}

setup() {
    FILE=$BATS_TEST_TMPDIR/file
    printf 'precious\n' >"$FILE"
    touch "$BATS_TEST_TMPDIR/code"
    DIR=$BATS_TEST_TMPDIR/dir
    mkdir "$DIR"
    # For owners with the same id as root inside, only the kind of descriptor protects it.
    chmod 0644 "$FILE"
}

teardown() {
    whelk rm -af >/dev/null 2>&1 || :
}

@test "a file on stdin is read, and cannot be opened again" {
    run bash -c '"$WHELK" run -i --rm base cat <"$1"' - "$FILE"
    assert_output precious
    run bash -c '"$WHELK" run -i --rm base fdprobe 0 <"$1"' - "$FILE"
    assert_success
    refute_output "type file"
    refute_output wrote
    refute_output truncated
    assert_equal "$(cat "$FILE")" precious
}

@test "a file on the stdin of exec is read, and cannot be opened again" {
    local id
    id=$(whelk run -d base sleep 100)
    run bash -c '"$WHELK" exec -i "$1" cat <"$2"' - "$id" "$FILE"
    assert_output precious
    run bash -c '"$WHELK" exec -i "$1" fdprobe 0 <"$2"' - "$id" "$FILE"
    assert_success
    refute_output "type file"
    refute_output wrote
    assert_equal "$(cat "$FILE")" precious
}

@test "a file that is open for writing, on stdin, is not written" {
    run bash -c '"$WHELK" run -i --rm base sh -c "echo pwned >&0; echo pwned >/proc/self/fd/0; true" 0<>"$1"' - "$FILE"
    assert_equal "$(cat "$FILE")" precious
}

@test "a directory on stdin never enters" {
    run bash -c '"$WHELK" run -i --rm base fdprobe 0 <"$1"' - "$DIR"
    refute_output "type directory"
    refute_output "walked to"
    run bash -c '"$WHELK" run -i --rm base sh -c "cd /proc/self/fd/0/.. && ls" <"$1"' - "$DIR"
    [ "$status" -ne 0 ]
    refute_output code # what stands beside the directory
}

@test "a directory on the stdin of exec never enters" {
    local id
    id=$(whelk run -d base sleep 100)
    run bash -c '"$WHELK" exec -i "$1" fdprobe 0 <"$2"' - "$id" "$DIR"
    refute_output "type directory"
    refute_output "walked to"
}

@test "without -i stdin is empty, whatever the caller has" {
    run bash -c '"$WHELK" run --rm base fdprobe 0 <"$1"' - "$FILE"
    assert_line "type device"
    run bash -c '"$WHELK" run --rm base cat <"$1"' - "$FILE"
    assert_success
    assert_output ""
}

@test "stdout and stderr inside are not the caller's files" {
    whelk run --rm base sh -c 'fdprobe 1; fdprobe 2 >&2' >"$FILE.out" 2>"$FILE.err"
    assert_equal "$(head -n 1 "$FILE.out")" "type pipe"
    assert_equal "$(head -n 1 "$FILE.err")" "type pipe"
}

@test "no other descriptor of the caller enters" {
    run bash -c 'exec 5<"$1" 6<"$2" 7</ 200<"$1"; "$WHELK" run --rm base sh -c "echo /proc/self/fd/*"' - "$FILE" "$DIR"
    assert_success
    [[ $output =~ ^(/proc/self/fd/[0-3]\ ?)+$ ]]
    whelk run -d --name c base sleep 100
    run bash -c 'exec 5<"$1" 6<"$2" 7</ 200<"$1"; "$WHELK" exec c sh -c "echo /proc/self/fd/*"' - "$FILE" "$DIR"
    [[ $output =~ ^(/proc/self/fd/[0-3]\ ?)+$ ]]
}

@test "a pipe is handed in, and its end arrives" {
    run bash -c 'printf "a\nb\n" | "$WHELK" run -i --rm base wc -l'
    assert_output 2
    run bash -c 'head -c 3000000 /dev/zero | "$WHELK" run -i --rm base wc -c'
    assert_output 3000000
    head -c 3000000 /dev/zero >"$FILE"
    run bash -c '"$WHELK" run -i --rm base wc -c <"$1"' - "$FILE"
    assert_output 3000000
}

@test "a reader that stops early does not hold up the run" {
    run timeout 20 bash -c 'yes | "$WHELK" run -i --rm base head -n 1'
    assert_success
    assert_output y
}
