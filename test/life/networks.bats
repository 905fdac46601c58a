#!/usr/bin/env bats
# Containers on named networks: among each other, out, in, and what a killed process leaves
# network: lab
# time-limit: 900

load ../lib/common
load ../lib/container

setup_file() {
    base_image
}

setup() {
    [ -n "${WHELK_FAR-}" ] || skip "networks of a test's own need root (sh test/run as root)"
    [ "$WHELK_LANE" = root ] || [ -w /dev/net/tun ] || skip "/dev/net/tun may not be opened"
    whelk network create --subnet 10.90.0.0/24 shop >/dev/null
}

teardown() {
    whelk rm -af -t 0 >/dev/null
    whelk network prune -f >/dev/null
    no_containers_left
}

far_call() { # tcp|udp ADDRESS PORT
    echo hello | python3 "$WHELK_TREE/test/lib/far.py" run "$WHELK_FAR" python3 "$WHELK_TREE/test/lib/call.py" "$@"
}
web() { # KIND NAME OPTION...
    local kind=$1 name=$2
    shift 2
    whelk run -d --name "$name" "$@" base netpeer "$kind" 80 >/dev/null
    wait_for 10 printed "$name" ready
}
idle() { # NAME OPTION...
    local name=$1
    shift
    whelk run -d --name "$name" "$@" base sleep 1000 >/dev/null
}
address() { # NAME NETWORK
    whelk inspect -f "{{(index .NetworkSettings.Networks \"$2\").IPAddress}}" "$1"
}
supervisor_of() { # NAME
    python3 -c 'import fcntl, struct, sys
f = open(sys.argv[1]); print(struct.unpack("hhqqi", fcntl.fcntl(f, fcntl.F_GETLK, struct.pack("hhqqi", 1, 0, 0, 1, 0)))[4])' \
        "$STORE/containers/$(inspect_field "$1" .Id)/alive"
}
# called FROM ADDRESS: does a TCP server answer?
called() {
    whelk exec "$1" sh -c "echo hello | timeout 3 nc $2 80" | grep -qx hello
}

@test "containers on a network reach each other under fixed and found addresses" {
    web tcp web --network shop --ip 10.90.0.77 --mac-address 02:00:5e:00:53:01
    web tcp6 six --network shop
    run_whelk run --rm --network shop:interface_name=net7 base sh -c \
        "echo one | nc 10.90.0.77 80; echo two | nc $(address six shop) 80; ip -o -4 addr show net7; ip neigh"
    assert_line one
    assert_line two
    assert_line --regexp 'net7 +inet 10\.90\.0\.[0-9]+/24'
    assert_output --partial "02:00:5e:00:53:01"
    refused 125 "network shop: the address 10.90.0.77 is in use by container web" run --rm --network shop --ip 10.90.0.77 base true
}

@test "out" {
    run_whelk run --rm --network shop base sh -c 'echo one | nc 198.51.100.7 80'
    assert_success
    assert_output "::ffff:192.0.2.1
one
end"
    whelk network create --ipv6 six >/dev/null
    run_whelk run --rm --network six base sh -c 'echo two | nc 2001:db8:0:2::7 80'
    assert_output "2001:db8:0:1::1
two
end"
}

@test "in: published ports show the client, and need no packet filter" {
    web tcp web --network shop -p 18180:80
    run far_call tcp 192.0.2.1 18180
    assert_output "192.0.2.2
hello
end"
    if [ "$WHELK_LANE" = root ]; then
        nft flush ruleset
        run far_call tcp 192.0.2.1 18180
        assert_equal "${lines[0]}" 192.0.2.2
    fi
}

@test "an internal network has no way out" {
    whelk network create --internal --subnet 10.91.0.0/24 back >/dev/null
    web tcp web --network back
    idle a --network back --cap-add NET_ADMIN
    called a "$(address web back)"
    run_whelk exec a ip route
    refute_output "default"
    whelk exec a ip route add default dev eth0
    not whelk exec a sh -c 'echo x | timeout 2 nc 198.51.100.7 80 | grep x'
}

@test "an isolated network is apart from others, two plain ones are not" {
    whelk network create --opt isolate=true --subnet 10.91.0.0/24 alone >/dev/null
    whelk network create --subnet 10.92.0.0/24 plain >/dev/null
    web tcp web --network shop
    idle a --network alone
    idle p --network plain
    called p "$(address web shop)"
    not called a "$(address web shop)"
    run_whelk exec a sh -c 'echo out | nc 198.51.100.7 80'
    assert_line out
}

@test "several networks: an interface each, one default route, mtu and routes" {
    whelk network create --internal --subnet 10.91.0.0/24 -o mtu=1400 --route 10.50.0.0/16,10.91.0.9,7 back >/dev/null
    run_whelk run --rm --network back:ip=10.91.0.5 --network shop:ip=10.90.0.6,alias=x base \
        sh -c 'ip -o -4 addr; ip route; cat /sys/class/net/eth0/mtu'
    assert_output --partial "eth0    inet 10.91.0.5/24"
    assert_output --partial "eth1    inet 10.90.0.6/24"
    assert_output --partial "default via 10.90.0.1 dev eth1"
    assert_output --partial "10.50.0.0/16 via 10.91.0.9 dev eth0  metric 7"
    assert_line 1400
}

# says FROM WORDS: a datagram to the server at 10.90.0.9, and its answer
says() {
    whelk exec "$1" sh -c "echo $2 | python3 /call.py udp 10.90.0.9 80" 2>/dev/null || true
}

@test "nobody uses the address or the MAC of another" {
    local tools="-v /usr:/usr:ro -v /usr/lib:/lib:ro -v /usr/lib64:/lib64:ro -v $WHELK_TREE/test/lib/call.py:/call.py:ro" mac
    web udp web --network shop --ip 10.90.0.9
    # shellcheck disable=SC2086 # options
    idle good --network shop --ip 10.90.0.10 $tools
    # shellcheck disable=SC2086
    idle bad --network shop --ip 10.90.0.11 --cap-add NET_ADMIN --cap-add NET_RAW $tools
    assert_equal "$(says bad honest)" "10.90.0.11 honest"
    whelk exec bad sh -c 'ip addr add 10.90.0.10/32 dev eth0 && ip route add 10.90.0.9/32 dev eth0 src 10.90.0.10'
    assert_equal "$(says bad forged)" ""
    assert_equal "$(says good mine)" "10.90.0.10 mine"
    mac=$(whelk inspect -f '{{.NetworkSettings.Networks.shop.MacAddress}}' good)
    whelk exec bad sh -c "ip route del 10.90.0.9/32 && ip link set eth0 down && ip link set eth0 address $mac && ip link set eth0 up"
    assert_equal "$(says bad forged)" ""
    assert_equal "$(says good again)" "10.90.0.10 again"
    run whelk logs web
    refute_output forged
}

@test "whoever is killed takes the network from nobody else" {
    idle first --network shop
    web tcp web --network shop
    idle other --network shop
    kill -9 "$(supervisor_of first)"
    wait_for 10 state_is first exited
    called other "$(address web shop)"
    run_whelk exec other sh -c 'echo out | nc 198.51.100.7 80'
    assert_line out
    run_whelk run --rm --network shop base sh -c "echo new | nc $(address web shop) 80; ip -o -4 addr show eth0"
    assert_line new
    assert_output --partial "10.90.0.2/24" # of the one that was killed
}

@test "a way out that is killed comes again" {
    skip_unless_lane subuid plain
    idle a --network shop
    idle b --network shop
    local first
    first=$(way_out)
    [ "$first" -gt 0 ]
    reaches_out a
    kill -9 "$first"
    wait_for 10 reaches_out a
    reaches_out b
    assert_equal "$(way_out)" 0 # one of the two has it now
    kill -9 "$(supervisor_of a)"
    wait_for 10 reaches_out b
}
# The process of this user that nobody may look into, outside of all containers.
way_out() {
    local dir
    for dir in /proc/[0-9]*; do
        [ -O "$dir/task" ] || [ "$(stat -c %U "$dir" 2>/dev/null)" = root ] || continue
        grep -qs $'^Name:\twhelk' "$dir/status" && grep -qs "^Uid:.*\s$(id -u)\s" "$dir/status" || continue
        grep -qE $'^NSpid:\t[0-9]+$' "$dir/status" && ! ls "$dir/fd" >/dev/null 2>&1 || continue
        basename "$dir"
        return
    done
    echo 0
}
# Has the pipe a reader?
is_served() {
    python3 -c 'import os, sys; os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK)' "$STORE/networks/.out" 2>/dev/null
}
reaches_out() {
    whelk exec "$1" sh -c 'echo out | timeout 2 nc 198.51.100.7 80' 2>/dev/null | grep -qx out
}

@test "50 at once, each with an address of its own, and nothing is left" {
    local i
    for i in $(seq 50); do
        whelk run -d --name "c$i" --network shop base sleep 1000 >/dev/null &
    done
    wait
    run_whelk ps -q
    assert_equal "$(wc -l <<<"$output")" 50
    whelk inspect -f '{{.NetworkSettings.Networks.shop.IPAddress}}' $(seq -f c%g 50) | sort -u >"$BATS_TEST_TMPDIR/addresses"
    assert_equal "$(wc -l <"$BATS_TEST_TMPDIR/addresses")" 50
    web tcp web --network shop
    called c1 "$(address web shop)"
    called c50 "$(address web shop)"
    whelk rm -af -t 0 >/dev/null
    if [ "$WHELK_LANE" = root ]; then
        wait_for 20 no_device whb
        wait_for 20 no_device whv
        [ -z "$(nft list tables | grep whelk)" ]
    else
        wait_for 20 not is_served
    fi
}
no_device() {
    ! ip -o link | grep -q ": $1"
}

@test "what the last one leaves when it is killed goes with the network" {
    skip_unless_lane root
    idle a --network shop
    kill -9 "$(supervisor_of a)"
    wait_for 10 state_is a exited
    whelk rm a >/dev/null
    answers shop network rm shop
    no_device whb
    [ -z "$(nft list tables | grep whelk)" ]
}

@test "restarts keep address and network" {
    web tcp web --network shop --restart always
    local ip pid
    ip=$(address web shop)
    pid=$(inspect_field web .State.Pid)
    kill -9 "$pid"
    wait_for 10 running_anew "$pid"
    assert_equal "$(address web shop)" "$ip"
    idle a --network shop
    wait_for 10 called a "$ip"
}
running_anew() { # PID BEFORE
    state_is web running && [ "$(inspect_field web .State.Pid)" != "$1" ]
}
