# whelk builder prune

load ../lib/common

setup_file() {
    base_image
}

setup() {
    C=$BATS_TEST_TMPDIR/context
    mkdir "$C"
    whelk builder prune -af >/dev/null
}

# An image of two steps, upon a step that only the cache has.
two_builds() {
    printf 'FROM base\nRUN echo old >/old\n' >"$C/Dockerfile"
    whelk build -q -t img "$C" >/dev/null
    printf 'FROM base\nRUN echo one >/one\nRUN --mount=type=cache,target=/c echo kept >/c/file\n' >"$C/Dockerfile"
    whelk build -q -t img "$C" >/dev/null
    whelk image prune -f >/dev/null
}
steps() {
    find "$STORE/cache/steps" -type f | wc -l
}

@test "what no image has goes, what one has stays cached" {
    two_builds
    assert_equal "$(steps)" 3
    run_whelk builder prune -f
    assert_success
    assert_stderr ""
    assert_line --regexp '^Total reclaimed space: '
    assert_equal "$(steps)" 1
    run_whelk build -t img "$C"
    assert_stderr --partial "Using cache"
    assert_equal "$(cat "$STORE"/cache/mounts/*/data/file)" kept
}

@test "--all: every step and the cache mounts; images stay whole" {
    two_builds
    run_whelk buildx prune --all --force
    assert_success
    assert_line /c
    assert_equal "$(steps)" 0
    assert_equal "$(ls "$STORE/cache/mounts")" ""
    assert_equal "$(whelk run --rm --network none img cat /one)" one
    run_whelk build -t img "$C"
    refute_stderr "Using cache"
}

@test "image prune --build-cache does both" {
    two_builds
    run_whelk image prune -f
    assert_equal "$(steps)" 3
    run_whelk image prune --force --external --build-cache
    assert_success
    assert_equal "$(steps)" 1
    run_whelk image prune -f --build-cache --filter label=a
    assert_status 125
    assert_stderr "Error: --build-cache goes with no --filter: cached steps have no labels"
}

@test "a cache mount that a build uses stays" {
    printf 'FROM base\nRUN --mount=type=cache,target=/c echo up >/c/up && sleep 3 && cat /c/up\n' >"$C/Dockerfile"
    whelk build -q -t img "$C" &
    local build=$!
    for _ in $(seq 100); do
        [ ! -e "$STORE"/cache/mounts/*/data/up ] || break
        sleep 0.1
    done
    whelk builder prune -af
    wait "$build"
}

@test "--filter until and --keep-storage" {
    two_builds
    run_whelk builder prune -af --filter until=1h
    assert_output --regexp '^Total reclaimed space: 0 ?B$'
    assert_equal "$(steps)" 3
    run_whelk builder prune -af --keep-storage 1g
    assert_equal "$(steps)" 3
    run_whelk builder prune -af --max-used-space 1
    assert_success
    assert_equal "$(steps)" 1 # the one that holds nothing
}

@test "asks first, and names what it does not know" {
    run_whelk builder prune
    assert_status 125
    assert_stderr --partial "--force"
    run_whelk builder prune -f --filter label=x
    assert_status 125
    assert_stderr --partial "until"
    run_whelk builder prune -f --keep-storage many
    assert_status 125
}
