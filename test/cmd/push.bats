#!/usr/bin/env bats
# time-limit: 300
# whelk push (C-042, S-034, S-102): what gets to the registry, and what is not sent again.

load ../lib/common
load ../lib/container
load ../lib/registry

setup_file() {
    load ../lib/common
    load ../lib/registry
    needs_registry
    start_registry open
    start_registry tokens token
    export REGISTRY_open REGISTRY_tokens
}

teardown_file() {
    stop_registries
}

setup() {
    needs_registry
    fresh_store
    base_image
    export XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/config
    cd "$BATS_TEST_TMPDIR"
}

teardown() {
    remove_all
    no_leftovers
}

# manifest NAME TAG: as it is at the open registry.
manifest() {
    curl -sf -H 'Accept: application/vnd.oci.image.manifest.v1+json' \
        -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' "http://$REGISTRY_open/v2/$1/manifests/$2"
}
id_of() {
    whelk images -q --no-trunc "$1" | head -n 1
}

@test "a new image: digest on stderr and in the file, nothing on stdout; again it sends nothing" {
    run_whelk push --digestfile digest base "$REGISTRY_open/app"
    assert_success
    assert_output ""
    assert_stderr_line "Pushing $REGISTRY_open/app:latest"
    assert_stderr_line --regexp '^[0-9a-f]{12} pushed, '
    assert_equal "${stderr_lines[-1]}" "$(cat digest)"
    assert_equal "$(cat digest)" "sha256:$(manifest app latest | sha256sum | cut -d ' ' -f 1)"
    run_whelk push base "$REGISTRY_open/app"
    assert_success
    refute_stderr " pushed"
    assert_equal "${stderr_lines[-1]}" "$(cat digest)"
    answers "" push -q base "$REGISTRY_open/app"
    answers "" image push -q base "$REGISTRY_open/app:v2"
    # By its own name.
    whelk tag base "$REGISTRY_open/named:v1"
    answers "" push -q "$REGISTRY_open/named:v1"
    assert_equal "$(manifest named v1 | sha256sum)" "$(manifest app latest | sha256sum)"
}

@test "the same configuration comes back, and the same layers" {
    local before layers
    before=$(id_of base)
    layers=$(inspect_field base '.RootFS.Layers | tojson')
    whelk push -q base "$REGISTRY_open/back"
    remove_all
    assert_equal "sha256:$(whelk pull -q "$REGISTRY_open/back")" "$before"
    assert_equal "$(inspect_field "$REGISTRY_open/back" '.RootFS.Layers | tojson')" "$layers"
}

@test "a pulled image is pushed as it came; another repository gives its blobs over" {
    whelk push -q --compression-format zstd base "$REGISTRY_open/first"
    remove_all
    whelk pull -q "$REGISTRY_open/first" >/dev/null
    run_whelk push "$REGISTRY_open/first" "$REGISTRY_open/first:again"
    assert_success
    refute_stderr " pushed"
    assert_equal "$(manifest first again | sha256sum)" "$(manifest first latest | sha256sum)"
    base_image
    whelk push -q base "$REGISTRY_open/gzip"
    run_whelk push base "$REGISTRY_open/elsewhere/gzip"
    assert_success
    assert_stderr_line --regexp '^[0-9a-f]{12} taken over, '
}

@test "compression and format" {
    local type
    whelk push -q --compression-format zstd --compression-level 3 base "$REGISTRY_open/z"
    assert_equal "$(manifest z latest | jq -r '.layers[0].mediaType')" application/vnd.oci.image.layer.v1.tar+zstd
    whelk push -q --compression-format gzip --compression-level 9 base "$REGISTRY_open/g"
    assert_equal "$(manifest g latest | jq -r '.layers[0].mediaType')" application/vnd.oci.image.layer.v1.tar+gzip
    whelk push -q --force-compression base "$REGISTRY_open/z"
    assert_equal "$(manifest z latest | jq -r '.layers[0].mediaType')" application/vnd.oci.image.layer.v1.tar+gzip
    for type in docker v2s2; do
        whelk push -q -f "$type" base "$REGISTRY_open/d"
        assert_equal "$(manifest d latest | jq -r .mediaType)" application/vnd.docker.distribution.manifest.v2+json
    done
    run_whelk push --compression-format xx base "$REGISTRY_open/z"
    assert_status 125
    assert_one_error
    assert_stderr --partial xx
    refused 125 "layers are compressed with gzip or zstd, not xz" push --compression-format xz base "$REGISTRY_open/z"
    refused 125 '--format is oci or docker, not "x"' push -f x base "$REGISTRY_open/z"
}

@test "all tags of a repository" {
    whelk tag base "$REGISTRY_open/many:one" "$REGISTRY_open/many:two" "$REGISTRY_open/others:three"
    answers "" push -q -a "$REGISTRY_open/many"
    assert_equal "$(curl -s "http://$REGISTRY_open/v2/many/tags/list" | jq -c '.tags | sort')" '["one","two"]'
    refused 125 "no image is called $REGISTRY_open/none" push -a "$REGISTRY_open/none"
    refused 125 "--all-tags wants a name without a tag or digest" push -a "$REGISTRY_open/many:one"
    refused 125 "--all-tags and a destination cannot be given together" push -a "$REGISTRY_open/many" x.example/y
}

@test "where it goes has to be said" {
    local id
    id=$(id_of base)
    id=${id#sha256:}
    refused 125 "localhost/base:latest names no registry; say where it goes: whelk push localhost/base:latest registry.example.org/base" push base
    refused 125 "$id is an id; say where it goes: whelk push ${id:0:12} registry.example.org/NAME" push "$id"
    answers "" push -q "$id" "$REGISTRY_open/by-id"
    run_whelk push nosuch "$REGISTRY_open/x"
    assert_status 125
    assert_stderr --partial "no such image: nosuch"
    run_whelk push -q base 127.0.0.1:1/x
    assert_status 125
    assert_one_error
    assert_stderr --partial "Error: cannot push to 127.0.0.1:1/x:latest: "
    answers "" push -q base oci:layout
    [ -e layout/index.json ]
}

@test "a token service wants a login that may push" {
    run_whelk push -q base "$REGISTRY_tokens/public/x"
    assert_status 125
    assert_one_error
    assert_stderr --partial "denied"
    answers "" push -q --creds alice:secret base "$REGISTRY_tokens/public/x"
    grep -q "^alice .*repository:public/x:pull,push" "$REGISTRY_DIR/tokens/tokens"
}

@test "skopeo, podman and buildah read what was pushed" {
    needs skopeo
    printf 'FROM base\nRUN echo data >/data && ln /data /link && mkdir -m 1777 /t\n' | build_image app >/dev/null
    whelk push -q app "$REGISTRY_open/peers:gzip"
    whelk push -q --compression-format zstd app "$REGISTRY_open/peers:zstd"
    whelk push -q -f docker app "$REGISTRY_open/peers:docker"
    local tag
    for tag in gzip zstd docker; do
        skopeo copy -q --src-tls-verify=false "docker://$REGISTRY_open/peers:$tag" "oci:peers-$tag"
        assert_equal "$(skopeo inspect --tls-verify=false --config "docker://$REGISTRY_open/peers:$tag" | jq -c .rootfs.diff_ids)" \
            "$(inspect_field app '.RootFS.Layers | tojson')"
    done
    [ "$WHELK_LANE" = root ] && command -v podman >/dev/null || return 0
    local run
    run=$(mktemp -d /tmp/podman.XXXX) # it takes only short ones
    podman --root "$PWD/podman" --runroot "$run" --storage-driver vfs pull -q --tls-verify=false "$REGISTRY_open/peers:gzip"
    podman --root "$PWD/podman" --runroot "$run" --storage-driver vfs rmi -af >/dev/null
    rm -rf "$run"
}

@test "build --push: to each name, of the wanted type; a registry that is away fails the build" {
    mkdir context
    printf 'FROM base\nRUN echo 1 >/one\n' >context/Dockerfile
    run_whelk build -t "$REGISTRY_open/built:1" -t "$REGISTRY_open/built:2" --push context
    assert_success
    assert_id "$output"
    assert_equal "$(manifest built 1 | jq -r .config.digest)" "sha256:$output"
    assert_equal "$(manifest built 2 | jq -r .mediaType)" application/vnd.oci.image.manifest.v1+json
    whelk build -q -o "type=image,name=$REGISTRY_open/built:3,push=true" --format docker context
    assert_equal "$(manifest built 3 | jq -r .mediaType)" application/vnd.docker.distribution.manifest.v2+json
    run_whelk build --push --retry 0 -t localhost:1/built context
    assert_status 125
    assert_stderr --partial "localhost:1"
    assert_output ""
}
