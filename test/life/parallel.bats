# Many commands on one store at the same time.

load ../lib/common

setup() {
    base_image
}

one_run() {
    whelk run --rm base sh -c "echo out $1" >"$BATS_TEST_TMPDIR/$1.out" 2>"$BATS_TEST_TMPDIR/$1.err"
    echo $? >"$BATS_TEST_TMPDIR/$1.status"
}

@test "100 run --rm at once all succeed" {
    local i n=100 failed=0
    [ "$WHELK_BUILD" != asan ] || n=25
    for ((i = 0; i < n; i++)); do
        in_background one_run "$i"
    done
    wait_all
    for ((i = 0; i < n; i++)); do
        if [ "$(cat "$BATS_TEST_TMPDIR/$i.status")" != 0 ] || [ "$(cat "$BATS_TEST_TMPDIR/$i.out")" != "out $i" ]; then
            echo "run $i: $(cat "$BATS_TEST_TMPDIR/$i.status" "$BATS_TEST_TMPDIR/$i.out" "$BATS_TEST_TMPDIR/$i.err")"
            failed=$((failed + 1))
        fi
    done
    assert_equal "$failed" 0
    whelk rm -af # takes what two of them left to each other to delete
    no_containers_left
}

one_import() {
    whelk import "$WHELK_TOOLS/base.tar" "base$1" >"$BATS_TEST_TMPDIR/$1.id"
}

@test "the same layer imported by many at once is one layer" {
    local i
    fresh_store
    for i in {1..8}; do
        in_background one_import "$i"
    done
    wait_all
    for i in {1..8}; do
        assert_id "$(cat "$BATS_TEST_TMPDIR/$i.id")"
        assert_equal "$(whelk run --rm "base$i" echo "$i")" "$i"
    done
    assert_equal "$(store_entries layers | wc -l)" 1
    remove_all
    no_leftovers
}

one_build() {
    whelk build -q -t "p$1" --build-arg "n=$1" "$BATS_TEST_TMPDIR/context" >/dev/null 2>"$BATS_TEST_TMPDIR/$1.err" &&
        whelk run --rm "p$1" cat /n >"$BATS_TEST_TMPDIR/$1.out" 2>>"$BATS_TEST_TMPDIR/$1.err" || echo "failed with $?" >>"$BATS_TEST_TMPDIR/$1.err"
    whelk rmi "p$1" >/dev/null 2>>"$BATS_TEST_TMPDIR/$1.err"
}

@test "builds, runs and removals at once do not disturb each other" {
    local i n
    n=$(rounds 20)
    mkdir "$BATS_TEST_TMPDIR/context"
    printf 'FROM base\nARG n\nRUN echo $n >/n\n' >"$BATS_TEST_TMPDIR/context/Dockerfile"
    for ((i = 0; i < n; i++)); do
        in_background one_build "$i"
        ! whelk rmi "nothing-$i" 2>/dev/null
    done
    wait_all || :
    for ((i = 0; i < n; i++)); do
        assert_equal "$(cat "$BATS_TEST_TMPDIR/$i.out" "$BATS_TEST_TMPDIR/$i.err")" "$i"
    done
    no_containers_left
}
