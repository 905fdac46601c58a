#!/usr/bin/env bats
# whelk system check (C-149, SECURITY store invariants)

load ../lib/common
load ../lib/container

setup() {
    cd "$BATS_TEST_TMPDIR"
    fresh_store
    base_image
}

teardown() {
    whelk rm -af >/dev/null || true
    rm -rf "$STORE/volumes/bad" "$STORE/secrets/bad"
    whelk secret rm -a >/dev/null
}

a_layer() {
    basename "$(dirname "$(ls "$STORE"/layers/*/layer.json | head -n 1)")"
}
clean() {
    answers "" system check "$@"
}

@test "a store that is used is clean" {
    whelk run -d --name c -v data:/d base sleep 300 >/dev/null
    whelk create --name d base true >/dev/null
    whelk secret create s - <<<x >/dev/null
    clean
    clean --quick
}

@test "a changed layer is found by its hash, and goes with its image" {
    local key
    key=$(a_layer)
    whelk create --name c base true >/dev/null
    echo x >>"$STORE/layers/$key/diff/bin/busybox"
    clean --quick
    run_whelk system check
    assert_status 1
    assert_line --partial "layer ${key:0:12}: "
    assert_stderr "1 damaged; whelk system check --repair mends what can be mended"
    run_whelk system check -r
    assert_status 1
    assert_line --regexp "^layer ${key:0:12}: .*: removed$"
    assert_line --regexp "^image [0-9a-f]{12}: its layer ${key:0:12} is missing: removed; pull or build it again$"
    assert_line --regexp "^container [0-9a-f]{12}: its layer ${key:0:12} is missing$"
    assert_stderr "3 damaged, 1 left; --force removes containers and secrets too"
    run_whelk system check -rf
    assert_success
    clean
    assert_equal "$(whelk ps -aq)$(whelk images -q)" ""
}

@test "damaged records" {
    local id image
    id=$(whelk create --name c base true)
    echo '{' >"$STORE/containers/$id/container.json"
    mkdir -m 700 "$STORE/secrets/bad"
    mkdir -m 700 "$STORE/volumes/bad"
    image=$(ls "$STORE/images" | head -n 1)
    echo x >>"$STORE/images/$image/config"
    run_whelk system check -q
    assert_status 1
    assert_line --partial "container ${id:0:12}: "
    assert_line "secret bad: its record is missing"
    assert_line "volume bad: its record is missing"
    assert_line "image ${image:0:12}: its configuration was changed"
    assert_stderr --partial "4 damaged"
    run_whelk system check -q --repair --force
    assert_status 1
    run_whelk system check -q
    assert_output "volume bad: its record is missing"
}

@test "names that lead nowhere, and modes" {
    local id
    id=$(whelk create --name c base true)
    ln -s "$(printf 'a%.0s' {1..64})" "$STORE/container-names/ghost"
    rm "$STORE/container-names/c"
    chmod 0755 "$STORE/containers"
    chmod 0644 "$STORE/containers/$id/container.json"
    run_whelk system check -q
    assert_status 1
    assert_line "container ${id:0:12}: its name c leads nowhere"
    assert_line "container name ghost: there is no such container"
    assert_line "containers: mode 755 lets others in"
    assert_line "containers/$id/container.json: mode 644 lets others in"
    run_whelk system check -q -r
    assert_success
    clean -q
    assert_equal "$(inspect_field c .Id)" "$id"
    assert_equal "$(stat -c %a "$STORE/containers")" 700
}

@test "mistakes" {
    refused 125 "--force is for --repair" system check -f
}
