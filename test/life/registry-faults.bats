#!/usr/bin/env bats
# time-limit: 400
# What hostile, broken and slow registries can do to a pull or push (issue "Bad input", SECURITY H7, H8): each time one clear error and
# nothing left behind; and pulls that were broken, killed or doubled go on from what is there.

load ../lib/common
load ../lib/container
load ../lib/registry

setup() {
    fresh_store
    whelk images >/dev/null
    export XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/config
    cd "$BATS_TEST_TMPDIR"
    REGISTRY_DIR=$BATS_TEST_TMPDIR/registry
    start_faulty
}

teardown() {
    stop_registries
    remove_all
    no_leftovers
}

pull() {
    run_whelk pull -q --retry-delay 10ms "$@"
}

nothing_is_left() {
    assert_equal "$(store_entries layers; store_entries images; store_entries names; store_entries tmp; store_entries cache/blobs)" ""
}

# refuses NAME TEXT: one line that says so, and nothing of it is in the store.
refuses() {
    local name=$1
    echo "pull $name" >&2
    pull "$FAULTY/$name"
    assert_status 125
    assert_one_error
    assert_stderr --partial "Error: cannot pull $FAULTY/$name: "
    assert_stderr --partial "$2"
    nothing_is_left
}
# takes NAME
takes() {
    echo "pull $1" >&2
    pull "$FAULTY/$1"
    assert_success
    assert_stderr ""
    remove_all
    nothing_is_left
}

@test "bytes that are not what was named" {
    takes good
    refuses wrong-layer "is damaged: what came has the digest sha256:"
    refuses wrong-config "is damaged: it has"
    refuses longer-layer "more bytes than the "
    refuses shorter-layer " ends 1 bytes too early"
    refuses wrong-diffid "the layer's digest is sha256:"
    refuses endless "the answer is larger than it may be"
}

@test "manifests that are none" {
    refuses oversized-manifest "the answer is larger than it may be"
    refuses deep-manifest "not valid JSON"
    refuses duplicate-keys "duplicate object key"
    refuses not-json "not valid JSON"
    refuses sha512 "only sha256:"
    refuses foreign-layer "is a foreign one, to be fetched from elsewhere"
    refuses large-head "the head of the answer is too large"
}

@test "layers that are bombs, damaged or want to get out" {
    refuses gzip-bomb "the layer's digest is sha256:"
    refuses zstd-bomb "the layer's digest is sha256:"
    refuses not-gzip "the gzip stream is damaged"
    refuses escape-up "has '..' in its path"
    refuses escape-link "goes through out, a symbolic link of the same layer"
    refuses hard-link-out "which is not a file of this layer"
    [ ! -e "$STORE/escaped" ] && [ ! -e "$STORE/layers/escaped" ] && [ ! -e /escaped ]
}

@test "logins that lead nowhere" {
    refuses login-loop "access denied; log in with: whelk login $FAULTY"
    refuses basic-loop "gives no access without a login; use: whelk login $FAULTY"
    refuses denied 'access denied: not for \x1b[31myou'
    refuses realm-strange 'the address "ftp://127.0.0.1/token" is not taken: only http and https are known'
    refuses realm-plain "wants the login sent to another host without encryption (http://registry.example:80), which is refused"
    forget_requests
    pull --creds alice:secret "$FAULTY/basic-loop"
    assert_status 125
    assert_stderr --partial "access denied for the login of alice"
    assert_equal "$(requests | grep -c /manifests/)" 2
    forget_requests
    pull --creds alice:secret "$FAULTY/login-loop"
    assert_status 125
    assert_equal "$(requests | grep -c /manifests/)" 2
    takes realm-elsewhere
    takes expires
}

@test "redirects: credentials stay, strange addresses and loops are refused (H8)" {
    forget_requests
    pull --creds alice:secret "$FAULTY/redirect-other"
    assert_success
    requests | grep -q '^main .*authorization=Basic'
    requests | grep -q '^other GET /v2/good/blobs/'
    not grep -q '^other .*authorization' "$FAULTY_DIR/requests"
    remove_all
    refuses redirect-loop "redirects more than 10 times"
    refuses redirect-scheme 'the address "file:///etc/passwd" is not taken: only http and https are known'
    refuses redirect-nowhere "redirects to nowhere"
}

@test "https never becomes http: redirects, token services (H8)" {
    start_faulty tls
    mkdir certs
    cp "$FAULTY_DIR/cert.pem" certs/ca.crt
    pull --cert-dir certs "$FAULTY/good"
    assert_success
    remove_all
    forget_requests
    pull --cert-dir certs --creds alice:secret "$FAULTY/redirect-other"
    assert_status 125
    assert_one_error
    assert_stderr --partial "redirects from https to http, which is refused"
    pull --cert-dir certs --creds alice:secret "$FAULTY/realm-elsewhere"
    assert_status 125
    assert_one_error
    assert_stderr --partial "wants the login sent to http://$OTHER without encryption, which is refused"
    not grep -q '^other ' "$FAULTY_DIR/requests"
    nothing_is_left
}

@test "busy and broken servers are tried again, within bounds" {
    takes busy
    takes broken-twice
    refuses broken "out of order"
    refuses busy-long "asks to come back in 100000 seconds"
    forget_requests
    pull --retry 1 "$FAULTY/broken"
    assert_status 125
    assert_equal "$(requests | grep -c /manifests/)" 2
}

@test "broken connections go on by Range, or from the beginning where a server has none" {
    forget_requests
    takes cut
    requests | grep -q 'range=bytes=1048576-'
    requests | grep -q 'range=bytes=2097152-'
    takes cut-no-range
    # What came stays for another time.
    pull "$FAULTY/cut-always"
    assert_status 125
    assert_one_error
    assert_stderr --partial "cannot reach registry $FAULTY: "
    assert_equal "$(store_entries cache/blobs | wc -l)" 1
    rm -f "$STORE"/cache/blobs/*
    pull "$FAULTY/wrong-range"
    assert_status 125
    assert_stderr --partial "another part than the one that was asked for"
    rm -f "$STORE"/cache/blobs/*
}

@test "a later pull goes on from the spool; a damaged spool is dropped" {
    pull --retry 0 "$FAULTY/cut-once"
    assert_status 125
    assert_equal "$(stat -c %s "$STORE"/cache/blobs/*)" 1048576
    touch "$FAULTY_DIR/go-on"
    forget_requests
    takes cut-once
    requests | grep -q 'range=bytes=1048576-'
    rm "$FAULTY_DIR/go-on"
    pull --retry 0 "$FAULTY/cut-once"
    assert_status 125
    printf "not what came" | dd of="$(echo "$STORE"/cache/blobs/*)" bs=1 seek=1000 conv=notrunc status=none
    touch "$FAULTY_DIR/go-on"
    refuses cut-once "is damaged: what came has the digest"
    takes cut-once
}

partial() {
    whelk system df --format '{{.Type}}: {{.TotalCount}} {{.Active}} {{.RawSize}} {{.RawReclaimable}}' | grep '^Partial Pulls: '
}

@test "what a broken pull left: system df tells of it, system prune takes it when no pull is at it" {
    local file
    rm -f "$FAULTY_DIR/go-on"
    run ! partial
    pull --retry 0 "$FAULTY/cut-once"
    assert_status 125
    assert_equal "$(partial)" "Partial Pulls: 1 0 1048576 1048576"
    file=$(echo "$STORE"/cache/blobs/*)
    exec 7<"$file"
    flock 7 # as a pull does
    assert_equal "$(partial)" "Partial Pulls: 1 1 1048576 0"
    whelk system prune -f
    [ -e "$file" ]
    exec 7<&-
    run_whelk system prune -f --filter until=1h
    refute_output --partial "Partial"
    run_whelk system prune -f
    assert_line "Deleted Partial Pulls:"
    assert_line "sha256:${file##*/}"
    assert_line --regexp '^Total reclaimed space: 1\.0[0-9]*MB$'
    run ! partial
}

spooled() { # BYTES: at least that much has come
    local size
    size=$(stat -c %s "$STORE"/cache/blobs/* 2>/dev/null) && [ "$size" -ge "$1" ]
}

@test "kill -9 in the middle, and again: it goes on" {
    local pid
    "$WHELK" pull -q "$FAULTY/slow" 3>&- >/dev/null 2>&1 </dev/null &
    pid=$!
    wait_for 20 spooled 524288
    kill -KILL "$pid"
    wait "$pid" || true
    wait_for 10 no_orphans
    touch "$FAULTY_DIR/go-on"
    forget_requests
    takes slow
    requests | grep -q 'range=bytes=5242'
}

@test "^C leaves only what can be resumed" {
    local pid
    setsid "$WHELK" pull -q "$FAULTY/slow" 3>&- >/dev/null 2>&1 </dev/null &
    wait_for 20 spooled 524288
    pid=$(pgrep -f "pull -q $FAULTY/slow" | head -n 1)
    kill -INT -- "-$(ps -o pgid= -p "$pid" | tr -d ' ')"
    wait_for 10 no_orphans
    assert_equal "$(store_entries images; store_entries names)" ""
    touch "$FAULTY_DIR/go-on"
    takes slow
}

@test "two pulls of one blob fetch it once" {
    in_background "$WHELK" pull -q "$FAULTY/slow"
    wait_for 20 spooled 524288
    in_background "$WHELK" pull -q "$FAULTY/slow"
    sleep 0.3
    touch "$FAULTY_DIR/go-on"
    wait_all
    # Manifest and configuration twice, the layer once.
    assert_equal "$(requests | grep -c 'GET /v2/slow/blobs/')" 3
}

@test "a slow drip is given up" {
    pull --stall-timeout 1s --retry 0 "$FAULTY/slow"
    assert_status 125
    assert_one_error
    assert_stderr --partial "cannot reach registry $FAULTY: "
    rm -f "$STORE"/cache/blobs/*
}

# patches REPOSITORY: how many PATCH requests it got, and how many uploads were begun (asking for a mount is no upload).
patches() {
    echo "$(grep -c " PATCH /v2/$1/" "$FAULTY_DIR/requests") $(grep -c " POST /v2/$1/blobs/uploads/\$" "$FAULTY_DIR/requests")"
}

@test "an upload that breaks goes on where the registry says, else anew, else it is given up" {
    base_image
    head -c 5000000 /dev/urandom >noise
    tar -cf noise.tar noise
    whelk import noise.tar noise >/dev/null
    forget_requests
    answers "" push -q --retry-delay 10ms noise "$FAULTY/upload-breaks"
    # The layer in three parts, all of one upload; the configuration is a small one.
    assert_equal "$(patches upload-breaks)" "3 2"
    answers "" push -q --retry-delay 10ms noise "$FAULTY/upload-forgets"
    assert_equal "$(patches upload-forgets)" "2 3"
    run_whelk push -q --retry 2 --retry-delay 10ms noise "$FAULTY/upload-fails"
    assert_status 125
    assert_one_error
    assert_stderr --partial "cannot upload to upload-fails: "
    assert_equal "$(patches upload-fails)" "3 3"
    # A copy whose source begins again, too.
    whelk save -q --format oci-archive -o noise.oci noise
    answers "" image copy -q --retry-delay 10ms oci-archive:noise.oci "docker://$FAULTY/upload-breaks:copy"
}

@test "it is asked side by side which layers are there" {
    local i
    mkdir three
    for i in 1 2 3; do
        echo "$i" >"three/$i"
    done
    printf 'FROM scratch\nCOPY 1 /\nCOPY 2 /\nCOPY 3 /\n' >three/Dockerfile
    whelk build -q -t three three >/dev/null
    whelk save -q --format oci-archive -o three.oci three
    # The configuration goes first, to find out how the registry is spoken to; then the three layers.
    answers "" image copy -q --retry 0 oci-archive:three.oci "docker://$FAULTY/upload-together"
}

@test "uploads that a registry sends elsewhere or refuses" {
    base_image
    run_whelk push -q base "$FAULTY/upload-elsewhere"
    assert_status 125
    assert_one_error
    assert_stderr --partial 'the address "gopher://127.0.0.1/x" is not taken'
    run_whelk push -q base "$FAULTY/upload-nowhere"
    assert_status 125
    assert_stderr --partial "begins an upload without saying where"
    run_whelk push -q base "$FAULTY/upload-refused"
    assert_status 125
    assert_stderr --partial "too much"
}
