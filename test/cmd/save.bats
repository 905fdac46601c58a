#!/usr/bin/env bats
# whelk save (C-045): formats, what others make of them, and that the bytes are those that came.

load ../lib/common
load ../lib/archives

setup() {
    fresh_store
    cd "$BATS_TEST_TMPDIR"
    base_image
    build_image made:v1 <<'END'
FROM base
RUN echo one > /one; mkdir /d; chmod 1777 /d
RUN rm /one; echo two > /d/two
CMD ["cat", "/d/two"]
END
    id=$(whelk images -q --no-trunc made)
    layers=$(layers_of)
}

teardown() {
    drop_peers
    remove_all
    no_leftovers
}

layers_of() {
    inspect_field made:v1 '.RootFS.Layers[]'
}

# The image is loaded into an empty store and is what it was.
comes_back() { # load's arguments
    remove_all
    whelk load "$@" >/dev/null
    assert_equal "$(whelk images -q --no-trunc)" "$id"
    whelk tag "$id" made:v1
    assert_equal "$(layers_of)" "$layers"
    assert_equal "$(whelk run --rm made:v1)" two
}

@test "docker-archive: to a file, to standard output; config and layers are the very bytes" {
    run_whelk save -o made.tar made:v1
    assert_success
    assert_output ""
    assert_stderr ""
    whelk image save made:v1 >piped.tar
    cmp made.tar piped.tar
    whelk save --quiet --uncompressed -m made:v1 | cmp - made.tar
    for layer in $layers; do
        assert_equal "sha256:$(tar xOf made.tar "${layer#sha256:}.tar" | sha256sum | cut -d ' ' -f 1)" "$layer"
    done
    assert_equal "sha256:$(tar xOf made.tar "${id#sha256:}.json" | sha256sum | cut -d ' ' -f 1)" "$id"
    assert_equal "$(tar xOf made.tar manifest.json | jq -c '.[0].RepoTags')" '["localhost/made:v1"]'
    comes_back -i made.tar
}

@test "every format comes back, also compressed" {
    for words in "--format docker-archive" "--format oci-archive" "--format oci-dir" "--format docker-dir" \
        "--format oci-archive --compress" "--format oci-dir --compress" "--format docker-dir --compress"; do
        rm -rf out
        # shellcheck disable=SC2086 # options
        whelk save $words -o out made:v1
        comes_back -i out
    done
}

@test "several images: layers once, an image with two names once" {
    whelk tag made:v1 made:v2
    whelk save -m -o all.tar base made:v1 made:v2
    assert_equal "$(tar tf all.tar | sort | uniq -d)" ""
    assert_equal "$(tar xOf all.tar manifest.json | jq length)" 2
    whelk save --format oci-archive -o all.oci base made:v1 made:v2
    assert_equal "$(tar tf all.oci | sort | uniq -d)" ""
    for file in all.tar all.oci; do
        remove_all
        run_whelk load -i "$file"
        assert_success
        assert_line "Loaded image: localhost/base:latest"
        assert_line "Loaded image: localhost/made:v1"
        assert_line "Loaded image: localhost/made:v2"
    done
    whelk save "${id#sha256:}" | tar xO manifest.json | jq -e '.[0].RepoTags == []'
}

@test "into an OCI layout that is there" {
    whelk save --format oci-dir -o layout base
    whelk save --format oci-dir -o layout made:v1
    whelk save --format oci-dir -o layout made:v1
    assert_equal "$(jq '.manifests | length' layout/index.json)" 2
    assert_equal "$(find layout/blobs/sha256 -name '.tmp*')" ""
}

@test "errors: names, formats, a terminal, a full disk; nothing is left of a file" {
    run_whelk save -o made.tar absent
    assert_status 125
    assert_one_error
    assert_stderr --partial "no such image: absent"
    run_whelk save -o made.tar made:v1 absent
    assert_status 125
    [ ! -e made.tar ]
    run_whelk save --format zip made:v1
    assert_status 125
    assert_stderr "Error: --format zip: docker-archive, oci-archive, oci-dir or docker-dir"
    run_whelk save --format oci-dir made:v1
    assert_status 125
    assert_stderr --partial "writes a directory: name it with --output"
    run_whelk save --compress made:v1
    assert_status 125
    assert_stderr --partial "a docker-archive has plain layers"
    run_whelk save --compress --uncompressed --format oci-archive made:v1
    assert_status 125
    assert_stderr --partial "exclude each other"
    run_whelk save --format docker-dir -o out made:v1 base
    assert_status 125
    assert_stderr --partial "a docker-dir holds one image"
    run_whelk save -o /no/such/dir/made.tar made:v1
    assert_status 125
    assert_stderr --partial "cannot write /no/such/dir/made.tar"
    run_whelk save -o /dev/full made:v1
    assert_status 125
    assert_stderr --partial "No space left"
    run_whelk save --platform linux/s390x made:v1
    assert_status 125
    assert_stderr --partial "not for linux/s390x"
    run_whelk save
    assert_status 125
    run script -qec "$WHELK save made:v1" /dev/null </dev/null
    assert_output --partial "an archive is not for a terminal"
}

@test "a layer that was damaged in the store is not sent" {
    [ "$WHELK_LANE" != subuid ] || skip "the layer's files belong to another user"
    file=$(echo "$STORE"/layers/*/diff/bin/busybox)
    printf X | dd of="$file" bs=1 seek=100 conv=notrunc status=none
    run_whelk save -o made.tar made:v1
    assert_status 125
    assert_one_error
    assert_stderr --partial "damaged"
    [ ! -e made.tar ]
}

# --- real peers

@test "podman loads every format; ids stay" {
    skip_unless_lane root subuid # podman, too, unpacks other owners only where there are ids
    needs podman
    for format in docker-archive oci-archive oci-dir docker-dir; do
        rm -rf out
        whelk save --format $format -o out made:v1
        peer podman load -q -i out >/dev/null
        assert_equal "sha256:$(peer podman images -q --no-trunc | sed 's/sha256://')" "$id"
        peer podman rmi -f "${id#sha256:}" >/dev/null
    done
    whelk save made:v1 | peer podman load -q >/dev/null
    assert_equal "$(peer podman image inspect localhost/made:v1 | jq -r '.[0].RootFS.Layers[]')" "$layers"
}

@test "skopeo and umoci read every format" {
    needs skopeo
    whelk save -o made.tar made:v1
    whelk save --format oci-archive -o made.oci made:v1
    whelk save --format oci-dir --compress -o layout made:v1
    whelk save --format docker-dir -o dir made:v1
    for from in docker-archive:made.tar oci-archive:made.oci oci:layout:localhost/made:v1 dir:dir; do
        rm -rf copy
        skopeo --insecure-policy copy -q "$from" dir:copy
        assert_equal "$(jq -r .config.digest copy/manifest.json)" "$id"
    done
    needs umoci
    whelk save --format oci-dir --compress -o plainname "${id#sha256:}"
    skopeo --insecure-policy copy -q oci:layout:localhost/made:v1 oci:tagged:one
    umoci unpack --rootless --image tagged:one bundle 2>/dev/null
    assert_equal "$(cat bundle/rootfs/d/two)" two
}
