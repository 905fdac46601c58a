#!/usr/bin/env bats
# whelk manifest create, add, annotate, inspect, push, remove, rm, exists (C-055)

load ../lib/common
load ../lib/archives

setup() {
    fresh_store
    cd "$BATS_TEST_TMPDIR"
    for arch in amd64 arm64; do
        archive_parts $arch
        jq -cj --arg a $arch '.architecture = $a' $arch/config >c
        mv c $arch/config
        docker_archive $arch example.org/app:$arch | whelk load >/dev/null
    done
}

teardown() {
    for list in list list:v1 one both; do # of a test that failed
        whelk manifest rm $list >/dev/null 2>&1 || true
    done
    remove_all
    no_leftovers
    [ "$(store_entries indexes)" = "" ]
}

platforms() {
    whelk manifest inspect "$1" | jq -c '[.manifests[].platform | [.os, .architecture, .variant] | map(select(.)) | join("/")]'
}

@test "create, add, inspect, exists, remove, rm" {
    run_whelk manifest create list:v1
    assert_success
    assert_output --regexp '^sha256:[0-9a-f]{64}$'
    assert_equal "$(platforms list:v1)" "[]"
    run_whelk manifest exists list:v1
    assert_success
    assert_output ""
    run_whelk manifest exists other
    assert_status 1
    run_whelk manifest add list:v1 example.org/app:amd64 example.org/app:arm64
    assert_success
    digest=$output
    assert_equal "$(platforms localhost/list:v1)" '["linux/amd64","linux/arm64"]'
    # The same again changes nothing but the order.
    whelk manifest add list:v1 example.org/app:amd64 >/dev/null
    assert_equal "$(platforms list:v1)" '["linux/arm64","linux/amd64"]'
    run_whelk manifest add list:v1 example.org/app:arm64
    assert_output "$digest"
    run_whelk manifest remove list:v1 example.org/app:arm64
    assert_success
    assert_equal "$(platforms list:v1)" '["linux/amd64"]'
    entry=$(whelk manifest inspect list:v1 | jq -r '.manifests[0].digest')
    whelk manifest remove list:v1 "${entry:7:12}" >/dev/null
    assert_equal "$(platforms list:v1)" "[]"
    [ "$(store_entries indexes | wc -l)" -gt 1 ] # those before are collected with the next removal
    run_whelk manifest rm list:v1
    assert_success
    assert_line "Untagged: localhost/list:v1"
    assert_line --regexp "^Deleted: sha256:"
    assert_equal "$(store_entries indexes)" ""
    assert_equal "$(whelk images -q | wc -l)" 2
}

@test "create with images, --amend; no image is lost by a name" {
    whelk manifest create list example.org/app:amd64 >/dev/null
    run_whelk manifest create list example.org/app:arm64
    assert_status 125
    assert_one_error
    assert_stderr --partial "--amend adds to it"
    run_whelk manifest create --amend list example.org/app:arm64
    assert_success
    assert_equal "$(platforms list)" '["linux/amd64","linux/arm64"]'
    run_whelk manifest create example.org/app:amd64
    assert_status 125
    assert_stderr --partial "is the name of an image"
    run_whelk run --rm list true
    assert_status 125
    assert_stderr --partial "list is a list of manifests and no image"
    whelk manifest rm list >/dev/null
}

@test "annotate: platform and annotations; by image and by digest" {
    whelk manifest create list >/dev/null
    whelk manifest add --arch arm --variant v7 --os linux --os-version 6 --os-features a --os-features b --annotation x.y=1=2 \
        list example.org/app:arm64 >/dev/null
    assert_equal "$(platforms list)" '["linux/arm/v7"]'
    assert_equal "$(whelk manifest inspect list | jq -c '.manifests[0] | [.annotations, .platform["os.version"], .platform["os.features"]]')" \
        '[{"x.y":"1=2"},"6",["a","b"]]'
    run_whelk manifest annotate --arch arm64 --variant v8 --annotation z=3 list example.org/app:arm64
    assert_success
    assert_output --regexp '^sha256:[0-9a-f]{64}$'
    assert_equal "$(platforms list)" '["linux/arm64/v8"]'
    entry=$(whelk manifest inspect list | jq -r '.manifests[0].digest')
    whelk manifest annotate --os-version 7 list "$entry" >/dev/null
    assert_equal "$(whelk manifest inspect list | jq -c '.manifests[0] | [.annotations, .platform["os.version"]]')" \
        '[{"x.y":"1=2","z":"3"},"7"]'
    run_whelk manifest annotate --annotation nothing list "$entry"
    assert_status 125
    assert_stderr --partial "KEY=VALUE is wanted"
    run_whelk manifest annotate --arch x list absent
    assert_status 125
    assert_stderr --partial "the list has no entry absent"
    whelk manifest rm list >/dev/null
}

@test "push to a layout and a directory; others read it" {
    whelk manifest create list example.org/app:amd64 example.org/app:arm64 >/dev/null
    run_whelk manifest push --all --digestfile digest list oci:layout:all
    assert_success
    assert_equal "$output" "$(cat digest)"
    assert_equal "$(whelk manifest inspect oci:layout:all | jq -c '[.manifests[].platform.architecture]')" '["amd64","arm64"]'
    whelk image copy --platform linux/arm64 oci:layout:all dir:arm
    assert_equal "$(jq -r .config.digest arm/manifest.json)" "sha256:$(digest_of arm64/config)"
    run_whelk manifest push -q --format v2s2 --rm list dir:docker
    assert_success
    assert_equal "$(jq -r .mediaType docker/manifest.json)" application/vnd.docker.distribution.manifest.list.v2+json
    not whelk manifest exists list
    # And back: from elsewhere, one platform or all.
    whelk manifest create one oci:layout:all >/dev/null
    assert_equal "$(platforms one)" '["linux/amd64"]'
    whelk manifest create --all both oci:layout:all >/dev/null
    assert_equal "$(whelk manifest inspect both | jq -c '.manifests')" "$(whelk manifest inspect oci:layout:all | jq -c .manifests)"
    whelk manifest add --all one dir:docker >/dev/null
    assert_equal "$(platforms one | jq length)" 3
    needs skopeo
    assert_equal "$(skopeo inspect --raw oci:layout:all | sha256sum | cut -d ' ' -f 1)" "$(sed s/sha256:// digest)"
    skopeo --insecure-policy copy -q --multi-arch all oci:layout:all oci:copy:all
    assert_equal "$(whelk manifest inspect oci:copy:all | jq -c '[.manifests[].platform]')" \
        "$(whelk manifest inspect oci:layout:all | jq -c '[.manifests[].platform]')"
    whelk manifest rm one both >/dev/null
}

@test "inspect of images" {
    assert_equal "$(whelk manifest inspect example.org/app:amd64 | jq -r .config.digest)" "sha256:$(digest_of amd64/config)"
    run_whelk manifest inspect oci:absent
    assert_status 125
    assert_one_error
}

@test "errors" {
    for words in "add absent example.org/app:amd64" "remove absent x" "annotate absent x" "push absent"; do
        # shellcheck disable=SC2086 # words
        run_whelk manifest $words
        assert_status 125
        assert_one_error
        assert_stderr --partial "no list of manifests is called absent"
    done
    run_whelk manifest rm absent
    assert_status 1
    whelk manifest create list example.org/app:amd64 >/dev/null
    run_whelk manifest add list absent
    assert_status 125
    assert_stderr --partial "cannot add absent to the list: no such image: absent"
    run_whelk manifest push --format tar list oci:x
    assert_status 125
    assert_stderr --partial "--format tar: oci or v2s2"
    run_whelk manifest push list docker-archive:x.tar
    assert_status 125
    assert_stderr --partial "takes no lists of manifests"
    [ ! -e x.tar ]
    whelk rmi example.org/app:amd64 >/dev/null
    run_whelk manifest push list oci:layout
    assert_status 125
    assert_stderr --partial "is not in the store any more"
    whelk manifest rm list >/dev/null
    run_whelk manifest create 'NOT A NAME'
    assert_status 125
}
