#!/usr/bin/env bats
# whelk images (S-029, C-040)

load ../lib/common

setup() {
    fresh_store
}

teardown() {
    remove_all
    no_leftovers
}

# small NAME...: an image of one small file, different for each first name; prints its id.
small() {
    local id name
    id=$("$WHELK_TOOLS/hostile-tar" 0 file "$1" | whelk import - ${1:+"$1"})
    for name in "${@:2}"; do whelk tag "$id" "$name"; done
    echo "$id"
}

@test "without images there is the header (CV-24)" {
    for option in '' -a; do
        run_whelk images $option
        assert_success
        assert_output "REPOSITORY   TAG   IMAGE ID   CREATED   SIZE"
        assert_stderr ""
    done
    run_whelk images -q
    assert_success
    assert_output ""
}

@test "a row for each name, newest first, sizes in decimal units (S-029, CV-26)" {
    old=$(small old)
    base_image
    base=$(whelk images -q --no-trunc | head -n 1)
    run_whelk images
    assert_success
    assert_equal "${#lines[@]}" 3
    [[ ${lines[1]} =~ ^localhost/base\ +latest\ +${base:7:12}\ +(Less than a second|[0-9]+ seconds?)\ ago\ +[0-9.]+MB$ ]]
    [[ ${lines[2]} =~ ^localhost/old\ +latest\ +${old:0:12}\ +.*\ ago\ +3B$ ]]
    for command in "image ls" "image list" "image images" "images -a" "images --all"; do
        run_whelk $command -q
        assert_success
        assert_output "${base:7:12}"$'\n'"${old:0:12}"
    done
}

@test "names of registries, ports and tags are shown apart" {
    small one docker.io/library/two:2 localhost:5000/team/three:v3 registry.example.org/x/y
    run_whelk images
    assert_line --regexp '^localhost/one +latest '
    assert_line --regexp '^docker.io/library/two +2 '
    assert_line --regexp '^localhost:5000/team/three +v3 '
    assert_line --regexp '^registry.example.org/x/y +latest '
    assert_equal "${#lines[@]}" 5
}

@test "an image without a name is shown, -q shows each image once" {
    small one two three
    unnamed=$(small "")
    run_whelk images
    assert_line --regexp "^<none> +<none> +${unnamed:0:12} "
    assert_equal "${#lines[@]}" 5
    run_whelk images -q
    assert_equal "${#lines[@]}" 2
}

@test "whole ids with sha256:, and both are accepted (CV-22)" {
    id=$(small one)
    assert_id "$id"
    run_whelk images -q --no-trunc
    assert_output "sha256:$id"
    run_whelk images --no-trunc
    assert_line --regexp "^localhost/one +latest +sha256:$id "
    for name in "$id" "sha256:$id" "${id:0:12}" "sha256:${id:0:12}" one one:latest localhost/one localhost/one:latest; do
        run_whelk image inspect "$name"
        assert_success
        assert_equal "$(jq -r '.[0].Id' <<<"$output")" "sha256:$id"
    done
}

@test "usage errors" {
    while IFS='|' read -r words text; do
        run_whelk images $words
        assert_status 125
        assert_one_error
        assert_stderr "Error: $text"
    done <<'END'
--quite|unknown option "--quite" for "whelk images"; did you mean "--quiet"?
--no-trunc=1x|option "--no-trunc" is either true or false, not "1x"
END
}
