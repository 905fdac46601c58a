#!/usr/bin/env bats
# The store as users meet it: where it may be, what is refused, what damage does. See whelk-store(5).

load ../lib/common

setup() {
    fresh_store
}

teardown() {
    remove_all
    no_leftovers
}

# refused TEXT WORDS...
refused() {
    local text=$1
    shift
    run_whelk "$@"
    assert_status 125
    assert_one_error
    assert_stderr "Error: $text"
}

# edit FILE JQ-FILTER
edit() {
    jq "$2" "$1" >"$BATS_TEST_TMPDIR/edited"
    cp "$1" "$BATS_TEST_TMPDIR/original"
    cat "$BATS_TEST_TMPDIR/edited" >"$1"
}
restore() { # FILE
    cat "$BATS_TEST_TMPDIR/original" >"$1"
}

# --- where it is

@test "the first command makes it, for its user only" {
    cd "$BATS_TEST_TMPDIR"
    for root in "$PWD/a/b/store" relative; do
        run_whelk --root "$root" images
        assert_success
        assert_stderr ""
        assert_equal "$(stat -c %a "$root")" 700
        assert_equal "$(jq -c '[.schema, .version, .uid // 0]' "$root/whelk-store.json")" "[1,1,$(id -u)]"
    done
    mkdir empty
    whelk --root empty images
    [ -e empty/whelk-store.json ]
}

@test "--version, help and completion touch no store" {
    HOME=$BATS_TEST_TMPDIR/home XDG_DATA_HOME=$BATS_TEST_TMPDIR/none run_whelk --root "$BATS_TEST_TMPDIR/none" help ps
    assert_success
    [ ! -e "$BATS_TEST_TMPDIR/none" ]
}

@test "XDG_DATA_HOME or HOME say where; a relative one is ignored" {
    skip_unless_lane subuid plain # root's store is in a fixed place
    XDG_DATA_HOME=$BATS_TEST_TMPDIR/one whelk images
    [ -e "$BATS_TEST_TMPDIR/one/whelk/whelk-store.json" ]
    env -u XDG_DATA_HOME HOME="$BATS_TEST_TMPDIR" "$WHELK" images
    [ -e "$BATS_TEST_TMPDIR/.local/share/whelk/whelk-store.json" ]
    cd "$BATS_TEST_TMPDIR"
    XDG_DATA_HOME=rel HOME="$BATS_TEST_TMPDIR" whelk images
    [ ! -e rel ]
}

@test "root has a store of its own (S-046)" {
    skip_unless_lane root
    XDG_DATA_HOME=$BATS_TEST_TMPDIR HOME=$BATS_TEST_TMPDIR run_whelk images
    assert_success
    [ ! -e "$BATS_TEST_TMPDIR/whelk" ]
    [ -e /var/lib/whelk/whelk-store.json ]
}

# --- what is refused

@test "a directory that holds other things is refused and left alone (PAIN-07)" {
    dir=$BATS_TEST_TMPDIR/mine
    for file in file .hidden layers/x.txt; do
        mkdir -p "$(dirname "$dir/$file")"
        echo precious >"$dir/$file"
        before=$(find "$dir" | sort)
        first=$(ls -A "$dir")
        refused "store $dir: $dir is not a store of whelk and holds other things, as $first: give an empty directory" \
            --root "$dir" rmi -af
        assert_equal "$(find "$dir" | sort)" "$before"
        rm -r "$dir"
    done
}

@test "the home directory, a file and what cannot be made are refused" {
    mkdir "$BATS_TEST_TMPDIR/home"
    touch "$BATS_TEST_TMPDIR/file"
    export HOME=$BATS_TEST_TMPDIR/home
    refused "store $HOME: $HOME cannot be a store: give a directory below it" --root "$HOME" images
    [ -z "$(ls -A "$HOME")" ]
    refused "cannot open the store $BATS_TEST_TMPDIR/file: Not a directory" --root "$BATS_TEST_TMPDIR/file" images
    refused "cannot make the store: cannot make directory /proc/nosuch: No such file or directory" --root /proc/nosuch images
}

@test "another user's store is refused" {
    dir=$BATS_TEST_TMPDIR/other
    if [ "$WHELK_LANE" = root ]; then
        mkdir "$dir"
        chown 12345 "$dir"
        refused "the store $dir belongs to uid 12345, not to uid 0" --root "$dir" images
    else
        refused "the store /usr belongs to uid 0, not to uid $(id -u)" --root /usr images
        whelk --root "$dir" images
        edit "$dir/whelk-store.json" '.uid = 12345'
        refused "the store $dir belongs to uid 12345, not to uid $(id -u)" --root "$dir" images
    fi
}

@test "a store that others can write to is refused" {
    mkdir "$BATS_TEST_TMPDIR/open"
    chmod 0777 "$BATS_TEST_TMPDIR/open"
    refused "the store $BATS_TEST_TMPDIR/open can be written by others: chmod 700 it if you trust what it holds" \
        --root "$BATS_TEST_TMPDIR/open" images
    [ -z "$(ls -A "$BATS_TEST_TMPDIR/open")" ]
}

@test "a newer layout, a newer schema and a damaged marker are refused, and nothing is changed" {
    dir=$BATS_TEST_TMPDIR/store
    whelk --root "$dir" images
    marker=$dir/whelk-store.json
    edit "$marker" '.version = 2'
    refused "the store $dir has version 2, this whelk knows version 1" --root "$dir" rmi -af
    restore "$marker"
    edit "$marker" '.schema = 7'
    refused "store $dir: whelk-store.json: store marker: the record has schema 7, this version knows up to 1" \
        --root "$dir" images
    restore "$marker"
    edit "$marker" '.uuid = ""'
    refused "the marker of the store $dir has no uuid" --root "$dir" images
    echo '{' >"$marker"
    run_whelk --root "$dir" images
    assert_status 125
    assert_one_error
    assert_stderr --partial "store $dir: whelk-store.json: not valid JSON, line 2: "
    assert_equal "$(cat "$marker")" '{'
}

@test "keys that this version does not know survive" {
    id=$("$WHELK_TOOLS/hostile-tar" 0 a 1 | whelk import - a)
    for file in "$STORE/whelk-store.json" "$STORE/images/$id/image.json" "$STORE"/names/*; do
        edit "$file" '.from_the_future = {"x": 1}'
    done
    whelk images | grep -q localhost/a
    whelk tag a b
    whelk rmi b
    assert_equal "$(jq -c .from_the_future "$STORE/whelk-store.json" "$STORE/images/$id/image.json")" $'{"x":1}\n{"x":1}'
}

# --- at the same time

@test "many first commands at once agree on one store" {
    dir=$BATS_TEST_TMPDIR/new
    for n in {1..10}; do in_background whelk --root "$dir" images -q; done
    wait_all
    assert_equal "$(ls -A "$dir" | tr '\n' ' ')" \
        "cache container-names containers gc.lock images indexes layers names networks secrets tmp volumes whelk-store.json "
}

@test "one that was killed while making the store is finished by the next" {
    dir=$BATS_TEST_TMPDIR/new
    mkdir -p -m 0700 "$dir/layers" "$dir/images"
    : >"$dir/gc.lock"
    run_whelk --root "$dir" images
    assert_success
    [ -e "$dir/whelk-store.json" ]
}

import_and_remove() { # NUMBER
    "$WHELK_TOOLS/hostile-tar" 0 "f$1" "$1" | whelk import - "i$1" && whelk rmi -i nosuch
}

@test "imports and removals at once" {
    for n in 1 2 3 4; do in_background import_and_remove $n; done
    wait_all
    assert_equal "$(whelk images -q | wc -l)" 4
}

# --- damage: the record is named, the others are still there

@test "a damaged container record" {
    base_image
    whelk create --name good base true
    id=$(whelk create --name bad base true)
    record=$STORE/containers/$id/container.json
    while IFS='|' read -r content text; do
        printf '%s' "$content" >"$record"
        run_whelk ps -a
        assert_success
        assert_line --regexp ' good$'
        assert_equal "${#lines[@]}" 2
        [[ $stderr == "Warning: containers/$id/container.json: $text"* ]] || _fail "no warning: $text"
        run_whelk ps -aq
        assert_success
        assert_equal "${#lines[@]}" 1
        run_whelk inspect bad good
        assert_status 125
        assert_equal "$(jq -r '.[].Name' <<<"$output")" /good
        assert_stderr --partial "Error: containers/$id/container.json: $text"
        run_whelk start bad
        assert_status 125
        assert_stderr --partial "Error: containers/$id/container.json: $text"
    done <<'END'
garbage|not valid JSON, line 1: 
|not valid JSON, line 
[]|container: not a JSON object
{"schema": 1}|its id, name or command is missing or wrong
{"schema": 2}|container: the record has schema 2, this version knows up to 1
{"schema": 1, "id": 7}|container: key "id" is not a string
END
    # Garbage is not collected on a guess.
    whelk import "$WHELK_TOOLS/base.tar" other >/dev/null
    run_whelk rmi other
    assert_status 125
    assert_stderr --partial "Error: cannot tell what is in use: containers/$id/container.json: "
    # It can be removed by name.
    run_whelk rm bad
    assert_success
    assert_equal "$(whelk ps -a | awk 'NR > 1 { print $NF }')" good
}

@test "a damaged image record" {
    one=$("$WHELK_TOOLS/hostile-tar" 0 a 1 | whelk import - one)
    "$WHELK_TOOLS/hostile-tar" 0 a 2 | whelk import - two
    record=$STORE/images/$one/image.json
    while IFS='|' read -r content text; do
        printf '%s' "$content" >"$record"
        run_whelk images
        assert_success
        assert_line --regexp '^localhost/two '
        assert_equal "${#lines[@]}" 2
        [[ $stderr == "Warning: images/$one/image.json: $text"* ]] || _fail "no warning: $text"
        run_whelk image inspect one
        assert_status 125
        assert_stderr --partial "Error: images/$one/image.json: $text"
    done <<'END'
garbage|not valid JSON, line 1: 
{"schema": 1}|its id is missing or wrong
{"schema": 9}|image: the record has schema 9, this version knows up to 1
END
    run_whelk rmi one
    assert_success
    assert_equal "$(whelk images | awk 'NR > 1 { print $1 }')" localhost/two
}

@test "a damaged image config is noticed" {
    one=$("$WHELK_TOOLS/hostile-tar" 0 a 1 | whelk import - one)
    echo ' ' >>"$STORE/images/$one/config"
    run_whelk image inspect one
    assert_status 125
    assert_stderr "Error: the config of image ${one:0:12} is damaged: remove the image and get it again"
    run_whelk run --rm one true
    assert_status 125
    assert_stderr --partial "the config of image ${one:0:12} is damaged"
}

@test "a damaged name" {
    "$WHELK_TOOLS/hostile-tar" 0 a 1 | whelk import - one
    "$WHELK_TOOLS/hostile-tar" 0 a 2 | whelk import - two
    file=$STORE/names/$(printf localhost/one:latest | sha256sum | cut -c1-64)
    [ -e "$file" ]
    echo garbage >"$file"
    run_whelk images
    assert_success
    assert_line --regexp '^localhost/two '
    assert_stderr --partial "Warning: names/$(basename "$file"): not valid JSON"
    run_whelk image inspect one
    assert_status 125
    assert_stderr --partial "names/$(basename "$file"): not valid JSON"
    whelk tag two one # a new one takes its place
    assert_equal "$(inspect_field one .RepoTags[0])" localhost/one:latest
}

@test "a layer that is missing is named" {
    base_image
    key=$(inspect_field base '.RootFS.Layers[0]')
    mv "$STORE/layers/${key#sha256:}" "$BATS_TEST_TMPDIR/away"
    run_whelk run --rm base true
    assert_status 125
    assert_one_error
    assert_stderr --partial "layer ${key:7:12}"
    mv "$BATS_TEST_TMPDIR/away" "$STORE/layers/${key#sha256:}"
    assert_equal "$(whelk run --rm base echo back)" back
}

# --- what killed commands left

@test "what killed commands left in tmp is removed by the next that changes the store" {
    whelk images
    for name in trash-x op-x ctr-x; do
        mkdir -p "$STORE/tmp/$name/sub"
        touch "$STORE/tmp/$name/sub/file"
    done
    ln -s gone "$STORE/tmp/rm-gone"
    touch "$STORE/tmp/something-of-mine"
    whelk ps -a # only reads
    [ -e "$STORE/tmp/trash-x" ]
    whelk rmi -i nosuch
    assert_equal "$(ls -A "$STORE/tmp")" something-of-mine
    rm "$STORE/tmp/something-of-mine"
}

@test "a name whose container is gone is free again" {
    base_image
    ln -s "$(printf '%064d' 7)" "$STORE/container-names/web"
    run_whelk inspect web
    assert_status 125
    whelk create --name web base true
    assert_equal "$(inspect_field web .Name)" /web
}

@test "the runtime directory may be wiped at any time" {
    base_image
    whelk run -d --name c base sh -c 'echo hello; sleep 300'
    rm -rf "${XDG_RUNTIME_DIR:-/run}/whelk/containers"
    assert_equal "$(whelk ps | awk 'NR > 1 { print $NF }')" c
    wait_for 10 bash -c '[ "$("$1" logs c)" = hello ]' - "$WHELK"
    assert_equal "$(whelk exec c echo inside)" inside
    run_whelk stop -t 0 c
    assert_success
    assert_output c
}
