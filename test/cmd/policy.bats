#!/usr/bin/env bats
# policy.json (CV-76): what may be pulled; signatures of cosign's form, made here with openssl.

load ../lib/common
load ../lib/container
load ../lib/registry

setup_file() {
    load ../lib/common
    load ../lib/registry
    needs_registry
    start_registry open
    export REGISTRY_open
    base_image
    whelk push -q base "$REGISTRY_open/team/app:v1"
    whelk push -q base "$REGISTRY_open/other:v1"
    cd "$BATS_FILE_TMPDIR"
    local name
    for name in good bad; do
        openssl ecparam -genkey -name prime256v1 -noout -out "$name.key" 2>/dev/null
        openssl ec -in "$name.key" -pubout -out "$name.pub" 2>/dev/null
    done
}

teardown_file() {
    stop_registries
}

setup() {
    needs_registry
    fresh_store
    export XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/config
    mkdir -p "$XDG_CONFIG_HOME/containers"
    cd "$BATS_TEST_TMPDIR"
    KEYS=$BATS_FILE_TMPDIR
}

teardown() {
    remove_all
    no_leftovers
}

policy() { # JSON
    printf '%s' "$1" >"$XDG_CONFIG_HOME/containers/policy.json"
}
takes() {
    run_whelk pull -q "$@"
    assert_success
    remove_all
}
refuses() { # TEXT NAME
    run_whelk pull -q "$2"
    assert_status 125
    assert_one_error
    assert_stderr --partial "$1"
    assert_equal "$(store_entries layers; store_entries images)" ""
}

put_blob() { # REPOSITORY FILE: prints the digest
    local digest location
    digest=sha256:$(sha256sum <"$2" | cut -d ' ' -f 1)
    location=$(curl -sf -o /dev/null -D - -X POST "http://$REGISTRY_open/v2/$1/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')
    curl -sf -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$2" "$location&digest=$digest" >/dev/null
    echo "$digest"
}

# sign REPOSITORY TAG KEY SIGNED-DIGEST SIGNED-REFERENCE: puts a signature where that of REPOSITORY:TAG is looked for.
sign() {
    local digest payload signature
    digest=$(digest_of "$1" "$2")
    printf '{"critical":{"identity":{"docker-reference":"%s"},"image":{"docker-manifest-digest":"%s"},"type":"cosign container image signature"},"optional":null}' \
        "$5" "$4" >payload
    printf '{}' >empty
    payload=$(put_blob "$1" payload)
    signature=$(openssl dgst -sha256 -sign "$3" payload | base64 -w 0)
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":2},"layers":[{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","digest":"%s","size":%d,"annotations":{"dev.cosignproject.cosign/signature":"%s"}}]}' \
        "$(put_blob "$1" empty)" "$payload" "$(stat -c %s payload)" "$signature" >manifest
    curl -sf -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary @manifest \
        "http://$REGISTRY_open/v2/$1/manifests/sha256-${digest#sha256:}.sig"
}
digest_of() { # REPOSITORY TAG
    curl -sI -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$REGISTRY_open/v2/$1/manifests/$2" | tr -d '\r' |
        sed -n 's/^Docker-Content-Digest: //p'
}

@test "accept and reject, by the most specific scope" {
    takes "$REGISTRY_open/other:v1"
    policy '{"default": [{"type": "reject"}]}'
    refuses "$REGISTRY_open/other:v1 is refused by $XDG_CONFIG_HOME/containers/policy.json" "$REGISTRY_open/other:v1"
    policy "{\"default\": [{\"type\": \"reject\"}], \"transports\": {\"docker\": {\"$REGISTRY_open/team\": [{\"type\": \"insecureAcceptAnything\"}]}}}"
    takes "$REGISTRY_open/team/app:v1"
    refuses "is refused by" "$REGISTRY_open/other:v1"
    policy "{\"default\": [{\"type\": \"insecureAcceptAnything\"}], \"transports\": {\"docker\": {\"$REGISTRY_open/team/app:v1\": [{\"type\": \"reject\"}]}, \"oci\": {\"\": [{\"type\": \"reject\"}]}}}"
    refuses "is refused by" "$REGISTRY_open/team/app:v1"
    takes "$REGISTRY_open/other:v1"
    refuses "oci is refused by" oci:layout
}

@test "what is not known is refused, never ignored" {
    policy '{"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/x"}]}'
    refuses 'the requirement "signedBy" is not known here, so nothing that it is for is taken' "$REGISTRY_open/other:v1"
    policy '{"default": [{"type": "sigstoreSigned", "fulcio": {}}]}'
    refuses "sigstoreSigned with fulcio is not known here" "$REGISTRY_open/other:v1"
    policy '{"default": [{"type": "sigstoreSigned"}]}'
    refuses "a sigstoreSigned without a key" "$REGISTRY_open/other:v1"
    policy '{"default": []}'
    refuses "not even a default: it is not taken" "$REGISTRY_open/other:v1"
    policy '{"default": [{"type": "insecureAcceptAnything"}, {"type": "reject"}]}'
    refuses "is refused by" "$REGISTRY_open/other:v1"
    policy '{'
    refuses "not valid JSON" "$REGISTRY_open/other:v1"
}

signed_policy() { # IDENTITY-RULE
    policy "{\"default\": [{\"type\": \"sigstoreSigned\", \"keyPath\": \"$KEYS/good.pub\"${1:+, \"signedIdentity\": $1}}]}"
}

@test "signatures: by the right key, of this digest, under this name" {
    local app=$REGISTRY_open/team/app digest
    digest=$(digest_of team/app v1)
    signed_policy
    refuses "has no signature, which" "$app:v1"
    sign team/app v1 "$KEYS/bad.key" "$digest" "$app:v1"
    refuses "has no signature that" "$app:v1"
    sign team/app v1 "$KEYS/good.key" "sha256:$(printf %064d 0)" "$app:v1"
    refuses "has no signature that" "$app:v1"
    sign team/app v1 "$KEYS/good.key" "$digest" "$REGISTRY_open/other:v1"
    refuses "has no signature that" "$app:v1"
    sign team/app v1 "$KEYS/good.key" "$digest" "$app:v1"
    takes "$app:v1"
    # cosign signs the repository.
    sign team/app v1 "$KEYS/good.key" "$digest" "$app"
    refuses "has no signature that" "$app:v1"
    takes "$app@$digest"
    signed_policy '{"type": "matchRepository"}'
    takes "$app:v1"
    signed_policy "{\"type\": \"exactRepository\", \"dockerRepository\": \"$app\"}"
    takes "$app:v1"
    signed_policy '{"type": "remapIdentity"}'
    refuses "signedIdentity remapIdentity is not known here" "$app:v1"
    policy "{\"default\": [{\"type\": \"sigstoreSigned\", \"keyData\": \"$(base64 -w 0 <"$KEYS/good.pub")\", \"signedIdentity\": {\"type\": \"matchRepository\"}}]}"
    takes "$app:v1"
    policy "{\"default\": [{\"type\": \"sigstoreSigned\", \"keyPath\": \"$KEYS/nosuch\"}]}"
    refuses "there is no key $KEYS/nosuch" "$app:v1"
    policy "{\"default\": [{\"type\": \"sigstoreSigned\", \"keyPath\": \"$KEYS/good.key\"}]}"
    refuses "not a public key in PEM" "$app:v1"
}
