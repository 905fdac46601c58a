#!/usr/bin/env bats
# whelk tag (S-036, C-044)

load ../lib/common

setup() {
    fresh_store
    one=$("$WHELK_TOOLS/hostile-tar" 0 one 1 | whelk import - one)
    two=$("$WHELK_TOOLS/hostile-tar" 0 two 2 | whelk import - two)
}

teardown() {
    remove_all
    no_leftovers
}

id_of() {
    whelk image inspect "$1" | jq -r '.[0].Id' | sed 's/^sha256://'
}

@test "from a name, an id, the start of an id; silent (S-036, CV-21)" {
    number=0 # not i, which belongs to bats' run
    for source in one localhost/one:latest "$one" "${one:0:12}" "sha256:$one"; do
        number=$((number + 1))
        run_whelk tag "$source" "new:v$number"
        assert_success
        assert_output ""
        assert_stderr ""
        assert_equal "$(id_of "new:v$number")" "$one"
    done
    run_whelk image tag one other
    assert_success
    assert_equal "$(id_of other)" "$one"
}

@test "a name that is taken moves" {
    whelk tag one name:latest
    whelk tag two name:latest
    assert_equal "$(id_of name)" "$two"
    assert_equal "$(whelk images | grep -c '^localhost/name ')" 1
    whelk tag two name # the same again
    assert_equal "$(id_of name)" "$two"
}

@test "several names at once; a bad one among them changes nothing" {
    whelk tag one a b:1 registry.example.org/c
    for name in a b:1 registry.example.org/c; do assert_equal "$(id_of "$name")" "$one"; done
    run_whelk tag two a Bad
    assert_status 125
    assert_stderr 'Error: invalid image name "Bad": the name must be lower case'
    assert_equal "$(id_of a)" "$one"
}

@test "the name of an image that moved away leaves it without one" {
    whelk tag one two
    run_whelk images
    assert_line --regexp "^<none> +<none> +${two:0:12} "
}

@test "errors" {
    while IFS='|' read -r words text; do
        run_whelk tag $words
        assert_status 125
        assert_one_error
        [[ $stderr == "Error: $text"* ]] || _fail "stderr is not: $text"
    done <<END
|"whelk tag" needs at least 2 arguments (IMAGE NAME[:TAG] [NAME[:TAG]...]), but got 0; see whelk tag --help
one|"whelk tag" needs at least 2 arguments
nosuch x|no such image: nosuch (
one a:b:c|invalid image name "a:b:c": 
one a@sha256:$one|invalid image name "a@sha256:$one": a new name has no digest
one $one|invalid image name "$one": 
one x:$(printf 'a%.0s' {1..129})|invalid image name
--force one x|unknown option "--force" for "whelk tag"
END
    run_whelk tag one ""
    assert_status 125
    assert_one_error
}
