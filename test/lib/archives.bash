# Helpers for tests of image archives:  load ../lib/archives

# needs COMMAND: a test of a real peer is skipped where it is not installed.
needs() {
    command -v "$1" >/dev/null || skip "$1 is not installed"
}

# podman and buildah with a store of their own, below $PEER: podman takes short paths only. drop_peers removes it.
peer_dir() {
    [ -n "${PEER-}" ] || PEER=$(mktemp -d /tmp/peer.XXXX)
}
drop_peers() {
    local pause=$XDG_RUNTIME_DIR/libpod/tmp/pause.pid pid
    [ -n "${PEER-}" ] || return 0
    [ "$(id -u)" = 0 ] || podman unshare rm -rf "$PEER/root" 2>/dev/null || true # of the subordinate ids
    # A user's podman leaves a process that holds its namespaces.
    if [ "$(id -u)" != 0 ] && [ -s "$pause" ]; then
        pid=$(cat "$pause")
        [ "$pid" -gt 1 ] && kill -9 "$pid" || true
    fi
    rm -rf "$PEER"
    PEER=
}
peer() { # podman|buildah ARGUMENT...
    local name=$1
    shift
    peer_dir
    command "$name" --root "$PEER/root" --runroot "$PEER/run" --storage-driver vfs "$@" 2>"$PEER/log" || {
        cat "$PEER/log" >&2
        return 1
    }
}

digest_of() { # FILE
    sha256sum <"$1" | cut -d ' ' -f 1
}

# archive_parts DIR: an image of two layers by hand: DIR/config, DIR/one, DIR/two (layers).
archive_parts() {
    mkdir -p "$1"
    "$WHELK_TOOLS/hostile-tar" 5 dir/ - 0 dir/one 1 >"$1/one"
    "$WHELK_TOOLS/hostile-tar" 0 two 22 >"$1/two"
    write_config "$1" "$1/one" "$1/two"
}
# As Go programs write it, so that those which write it anew (docker's types to OCI's) write the same.
write_config() { # DIR LAYER...
    local dir=$1
    shift
    for layer; do
        echo "sha256:$(digest_of "$layer")"
    done | jq -cjRn '{architecture: "amd64", os: "linux", config: {}, rootfs: {type: "layers", diff_ids: [inputs]}}' >"$dir/config"
}

# docker_archive DIR [NAME]: manifest.json for the parts in DIR, and the archive of all on stdout.
docker_archive() {
    jq -n --arg name "${2-made:latest}" '[{Config: "config", RepoTags: [$name], Layers: ["one", "two"]}]' >"$1/manifest.json"
    tar -C "$1" -c config one two manifest.json
}

# put_blob LAYOUT FILE TYPE: into an OCI layout; prints the descriptor.
put_blob() {
    local hex
    hex=$(digest_of "$2")
    mkdir -p "$1/blobs/sha256"
    cp "$2" "$1/blobs/sha256/$hex"
    jq -cn --arg d "sha256:$hex" --arg t "$3" --argjson n "$(stat -c %s "$2")" '{mediaType: $t, digest: $d, size: $n}'
}

# oci_layout LAYOUT PARTS [NAME]: of the parts, with plain layers; prints the digest of the manifest.
oci_layout() {
    local config one two manifest type=application/vnd.oci.image
    config=$(put_blob "$1" "$2/config" $type.config.v1+json)
    one=$(put_blob "$1" "$2/one" $type.layer.v1.tar)
    two=$(put_blob "$1" "$2/two" $type.layer.v1.tar)
    jq -cn --argjson c "$config" --argjson a "$one" --argjson b "$two" \
        '{schemaVersion: 2, config: $c, layers: [$a, $b]}' >"$2/manifest"
    manifest=$(put_blob "$1" "$2/manifest" $type.manifest.v1+json)
    jq -cn --argjson m "$manifest" --arg n "${3-made}" \
        '{schemaVersion: 2, manifests: [$m + {annotations: {"org.opencontainers.image.ref.name": $n}}]}' >"$1/index.json"
    echo '{"imageLayoutVersion": "1.0.0"}' >"$1/oci-layout"
    jq -r .digest <<<"$manifest"
}

# Nothing of an image is in the store.
nothing_stored() {
    local left
    left=$(store_entries layers; store_entries tmp; store_entries images; store_entries names; store_entries indexes)
    [ -z "$left" ] || {
        echo "left in the store: $left" >&2
        return 1
    }
}
