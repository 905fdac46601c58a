#!/usr/bin/env bats
# whelk rmi (S-031, S-032, C-043, CV-04)

load ../lib/common

setup() {
    fresh_store
}

teardown() {
    remove_all
    no_leftovers
}

small() { # NAME
    "$WHELK_TOOLS/hostile-tar" 0 file "$1" | whelk import - "$1"
}

@test "a name of several is taken away, the image goes with the last one (S-031)" {
    id=$(small one)
    whelk tag one two
    run_whelk rmi one
    assert_success
    assert_output "Untagged: localhost/one:latest"
    assert_stderr ""
    run_whelk rmi two:latest
    assert_success
    assert_output "Untagged: localhost/two:latest"$'\n'"Deleted: sha256:$id"
    assert_equal "$(whelk images -q)" ""
    no_leftovers
}

@test "its other names, and several images at once" {
    small one && small two && small three
    run_whelk image rm one two
    assert_success
    assert_equal "${#lines[@]}" 4
    run_whelk image remove three
    assert_success
    no_leftovers
}

@test "by id: with one name it goes, with several only by force" {
    one=$(small one)
    run_whelk rmi "${one:0:8}"
    assert_success
    assert_output --partial "Deleted: sha256:$one"
    two=$(small two)
    whelk tag two again
    run_whelk rmi "${two:0:12}"
    assert_status 2
    assert_one_error
    assert_stderr "Error: image ${two:0:12} has 2 names; remove them by name, or use --force"
    run_whelk rmi -f "$two"
    assert_success
    assert_output "Untagged: localhost/again:latest"$'\n'"Untagged: localhost/two:latest"$'\n'"Deleted: sha256:$two"
}

@test "an image without a name goes by id" {
    id=$("$WHELK_TOOLS/hostile-tar" 0 file x | whelk import -)
    run_whelk rmi "$id"
    assert_success
    assert_output "Deleted: sha256:$id"
}

@test "one that a container uses is kept and the container named; --force unless it runs (S-032)" {
    base_image
    id=$(whelk images -q)
    ctr=$(whelk create --name user base true)
    run_whelk rmi base
    assert_status 2
    assert_one_error
    assert_stderr "Error: image $id is used by the container user (${ctr:0:12}); remove it first, or use --force"
    whelk rm user
    ctr=$(whelk run -d --name runs base sleep 300)
    for option in '' -f; do
        run_whelk rmi $option base
        assert_status 2
        assert_one_error
        assert_stderr "Error: image $id is used by the running container runs (${ctr:0:12}); stop it first"
    done
    whelk stop -t 0 runs
    run_whelk rmi --force base
    assert_success
    assert_equal "$(whelk images -q)" ""
    # The container keeps its layers and can be started again.
    run_whelk start runs
    assert_success
    assert_equal "$(whelk exec runs echo there)" there
    whelk rm -f runs
    whelk rmi -i nothing
    no_leftovers
}

@test "layers that another image has stay" {
    small one
    "$WHELK_TOOLS/hostile-tar" 0 file one | whelk import -m 'the same layer' - two
    assert_equal "$(store_entries layers | wc -l)" 1
    whelk rmi one
    assert_equal "$(store_entries layers | wc -l)" 1
    whelk rmi two
    assert_equal "$(store_entries layers | wc -l)" 0
}

@test "what does not exist: 1, unless it may; the others are tried all the same (CV-04)" {
    small one && small two && small three
    run_whelk rmi nosuch one nosuch2
    assert_status 1
    assert_stderr_line --partial "Error: no such image: nosuch ("
    assert_stderr_line --partial "Error: no such image: nosuch2 ("
    assert_output --partial "Untagged: localhost/one:latest"
    for option in -i --ignore -f; do
        run_whelk rmi $option nosuch
        assert_success
        assert_output ""
        assert_stderr ""
    done
    # In use counts more than missing.
    whelk tag two again
    two=$(whelk image inspect two | jq -r '.[0].Id')
    run_whelk rmi nosuch "$two"
    assert_status 2
    run_whelk rmi nosuch 'Bad:name:x'
    assert_status 125
}

@test "--all" {
    small one && small two
    whelk tag one more
    run_whelk rmi --all
    assert_success
    assert_equal "$(grep -c ^Untagged <<<"$output")" 3
    assert_equal "$(grep -c ^Deleted <<<"$output")" 2
    run_whelk rmi -a
    assert_success
    assert_output ""
    no_leftovers
}

@test "--all keeps what is in use and says so" {
    base_image
    small one
    whelk create --name user base true
    run_whelk rmi -a
    assert_status 2
    assert_stderr --partial "is used by the container user"
    assert_equal "$(whelk images | awk 'NR > 1 { print $1 }')" localhost/base
}

@test "an ambiguous start of an id lists the candidates (S-044, CV-22)" {
    for i in {1..17}; do small "i$i" >/dev/null; done
    digit=$(whelk images -q | cut -c1 | sort | uniq -d | head -n 1)
    before=$(whelk images -q | wc -l)
    # sha256: in front, for a digit alone can be a name as well
    run_whelk rmi -f "sha256:$digit"
    assert_status 125
    assert_one_error
    assert_stderr --partial "\"$digit\" is the start of more than one image id: $digit"
    assert_equal "$(whelk images -q | wc -l)" "$before"
}

@test "a name wins over the start of an id (CV-22)" {
    id=$(small one)
    small other
    whelk tag other "${id:0:6}"
    run_whelk rmi "${id:0:6}"
    assert_output "Untagged: localhost/${id:0:6}:latest"
    whelk image inspect "$id" >/dev/null
}

@test "usage errors" {
    while IFS='|' read -r words text; do
        run_whelk rmi $words
        assert_status 125
        assert_one_error
        assert_stderr "Error: $text"
    done <<'END'
|name at least one image, or give --all
-a one|--all takes no images besides
--forse one|unknown option "--forse" for "whelk rmi"; did you mean "--force"?
END
}
