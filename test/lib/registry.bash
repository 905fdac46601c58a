# Registries for tests, all on 127.0.0.1:  load ../lib/registry  (after common)
#
# What is started here ends with the test file's processes (test/lib/within) or by stop_registries.

REGISTRY_DIR=$BATS_FILE_TMPDIR/registry
registry_pids=()

needs_registry() {
    command -v docker-registry >/dev/null || skip "docker-registry is not installed"
}
needs() { # PROGRAM
    command -v "$1" >/dev/null || skip "$1 is not installed"
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
answers_on() { # PORT
    (exec 9<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# A certificate of its own for localhost and 127.0.0.1: cert.pem, key.pem.
make_certificate() { # DIRECTORY
    [ -e "$1/cert.pem" ] || openssl req -x509 -newkey rsa:2048 -nodes -keyout "$1/key.pem" -out "$1/cert.pem" -days 30 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>/dev/null
}

# start_registry NAME [tls] [htpasswd|token]: sets REGISTRY to its host:port. The login is alice, secret.
start_registry() {
    local name=$1 dir=$REGISTRY_DIR/$1 http=addr auth= port try word
    shift
    mkdir -p "$dir"
    for try in 1 2 3; do
        port=$(free_port)
        http="addr: 127.0.0.1:$port" auth=
        for word; do
            case $word in
            tls)
                make_certificate "$dir"
                http="$http, tls: {certificate: $dir/cert.pem, key: $dir/key.pem}"
                ;;
            htpasswd)
                # bcrypt of "secret"
                printf '%s\n' 'alice:$2b$12$foA/ON8sUhsGdxoW14P9q.UEZYuRRl52CiYyrXAsPC8NB8jMngmr6' >"$dir/htpasswd"
                auth="auth: {htpasswd: {realm: test, path: $dir/htpasswd}}"
                ;;
            token)
                start_token_service "$dir"
                auth="auth: {token: {realm: 'http://127.0.0.1:$(cat "$dir/token-port")/token', service: registry, issuer: test, rootcertbundle: $dir/token.crt}}"
                ;;
            esac
        done
        cat >"$dir/config.yml" <<END
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $dir/data}, delete: {enabled: true}}
http: {$http}
$auth
END
        docker-registry serve "$dir/config.yml" >"$dir/log" 2>&1 3>&- </dev/null &
        registry_pids+=("$!")
        wait_for 10 answers_on "$port" && break
    done
    REGISTRY=localhost:$port
    eval "REGISTRY_${name}=$REGISTRY"
}

start_token_service() { # DIRECTORY
    [ ! -e "$1/token-port" ] || return 0
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$1/token.key" -out "$1/token.crt" -days 30 -subj /CN=token 2>/dev/null
    python3 "$WHELK_TREE/test/lib/token-service.py" "$1" 3>&- </dev/null >"$1/token-log" 2>&1 &
    registry_pids+=("$!")
    wait_for 10 test -e "$1/token-port"
}

# Sets FAULTY to its host:port and OTHER to that of "the other host". With tls: a certificate in $FAULTY_DIR.
start_faulty() { # [tls]
    FAULTY_DIR=$REGISTRY_DIR/faulty${1-}
    mkdir -p "$FAULTY_DIR"
    local certificate=()
    if [ "${1-}" = tls ]; then
        make_certificate "$FAULTY_DIR"
        certificate=("$FAULTY_DIR/cert.pem" "$FAULTY_DIR/key.pem")
    fi
    python3 "$WHELK_TREE/test/lib/faulty-registry.py" "$FAULTY_DIR" "${certificate[@]}" 3>&- </dev/null >"$FAULTY_DIR/log" 2>&1 &
    registry_pids+=("$!")
    wait_for 20 test -e "$FAULTY_DIR/ports"
    read -r FAULTY OTHER <"$FAULTY_DIR/ports"
    FAULTY=127.0.0.1:$FAULTY OTHER=127.0.0.1:$OTHER
}

stop_registries() {
    local pid
    for pid in "${registry_pids[@]}"; do
        [ "$pid" -gt 0 ] && kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true
    done
    registry_pids=()
}

# Requests to the faulty registry since the last forget_requests.
requests() {
    cat "$FAULTY_DIR/requests" 2>/dev/null || true
}
forget_requests() {
    rm -f "$FAULTY_DIR/requests"
}
