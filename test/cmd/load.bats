#!/usr/bin/env bats
# whelk load (C-046): what it takes, from whom, and that no archive can do harm.

load ../lib/common
load ../lib/archives

setup() {
    fresh_store
    whelk images >/dev/null # makes the store
    cd "$BATS_TEST_TMPDIR"
    archive_parts parts
    config=$(digest_of parts/config)
}

teardown() {
    drop_peers
    remove_all
    no_leftovers
}

# refused TEXT COMMAND...: one line that says so, and nothing of it is in the store.
refused() {
    local text=$1
    shift
    run --separate-stderr "$@"
    assert_status 125
    assert_one_error
    assert_stderr --partial "Error: cannot load "
    assert_stderr --partial "$text"
    nothing_stored
}
load_stdin() {
    "$WHELK" load
}

@test "a docker archive from a file and from standard input, and again" {
    docker_archive parts >made.tar
    run_whelk load -i made.tar
    assert_success
    assert_output "Loaded image: docker.io/library/made:latest"
    assert_stderr ""
    assert_equal "$(inspect_field made .Id)" "sha256:$config"
    run --separate-stderr "$WHELK" load <made.tar
    assert_success
    assert_output "Loaded image: docker.io/library/made:latest"
    run --separate-stderr "$WHELK" image load --quiet < <(cat made.tar)
    assert_success
    assert_equal "$(whelk images -q | wc -l)" 1
    id=$(whelk create made /x)
    whelk export "$id" | tar t | grep -x dir/one
    whelk rm "$id" >/dev/null
}

@test "compressed archives: gzip, zstd, xz, bzip2" {
    docker_archive parts >made.tar
    for tool in gzip zstd xz bzip2; do
        command -v $tool >/dev/null || skip "$tool is not installed"
        $tool -c <made.tar >made.packed
        run_whelk load -i made.packed
        assert_success
        assert_output "Loaded image: docker.io/library/made:latest"
        remove_all
        run --separate-stderr "$WHELK" load < <($tool -c <made.tar)
        assert_success
        remove_all
    done
}

@test "layers that are compressed inside a docker archive" {
    gzip -n parts/one
    mv parts/one.gz parts/one
    docker_archive parts >made.tar
    run_whelk load -i made.tar
    assert_success
    assert_equal "$(inspect_field made .Id)" "sha256:$config"
    assert_equal "$(inspect_field made '.RootFS.Layers | length')" 2
}

@test "several images with several names, and one without" {
    "$WHELK_TOOLS/hostile-tar" 0 three 3 >parts/three
    mkdir other
    cp parts/one parts/three other
    write_config other parts/one parts/three
    cp other/config parts/config2
    jq -n '[{Config: "config", RepoTags: ["a:1", "example.org/b:2"], Layers: ["one", "two"]},
            {Config: "config2", RepoTags: null, Layers: ["one", "three"]}]' >parts/manifest.json
    tar -C parts -c . >made.tar
    run_whelk load -i made.tar
    assert_success
    assert_line "Loaded image: docker.io/library/a:1"
    assert_line "Loaded image: example.org/b:2"
    assert_line "Loaded image: sha256:$(digest_of other/config)"
    assert_equal "$(store_entries layers | grep -vc /empty)" 3
}

@test "links to layers, as older tools write them" {
    mkdir -p old/one old/two
    cp parts/one old/one/layer.tar
    ln -s ../one/layer.tar old/two/layer.tar
    write_config old parts/one parts/one
    jq -n '[{Config: "config", RepoTags: ["old:latest"], Layers: ["one/layer.tar", "two/layer.tar"]}]' >old/manifest.json
    tar -C old -c . | whelk load
    assert_equal "$(inspect_field old '.RootFS.Layers | length')" 2
    assert_equal "$(store_entries layers | wc -l)" 1
}

@test "an OCI layout: as directory and archive, by name and digest" {
    digest=$(oci_layout layout parts example.org/app:v1)
    run_whelk load -i layout
    assert_success
    assert_output "Loaded image: example.org/app:v1"
    assert_equal "$(inspect_field "example.org/app@$digest" .Id)" "sha256:$config"
    remove_all
    tar -C layout -c . >layout.tar
    run_whelk load -i layout.tar
    assert_success
    assert_output "Loaded image: example.org/app:v1"
    # A lone word is a tag of the layout.
    oci_layout word parts word >/dev/null
    run_whelk load -i word
    assert_output "Loaded image: localhost/word:latest"
    assert_equal "$(whelk images -q | sort -u | wc -l)" 1
}

@test "an index: this machine's image, or that of --platform" {
    type=application/vnd.oci.image
    for arch in amd64 arm64; do
        jq -c --arg a $arch '.architecture = $a' parts/config >$arch
        mkdir $arch.d
        cp parts/one parts/two $arch.d
        cp $arch $arch.d/config
        oci_layout layout $arch.d >/dev/null
        put_blob layout $arch.d/manifest $type.manifest.v1+json |
            jq -c --arg a $arch '. + {platform: {os: "linux", architecture: $a}}' >>entries
    done
    jq -cs '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: .}' entries >index
    put_blob layout index $type.index.v1+json |
        jq -c '{schemaVersion: 2, manifests: [. + {annotations: {"org.opencontainers.image.ref.name": "example.org/m:1"}}]}' >layout/index.json
    run_whelk load --platform linux/arm64 -i layout
    assert_success
    assert_equal "$(inspect_field example.org/m:1 .Architecture)" arm64
    run_whelk load --platform linux/amd64 -i layout
    assert_success
    assert_equal "$(inspect_field example.org/m:1 .Architecture)" amd64
    # Both are here: the index tells which is which.
    whelk save --platform linux/arm64 example.org/m:1 | tar xO manifest.json | grep "$(digest_of arm64)"
    refuse="the image is not there for linux/s390x; it is for: linux/amd64, linux/arm64"
    run_whelk load --platform linux/s390x -i layout
    assert_status 125
    assert_stderr --partial "$refuse"
}

# --- what it refuses

@test "no archive, an empty one, a damaged one, a file tree" {
    run_whelk load -i absent.tar
    assert_status 125
    assert_one_error
    assert_stderr "Error: cannot load absent.tar: cannot open absent.tar: No such file or directory"
    : >empty
    refused "there is no image in it" "$WHELK" load -i empty
    echo rubbish >rubbish
    refused "rubbish" "$WHELK" load -i rubbish
    docker_archive parts >made.tar
    head -c 2000 made.tar >cut.tar
    refused "cut short" "$WHELK" load -i cut.tar
    gzip <made.tar | head -c 300 >cut.tar.gz
    refused "the gzip stream is cut short" "$WHELK" load -i cut.tar.gz
    refused "whelk import makes an image of a file tree" "$WHELK" load -i "$WHELK_TOOLS/base.tar"
    mkdir nothing
    refused "neither index.json nor manifest.json" "$WHELK" load -i nothing
    run_whelk load --platform 'no platform'
    assert_status 125
    assert_stderr --partial "is no platform"
    run_whelk load argument
    assert_status 125
}

@test "a layer or configuration with another digest than is said" {
    docker_archive parts >/dev/null
    "$WHELK_TOOLS/hostile-tar" 0 evil x >parts/two
    docker_archive parts >made.tar
    refused "is expected" "$WHELK" load -i made.tar
    archive_parts parts2
    hex=$(digest_of parts2/config)
    printf ' ' >>parts2/config
    mv parts2/config "parts2/$hex.json"
    jq -n --arg c "$hex.json" '[{Config: $c, RepoTags: ["a"], Layers: ["one", "two"]}]' >parts2/manifest.json
    tar -C parts2 -c . >made.tar
    refused "the configuration $hex is damaged" "$WHELK" load -i made.tar
    # In an OCI layout: manifest, configuration, layer.
    for part in manifest config one two; do
        rm -rf parts layout
        archive_parts parts
        oci_layout layout parts >/dev/null
        file=layout/blobs/sha256/$(digest_of parts/$part)
        size=$(stat -c %s "$file")
        printf X | dd of="$file" bs=1 seek=$((size / 2)) conv=notrunc status=none
        refused "" "$WHELK" load -i layout # the digest, or what is read of a layer before its end
        printf X >>"$file"
        refused "bytes" "$WHELK" load -i layout
        rm "$file"
        refused "has no file blobs/sha256/" "$WHELK" load -i layout
    done
}

@test "members that are missing, come twice or lead out; links that do" {
    docker_archive parts >/dev/null
    tar -C parts -c config one manifest.json >made.tar
    refused "has no file two" "$WHELK" load -i made.tar
    tar -C parts -c config one two manifest.json one >made.tar
    refused "one is in the archive twice" "$WHELK" load -i made.tar
    "$WHELK_TOOLS/hostile-tar" 0 ../outside x >made.tar
    refused "leads out" "$WHELK" load -i made.tar
    "$WHELK_TOOLS/hostile-tar" 0 /absolute x >made.tar
    refused "leads out" "$WHELK" load -i made.tar
    "$WHELK_TOOLS/hostile-tar" 2 manifest.json ../../../etc/passwd >made.tar
    refused "leads out" "$WHELK" load -i made.tar
    "$WHELK_TOOLS/hostile-tar" 2 manifest.json /etc/passwd >made.tar
    refused "leads out" "$WHELK" load -i made.tar
    "$WHELK_TOOLS/hostile-tar" 2 manifest.json a 2 a manifest.json >made.tar
    refused "" "$WHELK" load -i made.tar
    "$WHELK_TOOLS/hostile-tar" 6 manifest.json - >made.tar
    refused "is not a plain file" "$WHELK" load -i made.tar
    # Of a directory: a link out of it.
    mkdir dir
    ln -s /etc/passwd dir/index.json
    refused "" "$WHELK" load -i dir
    mkfifo fifo
    mkdir dir2
    mv fifo dir2/index.json
    refused "cannot open the file index.json" "$WHELK" load -i dir2
}

@test "lists and manifests that are none" {
    while read -r text reason; do
        echo "$text" >parts/manifest.json
        tar -C parts -c config one two manifest.json >made.tar
        refused "$reason" "$WHELK" load -i made.tar
    done <<'END'
nonsense not valid JSON
{} is not an array
[{}] has no "Config"
[{"Config":"config","Layers":["one"]}] the configuration has 2 layers, manifest.json lists 1
[{"Config":"config","Layers":"one"}] not an array
[{"Config":"one","Layers":["one","two"]}] image config
[{"Config":"../config","Layers":["one","two"]}] has no file
[{"Config":"config","Config":"two","Layers":["one","two"]}] duplicate
END
    tar -C parts -c config one two --transform 's/config/repositories/' >made.tar
    refused "older than 1.10" "$WHELK" load -i made.tar
    oci_layout layout parts >/dev/null
    head -c 5000000 /dev/zero | tr '\0' ' ' >layout/index.json
    refused "more than 4194304 bytes" "$WHELK" load -i layout
}

@test "layers that are hostile: bombs, paths, links" {
    head -c 300M /dev/zero | gzip >parts/one
    docker_archive parts >made.tar
    refused "" "$WHELK" load -i made.tar
    "$WHELK_TOOLS/hostile-tar" 0 ../../../outside x >parts/one
    write_config parts parts/one parts/two
    docker_archive parts >made.tar
    refused "has '..' in its path" "$WHELK" load -i made.tar
    "$WHELK_TOOLS/hostile-tar" 2 link / 0 link/outside x >parts/one
    write_config parts parts/one parts/two
    docker_archive parts >made.tar
    refused "symbolic link" "$WHELK" load -i made.tar
}

# --- real peers

@test "what podman saves, in all its formats" {
    needs podman
    docker_archive parts localhost/peer:v1 >made.tar
    peer podman load -q -i made.tar >/dev/null
    for format in docker-archive oci-archive docker-dir oci-dir; do
        rm -rf out
        peer podman save -q --format $format -o out localhost/peer:v1 >/dev/null
        run_whelk load -i out
        assert_success
        assert_output --partial "Loaded image: "
        assert_equal "$(whelk images -q --no-trunc)" "sha256:$config"
        remove_all
    done
}

@test "what skopeo copies: gzip and zstd, docker's and OCI's types" {
    needs skopeo
    oci_layout layout parts >/dev/null
    for to in oci:a:made oci-archive:b.tar:made docker-archive:c.tar:made:v1 dir:d "--format v2s2 dir:e" \
        "--dest-compress-format zstd --format oci oci:f:made" "--dest-compress dir:g"; do
        # shellcheck disable=SC2086 # options and a name
        skopeo --insecure-policy copy -q oci:layout:made $to
        path=${to##* }
        path=${path#*:}
        run_whelk load -i "${path%%:*}"
        assert_success
        assert_equal "$(whelk images -q --no-trunc)" "sha256:$config"
        remove_all
    done
}

@test "what umoci makes" {
    needs umoci
    umoci init --layout made
    umoci new --image made:fresh
    umoci insert --rootless --image made:fresh parts /parts
    run_whelk load -i made
    assert_success
    assert_output "Loaded image: localhost/fresh:latest"
    id=$(whelk create fresh /x)
    whelk export "$id" | tar xO parts/config | cmp - parts/config
    whelk rm "$id" >/dev/null
}

@test "what buildah pushes" {
    needs buildah
    oci_layout layout parts >/dev/null
    peer buildah pull -q oci:layout:made >/dev/null
    peer buildah push -q "$(peer buildah images -q)" oci-archive:out.tar:localhost/peer:v1
    run_whelk load -i out.tar
    assert_success
    assert_output "Loaded image: localhost/peer:v1"
    assert_equal "$(whelk images -q --no-trunc)" "sha256:$config"
}
