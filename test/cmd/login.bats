#!/usr/bin/env bats
# whelk login, whelk logout (C-070, C-071, C-072, S-035, CV-75), with a registry that checks.

load ../lib/common
load ../lib/container
load ../lib/registry

setup_file() {
    load ../lib/registry
    needs_registry
    start_registry locked tls htpasswd
    start_registry open
    export REGISTRY_locked REGISTRY_open CERTS=$BATS_FILE_TMPDIR/certs
    mkdir "$CERTS"
    cp "$REGISTRY_DIR/locked/cert.pem" "$CERTS/ca.crt"
}

teardown_file() {
    stop_registries
}

setup() {
    needs_registry
    export XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/config
    AUTH=$XDG_CONFIG_HOME/containers/auth.json
    cd "$BATS_TEST_TMPDIR"
}

# login_as PASSWORD WORDS...
login_as() {
    local password=$1
    shift
    printf '%s\n' "$password" >password
    run --separate-stderr "$WHELK" login --cert-dir "$CERTS" -u alice --password-stdin "$@" <password
}

@test "a login is checked, stored for its user alone, and forgotten" {
    login_as secret "$REGISTRY_locked"
    assert_success
    assert_output "Login Succeeded!"
    assert_stderr ""
    assert_equal "$(stat -c %a "$AUTH")" 600
    assert_equal "$(jq -c . "$AUTH")" "{\"auths\":{\"$REGISTRY_locked\":{\"auth\":\"$(printf alice:secret | base64)\"}}}"
    answers alice login --get-login "$REGISTRY_locked"
    answers "Removed login credentials for $REGISTRY_locked" logout "$REGISTRY_locked"
    assert_equal "$(jq -c . "$AUTH")" '{"auths":{}}'
    refused 125 "not logged in to $REGISTRY_locked" logout "$REGISTRY_locked"
    refused 125 "not logged in to $REGISTRY_locked" login --get-login "$REGISTRY_locked"
}

@test "a wrong password, user or registry stores nothing" {
    login_as wrong "$REGISTRY_locked"
    assert_status 125
    assert_one_error
    assert_stderr "Error: cannot log in to $REGISTRY_locked: registry $REGISTRY_locked: /v2/: access denied for the login of alice: authentication required"
    login_as secret localhost:1
    assert_status 125
    assert_one_error
    assert_stderr --partial "cannot log in to localhost:1: cannot reach registry localhost:1: "
    login_as "" "$REGISTRY_locked"
    assert_status 125
    assert_stderr "Error: cannot log in to $REGISTRY_locked: a login needs a password"
    [ ! -e "$AUTH" ]
}

@test "certificates: unknown ones are refused, unless told otherwise (CV-77)" {
    printf 'secret\n' >password
    run --separate-stderr "$WHELK" login -u alice --password-stdin "$REGISTRY_locked" <password
    assert_status 125
    assert_one_error
    assert_stderr --partial "cannot reach registry $REGISTRY_locked: SSL certificate problem"
    run --separate-stderr "$WHELK" login --tls-verify=false -u alice --password-stdin "$REGISTRY_locked" <password
    assert_success
    mkdir -p "$XDG_CONFIG_HOME/containers/certs.d/$REGISTRY_locked"
    cp "$CERTS/ca.crt" "$XDG_CONFIG_HOME/containers/certs.d/$REGISTRY_locked"
    run --separate-stderr "$WHELK" login -u alice --password-stdin "$REGISTRY_locked" <password
    assert_success
    SSL_CERT_FILE=$CERTS/ca.crt run --separate-stderr "$WHELK" login -u alice --password-stdin "$REGISTRY_locked" <password
    assert_success
    run --separate-stderr "$WHELK" login --cert-dir no/such -u alice --password-stdin "$REGISTRY_locked" <password
    assert_status 125
    assert_stderr "Error: cannot log in to $REGISTRY_locked: there is no directory no/such (--cert-dir)"
    : >"$XDG_CONFIG_HOME/containers/certs.d/$REGISTRY_locked/x.cert"
    run --separate-stderr "$WHELK" login -u alice --password-stdin "$REGISTRY_locked" <password
    assert_status 125
    assert_stderr --partial "x.cert needs its key"
}

@test "plain http only where it may be" {
    printf 'secret\n' >password
    run --separate-stderr "$WHELK" login -u alice --password-stdin "$REGISTRY_open" <password
    assert_success
    run --separate-stderr "$WHELK" login --tls-verify -u alice --password-stdin "$REGISTRY_open" <password
    assert_status 125
    assert_one_error
    assert_stderr --partial "cannot reach registry $REGISTRY_open"
}

@test "asks on a terminal, without showing the password" {
    terminal wait:Username: 'type:alice\r' wait:Password: 'type:secret\r' wait:Succeeded -- \
        login --cert-dir "$CERTS" "$REGISTRY_locked"
    assert_success
    assert_output --partial "Login Succeeded!"
    refute_output secret
    assert_output --partial "[mode kept]"
    # It is still good.
    answers "Existing credentials are valid. Already logged in to $REGISTRY_locked" login --cert-dir "$CERTS" "$REGISTRY_locked"
    # Interrupted while hidden: the terminal is as it was.
    terminal wait:Password: 'type:\x03' -- login -u bob --cert-dir "$CERTS" "$REGISTRY_locked"
    assert_output --partial "[status 130]"
    assert_output --partial "[mode kept]"
}

@test "what cannot be asked for, and options that do not go together" {
    refused 125 "cannot log in to $REGISTRY_locked: standard input is no terminal to ask on: give --username and --password-stdin" \
        login "$REGISTRY_locked"
    refused 125 "cannot log in to $REGISTRY_locked: standard input is no terminal to ask on: give --password-stdin" \
        login -u alice "$REGISTRY_locked"
    refused 125 "--password and --password-stdin cannot be given together" login -u a -p b --password-stdin x.example
    refused 125 "--password-stdin needs --username" login --password-stdin x.example
    refused 125 '--tls-verify is true or false, not "maybe"' login --tls-verify=maybe -u a --password-stdin x.example
    refused 125 "--all and a registry cannot be given together" logout --all x.example
    run_whelk login -v --cert-dir "$CERTS" -u alice -p secret "$REGISTRY_locked"
    assert_success
    assert_stderr --partial "a password on the command line can be seen by others; use --password-stdin"
    assert_stderr_line "The login for $REGISTRY_locked is stored."
}

@test "which file: --authfile, REGISTRY_AUTH_FILE, and what docker wrote" {
    login_as secret --authfile own.json "$REGISTRY_locked"
    assert_success
    [ -e own.json ] && [ ! -e "$AUTH" ]
    answers alice login --get-login --authfile own.json "$REGISTRY_locked"
    refused 125 "not logged in to $REGISTRY_locked" login --get-login "$REGISTRY_locked"
    REGISTRY_AUTH_FILE=own.json answers alice login --get-login "$REGISTRY_locked"
    mkdir docker
    printf '{"auths": {"https://index.docker.io/v1/": {"auth": "%s"}}, "HttpHeaders": {"x": "y"}}' \
        "$(printf bob:x | base64)" >docker/config.json
    DOCKER_CONFIG=docker answers bob login --get-login
    DOCKER_CONFIG=docker answers "Removed login credentials for docker.io" logout
    assert_equal "$(jq -c . docker/config.json)" '{"auths":{},"HttpHeaders":{"x":"y"}}'
    answers "Removed login credentials for all registries" logout --all --authfile own.json
    assert_equal "$(jq -c . own.json)" '{"auths":{}}'
    printf '{"auths": 1' >bad.json
    run_whelk login --get-login --authfile bad.json x.example
    assert_status 125
    assert_stderr --partial "bad.json: not valid JSON"
}

@test "a login for a part of a registry counts there" {
    login_as secret "$REGISTRY_locked/team"
    assert_success
    answers alice login --get-login "$REGISTRY_locked/team/app"
    refused 125 "not logged in to $REGISTRY_locked" login --get-login "$REGISTRY_locked"
}

@test "credential helpers (C-072)" {
    mkdir -p bin "$XDG_CONFIG_HOME/containers"
    cat >bin/docker-credential-test <<'END'
#!/bin/sh
# Keeps one login in a file; the question is on standard input.
case $1 in
store) cat >"$KEPT" ;;
get)
    read -r server
    grep -qsF "\"$server\"" "$KEPT" || { echo "credentials not found in native keychain"; exit 1; }
    cat "$KEPT"
    ;;
erase) rm -f "$KEPT" ;;
esac
END
    chmod +x bin/docker-credential-test
    export PATH=$PWD/bin:$PATH KEPT=$PWD/kept
    printf '{"credHelpers": {"%s": "test"}}' "$REGISTRY_locked" >"$AUTH"
    refused 125 "not logged in to $REGISTRY_locked" login --get-login "$REGISTRY_locked"
    login_as secret "$REGISTRY_locked"
    assert_success
    assert_equal "$(jq -c . kept)" "{\"ServerURL\":\"$REGISTRY_locked\",\"Username\":\"alice\",\"Secret\":\"secret\"}"
    not grep -q secret "$AUTH"
    answers alice login --get-login "$REGISTRY_locked"
    answers "Removed login credentials for $REGISTRY_locked" logout "$REGISTRY_locked"
    [ ! -e kept ]
    # One that is not there must not keep public images away.
    printf '{"credsStore": "nosuch", "auths": {"x.example": {"auth": "%s"}}}' "$(printf bob:x | base64)" >"$AUTH"
    run_whelk login --get-login x.example
    assert_success
    assert_output bob
    assert_stderr --partial "docker-credential-nosuch is not installed"
    printf '{"credsStore": "a/b"}' >"$AUTH"
    refused 125 '"a/b" is not the name of a credential helper' login --get-login x.example
    # registries.conf can name helpers too.
    printf 'credential-helpers = ["test"]\n' >registries.conf
    printf '{"ServerURL":"x.example","Username":"carl","Secret":"s"}' >kept
    CONTAINERS_REGISTRIES_CONF=registries.conf answers carl login --get-login x.example
}
