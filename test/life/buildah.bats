# lanes: root
# time-limit: 900
# Cases of the corpus that buildah can build too: config and files must come out the same (but for times, and for what buildah
# writes of itself). Left out is where buildah 1.28 is known to differ from docker: EXPOSE keeps ranges as they are, RUN does not change a
# VOLUME, SHELL does not count for CMD, HEALTHCHECK has no --start-interval, COPY drops setuid bits,
# replaces links of the image by directories, and gives new parents to --chown.

load ../lib/common
load ../lib/corpus

# An own store.
buildah() {
    command buildah --root "$BATS_FILE_TMPDIR/root" --runroot "$BATS_FILE_TMPDIR/run" --storage-driver vfs "$@"
}

setup_file() {
    base_image
    command -v buildah >/dev/null || return 0
    local c
    c=$(buildah from scratch 2>"$BATS_FILE_TMPDIR/log") && buildah add -q "$c" "$WHELK_TOOLS/base.tar" / >/dev/null 2>&1 &&
        buildah commit -q "$c" localhost/base >/dev/null 2>&1 && export have_buildah=1
    buildah rm -a >/dev/null 2>&1 || :
}

setup() {
    [ -n "${have_buildah-}" ] || skip "buildah is not installed or does not work here"
}

teardown_file() {
    [ -z "${have_buildah-}" ] || buildah rmi -af >/dev/null 2>&1 || :
}

# What an image says: keys that mean nothing are left out.
config() {
    jq -S '{Env, Cmd, Entrypoint, Labels, WorkingDir, User, Volumes, ExposedPorts, StopSignal, Shell, Healthcheck, OnBuild}
        | .Env |= map(select(startswith("PATH=") | not))
        | .Labels |= (. // {} | del(."io.buildah.version"))
        | with_entries(select(.value != null and .value != "" and .value != [] and .value != {} and .value != "/"))'
}

# CASE PATH...: these paths of both images, and their configs
same() {
    corpus_copy "$1"
    shift
    corpus_build
    assert_success
    local words=()
    [ ! -f "$CASE/expect/options" ] || eval "words=($(cat "$CASE/expect/options"))"
    buildah bud -q --isolation chroot --format docker --layers=false -t img "${words[@]}" "$CONTEXT" >/dev/null
    diff -u <(buildah inspect --type image img | jq .Docker.config | config) <(whelk inspect img | jq '.[0].Config' | config)
    local c root
    c=$(buildah from --pull-never img)
    root=$(buildah mount "$c")
    diff -u <(tar -C "$root" -cf - . | python3 "$WHELK_TREE/test/lib/tree-list.py" "$@") <(corpus_files img "$@")
    buildah rm "$c" >/dev/null
}

@test "ENV in all its forms" { same env-forms /etc; }
@test "LABEL in all its forms" { same label-forms /etc; }
@test "CMD and ENTRYPOINT" { same cmd-entrypoint /etc; }
@test "WORKDIR" { same workdir /a /pwd; }
@test "COPY: wildcards" { same copy-wildcards-taken /txt /deep /json /class; }
@test "COPY --from keeps owners" { same copy-from-owners /y /z; }
@test "ignore rules" { same ignore-rules /c; }
@test "ignore rules: the last one wins" { same ignore-last-wins /d; }
@test "RUN in its forms" { same run-forms /two /words /d /l /h /f; }
