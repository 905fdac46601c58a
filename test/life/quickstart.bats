# lanes: subuid plain root
# time-limit: 400
# The first command of the README: from a checkout to a running container.

load ../lib/common

@test "quickstart builds whelk, an image and runs it, and may run again" {
    cp -r "$WHELK_TREE" "$BATS_TEST_TMPDIR/checkout"
    chmod -R u+w "$BATS_TEST_TMPDIR/checkout"
    cd "$BATS_TEST_TMPDIR/checkout"
    run sh examples/quickstart
    assert_success
    assert_line --partial "Hello, world! I am process 1 of "
    [ "${#lines[@]}" -lt 25 ]
    # Nothing but the build directory is new.
    assert_equal "$(diff -rq "$WHELK_TREE" . | grep -v ': build$')" ""

    run sh examples/quickstart
    assert_success
    assert_line --partial "Hello, world! I am process 1 of "

    run build/whelk run --rm hello you two
    assert_line --partial "Hello, you two! I am process 1 of "
    assert_equal "$(build/whelk ps -aq)" ""
}

@test "what is missing is said, with the command that installs it" {
    skip_unless_lane subuid plain # root installs it
    mkdir "$BATS_TEST_TMPDIR/bin"
    printf '#!/bin/sh\nfor last; do :; done\n[ "$last" = meson ] || echo installed\n' >"$BATS_TEST_TMPDIR/bin/dpkg-query"
    chmod 0755 "$BATS_TEST_TMPDIR/bin/dpkg-query"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH run sh "$WHELK_TREE/examples/packages" build
    assert_status 1
    assert_output "packages missing; install them with:  sudo apt-get install -y --no-install-recommends meson"
}
