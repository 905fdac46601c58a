#!/usr/bin/env bats
# time-limit: 300
# whelk pull (C-041, S-033, S-092, S-093, CV-72, CV-73), --pull of run, create and build (R-017..R-031, B-073).

load ../lib/common
load ../lib/container
load ../lib/registry

setup_file() {
    load ../lib/common
    load ../lib/registry
    needs_registry
    start_registry open
    start_registry locked tls htpasswd
    start_registry tokens token
    export REGISTRY_open REGISTRY_locked REGISTRY_tokens CERTS=$BATS_FILE_TMPDIR/certs
    mkdir "$CERTS"
    cp "$REGISTRY_DIR/locked/cert.pem" "$CERTS/ca.crt"
    base_image
    whelk push -q base "$REGISTRY_open/base"
    whelk push -q base "$REGISTRY_open/team/app:v1"
    whelk push -q base "$REGISTRY_open/team/app:v2"
    whelk push -q --creds alice:secret --cert-dir "$CERTS" base "$REGISTRY_locked/base"
    whelk push -q --creds alice:secret base "$REGISTRY_tokens/private/base"
    whelk push -q --creds alice:secret base "$REGISTRY_tokens/public/base"
}

teardown_file() {
    stop_registries
}

setup() {
    needs_registry
    fresh_store
    export XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/config
    cd "$BATS_TEST_TMPDIR"
}

teardown() {
    remove_all
    no_leftovers
    assert_equal "$(store_entries cache/blobs)" ""
}

@test "the id on stdout, how it goes on stderr; again it fetches nothing; -q" {
    run_whelk pull "$REGISTRY_open/base"
    assert_success
    assert_id "$output"
    assert_stderr_line "Pulling $REGISTRY_open/base:latest"
    assert_stderr_line --regexp '^[0-9a-f]{12} pulled, [0-9.]+MB$'
    local id=$output
    run_whelk pull "$REGISTRY_open/base:latest"
    assert_output "$id"
    assert_stderr_line --regexp '^[0-9a-f]{12} already there, '
    answers "$id" pull -q "$REGISTRY_open/base"
    answers "$id" image pull --quiet "$REGISTRY_open/base"
    answers hello run --rm "$REGISTRY_open/base" echo hello
    assert_equal "$(whelk images --format '{{.Repository}}:{{.Tag}}')" "$REGISTRY_open/base:latest"
}

@test "bars on a terminal" {
    terminal -- pull "$REGISTRY_open/base"
    assert_success
    assert_output --regexp '[0-9a-f]{12} pulled'
    assert_output --partial $'\e[K'
    assert_output --partial "[mode kept]"
}

@test "several names, all tags, by digest" {
    run_whelk pull -q "$REGISTRY_open/base" "$REGISTRY_open/team/app:v1"
    assert_success
    assert_equal "${#lines[@]}" 2
    remove_all
    run_whelk pull -q -a "$REGISTRY_open/team/app"
    assert_success
    assert_equal "$(whelk images --format '{{.Repository}}:{{.Tag}}' | sort)" \
        "$REGISTRY_open/team/app:v1"$'\n'"$REGISTRY_open/team/app:v2"
    refused 125 "cannot pull $REGISTRY_open/team/app:v1: --all-tags wants a name without a tag or digest" \
        pull -q -a "$REGISTRY_open/team/app:v1"
    remove_all
    local digest
    digest=$(curl -sI -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$REGISTRY_open/v2/base/manifests/latest" |
        tr -d '\r' | sed -n 's/^Docker-Content-Digest: //p')
    whelk pull -q "$REGISTRY_open/base@$digest" >/dev/null
    answers ok run --rm --pull never "$REGISTRY_open/base@$digest" echo ok
    # One that fails does not keep the others away.
    run_whelk pull -q "$REGISTRY_open/nosuch" "$REGISTRY_open/team/app:v1"
    assert_status 125
    assert_id "$output"
    assert_stderr "Error: cannot pull $REGISTRY_open/nosuch: $REGISTRY_open/nosuch:latest: registry $REGISTRY_open: manifest latest of nosuch: manifest unknown"
}

@test "what is not there, and bad words" {
    run_whelk pull -q "$REGISTRY_open/base:nosuch"
    assert_status 125
    assert_one_error
    assert_stderr --partial "manifest nosuch of base: manifest unknown"
    refused 125 'cannot pull UPPER: invalid image name "UPPER": the name must be lower case' pull UPPER
    run_whelk pull "$REGISTRY_open/base@sha512:00"
    assert_status 125
    assert_stderr --partial "a digest is sha256: and 64 hexadecimal digits"
    refused 125 '--policy: "x" is not a policy for pulling: missing, always, never, newer' pull --policy x base
    refused 125 "--retry is a number from 0 to 100, not 101" pull --retry 101 base
    refused 125 "--platform says what --arch, --os and --variant say; give the one or the others" \
        pull --platform linux/arm64 --arch arm64 base
    refused 125 "--variant needs --arch" pull --variant v7 base
    refused 125 "cannot pull x: a login is written USER:PASSWORD" pull -q --creds alice x
}

@test "TLS and a password (htpasswd)" {
    run_whelk pull -q --cert-dir "$CERTS" "$REGISTRY_locked/base"
    assert_status 125
    assert_one_error
    assert_stderr --partial "registry $REGISTRY_locked gives no access without a login; use: whelk login $REGISTRY_locked"
    run_whelk pull -q --cert-dir "$CERTS" --creds alice:wrong "$REGISTRY_locked/base"
    assert_status 125
    assert_stderr --partial "access denied for the login of alice"
    run_whelk pull -q --cert-dir "$CERTS" --creds alice:secret "$REGISTRY_locked/base"
    assert_success
    run_whelk pull -q --tls-verify=false --creds alice:secret "$REGISTRY_locked/base"
    assert_success
    echo secret | whelk login --cert-dir "$CERTS" -u alice --password-stdin "$REGISTRY_locked" >/dev/null
    run_whelk pull -q --cert-dir "$CERTS" "$REGISTRY_locked/base"
    assert_success
}

@test "a token service: with a login, and without one where that is enough" {
    answers "$(whelk pull -q --creds alice:secret "$REGISTRY_tokens/private/base")" pull -q "$REGISTRY_tokens/public/base"
    run_whelk pull -q "$REGISTRY_tokens/private/base"
    assert_status 125
    assert_one_error
    assert_stderr --partial "access denied"
    assert_stderr --partial "log in with: whelk login $REGISTRY_tokens"
    run_whelk pull -q --creds alice:wrong "$REGISTRY_tokens/private/base"
    assert_status 125
    assert_stderr --partial "does not take the login of alice; log in again with: whelk login $REGISTRY_tokens"
    grep -q "^alice repository:private/base:pull$" "$REGISTRY_DIR/tokens/tokens"
}

@test "short names: aliases, search registries in order, docker.io (CV-73)" {
    cat >registries.conf <<END
unqualified-search-registries = ["127.0.0.1:1", "$REGISTRY_open"]
[aliases]
nick = "$REGISTRY_open/team/app"
END
    export CONTAINERS_REGISTRIES_CONF=$PWD/registries.conf
    whelk pull -q base >/dev/null
    whelk pull -q nick:v1 >/dev/null
    assert_equal "$(whelk images --format '{{.Repository}}:{{.Tag}}' | sort)" \
        "$REGISTRY_open/base:latest"$'\n'"$REGISTRY_open/team/app:v1"
    run_whelk pull -q nosuch
    assert_status 125
    assert_one_error
    assert_stderr --partial "no registry gives nosuch: "
    assert_stderr --partial "cannot reach registry 127.0.0.1:1"
    assert_stderr --partial "manifest latest of nosuch"
    cat >registries.conf <<END
[[registry]]
prefix = "docker.io/library"
location = "$REGISTRY_open"
END
    whelk pull -q base:latest >/dev/null
    assert_equal "$(whelk images --format '{{.Repository}}' | grep docker.io)" docker.io/library/base
    echo "x" >registries.conf
    run_whelk pull -q base
    assert_status 125
    assert_stderr --partial "registries.conf: line 1: a key without ="
}

@test "mirrors, blocked and insecure registries (CV-72)" {
    cat >registries.conf <<END
[[registry]]
prefix = "registry.example"
location = "127.0.0.1:1"
[[registry.mirror]]
location = "127.0.0.1:2/nowhere"
[[registry.mirror]]
location = "$REGISTRY_open"
[[registry]]
prefix = "registry.example/bad"
location = "$REGISTRY_open"
blocked = true
[[registry]]
location = "$REGISTRY_locked"
insecure = true
END
    export CONTAINERS_REGISTRIES_CONF=$PWD/registries.conf
    whelk pull -q registry.example/base >/dev/null
    assert_equal "$(whelk images --format '{{.Repository}}')" registry.example/base
    run_whelk pull -q registry.example/bad/x
    assert_status 125
    assert_stderr --partial "registry registry.example/bad is blocked by registries.conf"
    run_whelk pull -q --creds alice:secret "$REGISTRY_locked/base"
    assert_success
}

@test "--platform, --arch: which of several (R-020)" {
    needs skopeo
    mkdir -p index/blobs/sha256
    local id
    id=$(whelk pull -q "$REGISTRY_open/base")
    whelk push -q --format oci "$REGISTRY_open/base" oci:one
    # The same image, said to be for arm64 too: two entries of an index.
    local manifest digest size
    manifest=$(curl -s -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$REGISTRY_open/v2/base/manifests/latest")
    digest=sha256:$(printf %s "$manifest" | sha256sum | cut -d ' ' -f 1)
    size=${#manifest}
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%d,"platform":{"os":"linux","architecture":"s390x"}}]}' \
        "$digest" "$size" >index.json
    curl -sf -X PUT -H 'Content-Type: application/vnd.oci.image.index.v1+json' --data-binary @index.json \
        "http://$REGISTRY_open/v2/base/manifests/multi"
    run_whelk pull -q "$REGISTRY_open/base:multi"
    assert_status 125
    assert_one_error
    assert_stderr --partial "linux/s390x"
    for words in "--platform linux/s390x" "--arch s390x" "--os linux --arch s390x"; do
        run_whelk pull -q $words "$REGISTRY_open/base:multi"
        assert_success
        assert_output "$id"
        assert_stderr --partial "the image is for linux/amd64, not for linux/s390x"
    done
    DOCKER_DEFAULT_PLATFORM=linux/s390x run_whelk pull -q "$REGISTRY_open/base:multi"
    assert_success
}

@test "--policy, and --pull of run and create" {
    run_whelk run --pull never "$REGISTRY_open/base" true
    assert_status 125
    assert_one_error
    assert_stderr --partial "Error: no such image: $REGISTRY_open/base"
    run_whelk run --rm "$REGISTRY_open/base" echo one
    assert_success
    assert_output one
    assert_stderr_line "Pulling $REGISTRY_open/base:latest"
    answers two run --rm "$REGISTRY_open/base" echo two
    answers two run --rm --pull newer "$REGISTRY_open/base" echo two
    answers three run --rm --quiet --pull always "$REGISTRY_open/base" echo three
    # Another image under the name.
    printf 'FROM %s/base\nCMD ["echo", "changed"]\n' "$REGISTRY_open" | build_image other >/dev/null
    whelk push -q other "$REGISTRY_open/base:moving"
    whelk pull -q "$REGISTRY_open/base:moving" >/dev/null
    whelk push -q "$REGISTRY_open/base:latest" "$REGISTRY_open/base:moving"
    answers changed run --rm --pull missing "$REGISTRY_open/base:moving"
    local id
    id=$(inspect_field "$REGISTRY_open/base" .Id)
    answers "${id#sha256:}" pull -q --policy newer "$REGISTRY_open/base:moving"
    # What cannot be asked is no error under newer.
    whelk tag "$REGISTRY_open/base" 127.0.0.1:1/base
    answers four run --rm --pull newer 127.0.0.1:1/base echo four
    run_whelk run --rm --pull always 127.0.0.1:1/base echo four
    assert_status 125
    assert_stderr --partial "cannot reach registry 127.0.0.1:1"
    id=$(whelk create -q --pull always "$REGISTRY_open/base" true)
    assert_id "$id"
    answers "by id" run --rm --pull always "$(inspect_field "$REGISTRY_open/base" .Id)" echo by id
    run_whelk run --rm --pull always "sha256:$(printf %064d 0)" true
    assert_status 125
    assert_stderr --partial "no such image"
}

@test "build pulls what it begins with and copies from, --pull" {
    printf 'FROM %s/base\nCOPY --from=%s/team/app:v1 /bin/busybox /copied\nRUN test -e /copied\n' "$REGISTRY_open" "$REGISTRY_open" |
        build_image built
    assert_equal "$(whelk images --format '{{.Repository}}' | grep -c "^$REGISTRY_open/")" 2
    printf 'FROM %s/nosuch\n' "$REGISTRY_open" >Dockerfile
    run_whelk build -q .
    assert_status 125
    assert_stderr --partial "manifest latest of nosuch: manifest unknown"
    printf 'FROM %s/base\nCMD ["x"]\n' "$REGISTRY_open" >Dockerfile
    run_whelk build --pull .
    assert_success
    assert_stderr_line "Pulling $REGISTRY_open/base:latest"
    run_whelk build --pull=never .
    assert_success
    refute_stderr Pulling
    whelk rmi -f "$REGISTRY_open/base" >/dev/null
    run_whelk build -q --pull=never .
    assert_status 125
    assert_stderr --partial "no such image"
}

@test "from other transports" {
    whelk pull -q "$REGISTRY_open/base" >/dev/null
    whelk push -q "$REGISTRY_open/base" oci:layout:name
    whelk push -q "$REGISTRY_open/base" dir:plain
    local id
    id=$(whelk images -q --no-trunc | head -n 1)
    remove_all
    for source in oci:layout dir:plain "docker://$REGISTRY_open/base"; do
        run_whelk pull -q "$source"
        assert_success
        assert_equal "sha256:$output" "$id"
        remove_all
    done
    refused 125 "cannot pull oci:layout: --all-tags is for registries" pull -q -a oci:layout
}

@test "what skopeo, podman and buildah wrote" {
    needs skopeo
    local name
    skopeo copy -q --src-tls-verify=false --dest-tls-verify=false "docker://$REGISTRY_open/base" \
        "docker://$REGISTRY_open/by-skopeo:zstd" --dest-compress-format zstd
    skopeo copy -q --src-tls-verify=false --dest-tls-verify=false --format v2s2 "docker://$REGISTRY_open/base" \
        "docker://$REGISTRY_open/by-skopeo:docker"
    for name in by-skopeo:zstd by-skopeo:docker; do
        answers ok run --rm -q "$REGISTRY_open/$name" echo ok
    done
    assert_equal "$(whelk images -q "$REGISTRY_open/by-skopeo" | sort -u | wc -l)" 1
}
