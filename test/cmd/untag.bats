#!/usr/bin/env bats
# whelk untag (C-044)

load ../lib/common

setup() {
    fresh_store
    one=$("$WHELK_TOOLS/hostile-tar" 0 one 1 | whelk import - one)
    whelk tag one two:v2 example.org/three
    "$WHELK_TOOLS/hostile-tar" 0 other 1 | whelk import - other >/dev/null
}

teardown() {
    remove_all
    no_leftovers
}

names() {
    whelk image inspect "$one" | jq -r '.[0].RepoTags[]' | sort | tr '\n' ' '
}

@test "given names, short and in full; silent" {
    run_whelk untag one two:v2 example.org/three:latest
    assert_success
    assert_output ""
    assert_stderr ""
    assert_equal "$(names)" "localhost/one:latest "
}

@test "all names; the image stays" {
    run_whelk image untag "${one:0:12}"
    assert_success
    assert_equal "$(names)" ""
    assert_equal "$(whelk images -q -f dangling=true)" "${one:0:12}"
    whelk image prune -f | grep "Deleted: sha256:$one"
}

@test "names of others, and none: nothing is taken" {
    run_whelk untag one two:v2 other
    assert_status 125
    assert_one_error
    assert_stderr --partial "Error: other is a name of another image"
    run_whelk untag one absent
    assert_status 125
    assert_stderr --partial "no image is called absent"
    run_whelk untag absent
    assert_status 125
    assert_stderr --partial "no such image: absent"
    run_whelk untag
    assert_status 125
    assert_equal "$(names)" "example.org/three:latest localhost/one:latest localhost/two:v2 "
}
