#!/usr/bin/env bats
# whelk image copy (C-057): between files, archives and directories, without the store.

load ../lib/common
load ../lib/archives

setup() {
    fresh_store
    cd "$BATS_TEST_TMPDIR"
    archive_parts parts
    config=sha256:$(digest_of parts/config)
    digest=$(oci_layout layout parts made)
}

teardown() {
    [ ! -d "$STORE" ] || nothing_stored
}

config_of() { # DIR of dir:
    jq -r .config.digest "$1/manifest.json"
}

@test "between any two kinds; what need not change keeps its digest" {
    run_whelk image copy oci:layout:made dir:dir
    assert_success
    assert_output ""
    assert_equal "sha256:$(digest_of dir/manifest.json)" "$digest"
    whelk image copy dir:dir oci-archive:made.oci:made
    whelk image copy oci-archive:made.oci oci:again:made
    assert_equal "$(jq -r '.manifests[0].digest' again/index.json)" "$digest"
    whelk image copy oci:again docker-archive:made.tar:made:v1
    whelk image copy docker-archive:made.tar dir:back
    assert_equal "$(config_of back)" "$config"
    whelk image copy docker-archive:made.tar:made:v1 oci:again:second
    assert_equal "$(jq -c '[.manifests[].annotations["org.opencontainers.image.ref.name"]]' again/index.json)" '["made","second"]'
    # Through pipes.
    whelk image copy oci:layout oci-archive:- | whelk image copy oci-archive:- dir:piped
    cmp piped/manifest.json dir/manifest.json
}

@test "compressions and types" {
    for codec in gzip zstd; do
        rm -rf packed
        whelk image copy --compression-format $codec --compression-level 3 oci:layout oci:packed:made
        manifest=packed/blobs/sha256/$(jq -r '.manifests[0].digest' packed/index.json | sed s/sha256://)
        assert_equal "$(jq -r '.layers[].mediaType' "$manifest" | sort -u)" "application/vnd.oci.image.layer.v1.tar+$codec"
        assert_equal "$(jq -r .config.digest "$manifest")" "$config"
        # And plain again: the same layers.
        rm -rf plain
        whelk image copy --compression-format none oci:packed dir:plain
        cmp "plain/$(digest_of parts/two)" parts/two
        whelk image copy --compression-format $codec oci:layout oci-archive:packed.tar:made
        whelk image copy oci-archive:packed.tar docker-archive:plain.tar
        tar xOf plain.tar "$(digest_of parts/one).tar" | cmp - parts/one
    done
    whelk image copy --format v2s2 --digestfile d oci:layout dir:docker
    assert_equal "$(cat d)" "sha256:$(digest_of docker/manifest.json)"
    assert_equal "$(jq -r .mediaType docker/manifest.json)" application/vnd.docker.distribution.manifest.v2+json
    assert_equal "$(config_of docker)" "$config"
    whelk image copy --format oci dir:docker dir:oci
    assert_equal "$(jq -r .mediaType oci/manifest.json)" application/vnd.oci.image.manifest.v1+json
    whelk image copy -f v2s2 -q dir:oci dir:docker2
    cmp docker/manifest.json docker2/manifest.json
}

@test "an index: one platform, or all" {
    type=application/vnd.oci.image
    mkdir arm.d
    cp parts/* arm.d
    jq -c '.architecture = "arm64"' parts/config >arm.d/config
    arm=$(oci_layout multi arm.d)
    oci_layout multi parts >/dev/null
    for arch in amd64:parts arm64:arm.d; do
        put_blob multi "${arch#*:}/manifest" $type.manifest.v1+json |
            jq -c --arg a "${arch%:*}" '. + {platform: {os: "linux", architecture: $a}}'
    done | jq -cs '{schemaVersion: 2, manifests: .}' >index
    put_blob multi index $type.index.v1+json | jq -c '{schemaVersion: 2, manifests: [.]}' >multi/index.json
    whelk image copy --platform linux/arm64 oci:multi dir:arm
    assert_equal "sha256:$(digest_of arm/manifest.json)" "$arm"
    whelk image copy --all oci:multi dir:all
    cmp all/manifest.json index
    whelk image copy --multi-arch all dir:all oci-archive:all.tar:m
    whelk image copy --multi-arch system --platform linux/arm64 oci-archive:all.tar dir:arm2
    cmp arm2/manifest.json arm/manifest.json
    # Changed entries make another index.
    whelk image copy -a --compression-format gzip oci:multi oci:packed:m
    whelk image copy --platform linux/arm64 oci:packed dir:arm3
    assert_equal "$(jq -r '.layers[0].mediaType' arm3/manifest.json)" "$type.layer.v1.tar+gzip"
    run_whelk image copy --all oci:multi docker-archive:x.tar
    assert_status 125
    assert_stderr --partial "takes one platform of an image"
    [ ! -e x.tar ]
    run_whelk image copy --platform linux/s390x oci:multi dir:none
    assert_status 125
    assert_stderr --partial "it is for: linux/amd64, linux/arm64"
}

@test "errors: names, options, damage; nothing is left" {
    run_whelk image copy layout dir:x
    assert_status 125
    assert_one_error
    assert_stderr --partial 'Error: cannot copy the image: "layout" does not say where the image is: docker://NAME'
    run_whelk image copy oci:absent dir:x
    assert_status 125
    assert_stderr --partial "cannot open the directory absent"
    run_whelk image copy oci:layout:other dir:x
    assert_status 125
    assert_stderr --partial "there is no image other in it, but: made"
    oci_layout layout parts second >/dev/null
    jq -s '.[0].manifests += [.[0].manifests[0] + {annotations: {"org.opencontainers.image.ref.name": "b"}}] | .[0]' layout/index.json >i
    mv i layout/index.json
    run_whelk image copy oci:layout dir:x
    assert_status 125
    assert_stderr --partial "choose one with :NAME: second, b"
    for words in "--format rpm:--format rpm: oci or v2s2" "--multi-arch some:--multi-arch is all or system" \
        "--compression-format xz:whelk does not compress with xz" "--compression-format what:is no known compression" \
        "--compression-level 3:goes with --compression-format" "--compression-format gzip --compression-level 40:levels 1 to 9" \
        "--all --platform arm64:chooses one image" "--platform a/b/c/d:is no platform"; do
        # shellcheck disable=SC2086 # options
        run_whelk image copy ${words%%:*} oci:layout:b dir:x
        assert_status 125
        assert_stderr --partial "${words#*:}"
    done
    printf X >>"layout/blobs/sha256/$(digest_of parts/one)"
    run_whelk image copy oci:layout:b docker-archive:x.tar
    assert_status 125
    assert_stderr --partial "bytes, not"
    [ ! -e x.tar ]
    printf X | dd of="layout/blobs/sha256/$(digest_of parts/two)" bs=1 seek=600 conv=notrunc status=none
    run_whelk image copy oci:layout:b oci:y
    assert_status 125
    [ ! -e y/index.json ]
    run_whelk image copy oci:layout:b
    assert_status 125
}

@test "skopeo reads what is copied, and the other way round" {
    needs skopeo
    for to in oci:a:made oci-archive:b.tar:made docker-archive:c.tar:made:v1 dir:d; do
        rm -rf copy back
        whelk image copy oci:layout "$to"
        skopeo --insecure-policy copy -q "$to" oci:copy:made
        whelk image copy oci:copy dir:back
        assert_equal "$(config_of back)" "$config"
    done
}
