# For files whose tests share the base image, work in a directory of their own and leave no container:
#     load ../lib/tidy  (after common). What a file defines itself goes before.

setup_file() {
    base_image
}

setup() {
    cd "$BATS_TEST_TMPDIR"
}

teardown() {
    whelk rm -af >/dev/null
    no_containers_left
}
