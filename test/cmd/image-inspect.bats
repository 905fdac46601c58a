#!/usr/bin/env bats
# whelk image inspect of images elsewhere (C-057), digests (C-040, CV-F11), platforms (C-049)

load ../lib/common
load ../lib/archives

setup() {
    fresh_store
    cd "$BATS_TEST_TMPDIR"
    archive_parts parts
    digest=$(oci_layout layout parts example.org/app:v1)
    whelk load -i layout >/dev/null
}

teardown() {
    remove_all
    no_leftovers
}

@test "digests: of inspect and images, by digest, through tag" {
    assert_equal "$(inspect_field example.org/app:v1 '.RepoDigests[0]')" "example.org/app@$digest"
    assert_equal "$(inspect_field example.org/app:v1 .Digest)" "$digest"
    assert_equal "$(inspect_field example.org/app:v1 .Descriptor.digest)" "$digest"
    assert_equal "$(inspect_field example.org/app:v1 .ManifestType)" application/vnd.oci.image.manifest.v1+json
    assert_equal "$(inspect_field "example.org/app@$digest" .Id)" "$(inspect_field example.org/app:v1 .Id)"
    run_whelk image inspect "other@$digest"
    assert_status 125
    run_whelk images --digests
    assert_output --regexp '^REPOSITORY +TAG +DIGEST +IMAGE ID'
    assert_line --partial " $digest "
    run_whelk images
    refute_output DIGEST
    assert_equal "$(whelk images --format '{{.Digest}}')" "$digest"
    assert_equal "$(whelk images -q -f "digest=${digest:0:20}" | wc -l)" 1
    assert_equal "$(whelk images -q -f digest=sha256:00 | wc -l)" 0
    whelk tag example.org/app:v1 kept
    assert_equal "$(inspect_field "kept@$digest" '.RepoTags | length')" 2
    whelk import "$WHELK_TOOLS/base.tar" made >/dev/null
    assert_equal "$(whelk images --format '{{.Digest}}' made)" "<none>"
    assert_equal "$(inspect_field made '.RepoDigests | length')" 0
}

@test "--platform" {
    assert_equal "$(whelk image inspect --platform linux/amd64 --format '{{.Architecture}}' example.org/app:v1)" amd64
    run_whelk image inspect --platform linux/arm64 example.org/app:v1
    assert_status 125
    assert_stderr --partial "is for linux/amd64, not for linux/arm64"
}

@test "where it is: object, --raw, --config, --format" {
    run_whelk image inspect oci:layout
    assert_success
    assert_equal "$(jq -r .Digest <<<"$output")" "$digest"
    assert_equal "$(jq -c .Layers <<<"$output")" "[\"sha256:$(digest_of parts/one)\",\"sha256:$(digest_of parts/two)\"]"
    assert_equal "$(whelk image inspect --format '{{.Architecture}}' oci:layout)" amd64
    whelk image inspect --raw oci:layout | cmp - parts/manifest
    whelk image inspect --raw --config oci:layout | cmp - parts/config
    assert_equal "$(whelk image inspect --config oci:layout | jq -c .rootfs)" "$(jq -c .rootfs parts/config)"
    docker_archive parts >made.tar
    assert_equal "$(whelk image inspect docker-archive:made.tar | jq '.LayersData | length')" 2
    needs skopeo
    for key in Digest Layers Architecture Os; do
        assert_equal "$(whelk image inspect oci:layout | jq -c .$key)" "$(skopeo inspect oci:layout | jq -c .$key)"
    done
}

@test "errors" {
    run_whelk image inspect --raw example.org/app:v1
    assert_status 125
    assert_one_error
    assert_stderr --partial "give --remote, or a name like oci:DIR"
    run_whelk image inspect oci:absent
    assert_status 125
    assert_stderr --partial "cannot open the directory absent"
    run_whelk image inspect --platform linux/s390x oci:layout
    assert_success # a layout of one image says nothing of platforms
    printf X >>"layout/blobs/sha256/$(digest_of parts/config)"
    run_whelk image inspect oci:layout
    assert_status 125
    assert_stderr --partial "bytes, not"
}
