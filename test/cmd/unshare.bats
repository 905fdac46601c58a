#!/usr/bin/env bats
# whelk unshare (C-152)

load ../lib/common

@test "runs a command as root over the store's files" {
    base_image
    run_whelk unshare id -u
    assert_success
    assert_output 0
    whelk unshare sh -c 'chown 33:33 "$1" 2>/dev/null || chown 0:0 "$1"' - "$(mktemp -p "$BATS_TEST_TMPDIR")"
    layer=$(ls "$STORE/layers")
    owner=$(whelk unshare stat -c %u "$STORE/layers/$layer/diff/home/user")
    if [ "$WHELK_LANE" = plain ]; then
        assert_equal "$owner" 0 # there is only one id
    else
        assert_equal "$owner" 1000
    fi
}

@test "files of other ids can be made and removed" {
    skip_unless_lane subuid root # needs other ids
    touch "$BATS_TEST_TMPDIR/file"
    whelk unshare chown 33:44 "$BATS_TEST_TMPDIR/file"
    assert_equal "$(whelk unshare stat -c %u:%g "$BATS_TEST_TMPDIR/file")" 33:44
    mkdir "$BATS_TEST_TMPDIR/dir"
    touch "$BATS_TEST_TMPDIR/dir/x"
    whelk unshare sh -c 'chown -R 33 "$1"; chmod 700 "$1"' - "$BATS_TEST_TMPDIR/dir"
    run_whelk unshare rm -rf "$BATS_TEST_TMPDIR/dir" "$BATS_TEST_TMPDIR/file"
    assert_success
    [ ! -e "$BATS_TEST_TMPDIR/dir" ]
}

@test "ends with the command's status (CV-01, CV-02)" {
    run_whelk unshare sh -c 'exit 7'
    assert_status 7
    assert_stderr ""
    run_whelk unshare sh -c 'kill -TERM $$'
    assert_status 143
    assert_stderr ""
    run_whelk unshare /nosuch
    assert_status 127
    assert_one_error
    assert_stderr "Error: cannot execute /nosuch: No such file or directory"
    run_whelk unshare /etc/passwd
    assert_status 126
    assert_one_error
    assert_stderr "Error: cannot execute /etc/passwd: Permission denied"
}

@test "options behind the command belong to it (CV-28)" {
    run_whelk unshare echo --help -x -- y
    assert_success
    assert_output "--help -x -- y"
    run_whelk unshare -- echo x
    assert_output x
    run_whelk unshare --bogus echo x
    assert_status 125
    assert_one_error
    assert_stderr 'Error: unknown option "--bogus" for "whelk unshare"; see whelk unshare --help'
}

@test "standard input, output and error are the caller's" {
    run --separate-stderr bash -c 'echo in | "$1" unshare sh -c "cat; echo err >&2"' - "$WHELK"
    assert_success
    assert_output in
    assert_stderr err
}

@test "without a command, the shell of SHELL or /bin/sh" {
    run --separate-stderr bash -c 'echo "echo \$0 \$(id -u)" | SHELL=/bin/bash "$1" unshare' - "$WHELK"
    assert_success
    assert_output "/bin/bash 0"
    run --separate-stderr bash -c 'echo "echo \$0" | env -u SHELL "$1" unshare' - "$WHELK"
    assert_output /bin/sh
}

@test "mounts of the command stay its own" {
    skip_unless_lane subuid plain # root's command is just run
    run_whelk unshare sh -c 'mount -t tmpfs none "$1" && touch "$1/x" && ls "$1"' - "$BATS_TEST_TMPDIR"
    assert_success
    assert_output x
    [ ! -e "$BATS_TEST_TMPDIR/x" ]
}

@test "whelk inside of it is refused clearly" {
    skip_unless_lane subuid plain # root's is the same whelk
    run_whelk unshare "$WHELK" ps
    assert_status 125
    assert_one_error
    assert_stderr "Error: whelk does not work inside of whelk unshare, but for whelk mount; leave it to use the store $STORE"
    run_whelk unshare "$WHELK" --version
    assert_success
}
