#!/usr/bin/env bats
# examples/services: a web server, a database and a queue out of Debian's packages, on one network
# lanes: subuid root
# time-limit: 900

load ../lib/common

setup_file() {
    local tar
    PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    export PORT
    if tar=$(sh "$WHELK_TREE/test/lib/mkdebian"); then
        whelk import "$tar" docker.io/library/debian:bookworm-slim >/dev/null
        export have_base=1
    fi
}

setup() {
    [ -n "${have_base-}" ] || skip "no Debian base: sh test/lib/mkdebian, as root"
}

teardown_file() {
    whelk rm -af >/dev/null 2>&1 || :
    whelk rmi -af >/dev/null 2>&1 || :
}

shop() {
    # The builds take their packages where this machine takes them.
    WHELK=$WHELK SHOP_PORT=$PORT SHOP_BUILD="--network host" "$WHELK_TREE/examples/services/shop" "$@" 3>&-
}
orders() {
    curl -sSf -m 10 "$@" "http://127.0.0.1:$PORT/orders"
}

up() {
    orders -o /dev/null "$@" 2>/dev/null
}

@test "the shop takes orders and keeps them" {
    shop up
    wait_for 60 up
    assert_equal "$(orders -d "two cups")" ordered
    assert_equal "$(orders -d "o'clock; \$(tea)")" ordered
    assert_equal "$(orders)" "1|two cups
2|o'clock; \$(tea)"
    # A service that is lost is missed, and found again under its name when it is back.
    kill -9 "$(supervisor_pid shop-queue)"
    wait_for 10 prints exited inspect_field shop-queue .State.Status
    not orders -d milk 2>/dev/null
    whelk start shop-queue >/dev/null
    wait_for 20 up -d milk
    assert_equal "$(orders | tail -n 1)" "3|milk"
    wait_for 30 prints healthy inspect_field shop-db .State.Health.Status
    shop down
    assert_equal "$(whelk ps -aq)" ""
    shop up
    wait_for 60 up
    assert_equal "$(orders | head -n 1)" "1|two cups"
    shop down
}
