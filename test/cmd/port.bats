#!/usr/bin/env bats
# whelk port, and published ports of run

load ../lib/common
load ../lib/container
load ../lib/tidy

# Ports for this lane alone, below those that the kernel gives out by itself: $P and one digit.
case $WHELK_LANE in
subuid) P=2018 ;;
plain) P=2118 ;;
root) P=2218 ;;
*) P=2318 ;;
esac

# web NAME OPTION...: a container whose server on 80/tcp tells who calls
web() {
    local name=$1
    shift
    whelk run -d --name "$name" "$@" base netpeer tcp 80 >/dev/null
    wait_for 10 printed "$name" ready
}
# port_of NAME PORT: the number on this machine
port_of() {
    whelk port "$1" "$2" | sed -n '1s/.*://p'
}
# call ADDRESS PORT: what the server says
call() {
    echo hello | python3 "$WHELK_TREE/test/lib/call.py" tcp "$1" "$2"
}

@test "a connection is forwarded, with both ends" {
    web web -p 127.0.0.1::80
    run call 127.0.0.1 "$(port_of web 80)"
    assert_success
    assert_equal "${lines[1]} ${lines[2]}" "hello end"
    [ "${lines[0]}" != 127.0.0.1 ] # an application may trust it
}

@test "every kind of network" {
    local kind
    for kind in private none; do
        web web --network $kind -p 127.0.0.1::80
        run call 127.0.0.1 "$(port_of web 80)"
        assert_output "10.0.2.2
hello
end"
        whelk rm -f web >/dev/null
    done
}

@test "by pasta" {
    skip_unless_lane subuid plain
    command -v pasta >/dev/null || skip "pasta is not installed"
    ip route | grep -q ^default || skip "this machine has no way out that pasta could copy"
    web web --network pasta -p 127.0.0.1::80
    run call 127.0.0.1 "$(port_of web 80)"
    assert_equal "${lines[1]} ${lines[2]}" "hello end"
}

@test "IPv4 and IPv6 by one port" {
    [ -e /proc/net/if_inet6 ] || skip "this machine has no IPv6"
    web web -p 80
    local port
    port=$(port_of web 80)
    run call 127.0.0.1 "$port"
    assert_equal "${lines[1]}" hello
    run call ::1 "$port"
    assert_equal "${lines[1]}" hello
}

@test "udp" {
    whelk run -d --name dns -p 127.0.0.1::53/udp base netpeer udp 53 >/dev/null
    wait_for 10 printed dns ready
    run python3 "$WHELK_TREE/test/lib/call.py" udp 127.0.0.1 "$(port_of dns 53/udp)" <<<one
    assert_output "10.0.2.2 one"
}

@test "port tells what leads where" {
    web web -p 127.0.0.1:${P}0:80 -p 127.0.0.1:${P}0-${P}2:90-92/udp -p "[::1]:${P}0:81"
    answers "80/tcp -> 127.0.0.1:${P}0
90/udp -> 127.0.0.1:${P}0
91/udp -> 127.0.0.1:${P}1
92/udp -> 127.0.0.1:${P}2
81/tcp -> [::1]:${P}0" port web
    answers 127.0.0.1:${P}0 container port web 80
    answers 127.0.0.1:${P}1 port web 91/udp
    answers 127.0.0.1:${P}0 port --latest 80
    run_whelk port -a
    assert_line --regexp "^[0-9a-f]{12}"$'\t'"80/tcp -> 127.0.0.1:${P}0\$"
    refused 1 "container web publishes no port 99/tcp" port web 99
    refused 1 "container web publishes no port 90/tcp" port web 90
    refused 125 "no such container: nosuch" port nosuch
    refused 125 "x: x is not a port, from 1 to 65535, or a range of them" port web x
    refused 125 "name a container, or say --all or --latest" port
    refused 125 "--all goes without names" port --all web
    refused 125 "--all goes without --latest" port --all --latest
    refused 125 "--latest goes without a container's name" port --latest web 80
}

@test "ps, inspect and filters know ports" {
    web web -p 127.0.0.1:${P}0:80 --expose 8000-8001/udp
    whelk run -d --name other base sleep 100 >/dev/null
    answers "127.0.0.1:${P}0->80/tcp, 8000/udp, 8001/udp" ps --filter name=web --format '{{.Ports}}'
    assert_equal "$(inspect_field web '.NetworkSettings.Ports | tostring')" \
        '{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"'"${P}0"'"}],"8000/udp":null,"8001/udp":null}'
    assert_equal "$(inspect_field web '.HostConfig.PortBindings | tostring')" '{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"'"${P}0"'"}]}'
    assert_equal "$(inspect_field web .NetworkSettings.IPAddress)" 10.0.2.100
    answers web ps --filter publish=80 --format '{{.Names}}'
    answers web ps --filter publish=70-90/tcp --format '{{.Names}}'
    answers "" ps --filter publish=8000/udp --format '{{.Names}}'
    answers web ps --filter expose=8001/udp --format '{{.Names}}'
    answers web ps --filter expose=80 --format '{{.Names}}'
    refused 125 "--filter publish=: x: x is not a port, from 1 to 65535, or a range of them" ps --filter publish=x
}

@test "-P publishes what is exposed" {
    build_image exposes <<'EOF'
FROM base
EXPOSE 80 53/udp
CMD ["netpeer", "tcp", "80"]
EOF
    whelk run -d --name web -P --expose 81 exposes >/dev/null
    wait_for 10 printed web ready
    assert_equal "$(whelk port web | sed 's/ .*//' | sort | tr '\n' ' ')" "53/udp 80/tcp 81/tcp "
    run call 127.0.0.1 "$(port_of web 80)"
    assert_equal "${lines[1]}" hello
    assert_equal "$(inspect_field web .HostConfig.PublishAllPorts)" true
}

@test "of a range for one port, the first free one" {
    web one -p 127.0.0.1:${P}0:80
    web two -p 127.0.0.1:${P}0-${P}5:80
    [ "$(port_of two 80)" -gt ${P}0 ]
    run call 127.0.0.1 "$(port_of two 80)"
    assert_equal "${lines[1]}" hello
}

@test "a busy port is an error that names who has it" {
    web one -p 127.0.0.1:${P}0:80
    refused 125 "port ${P}0/tcp of 127.0.0.1 is in use by container one; publish another one, or let a free one be chosen: -p PORT" \
        run --rm -p 127.0.0.1:${P}0:80 base true
    python3 "$WHELK_TREE/test/lib/call.py" listen 127.0.0.1 ${P}7 3>&- &
    local busy=$!
    wait_for 10 grep -q ":$(printf %X ${P}7) " /proc/net/tcp
    run_whelk run --rm -p 127.0.0.1:${P}7:80 base true
    kill $busy
    assert_status 125
    assert_stderr --partial "port ${P}7/tcp of 127.0.0.1 is in use by python3 (process $busy)"
}

@test "ports below 1024 explain themselves" {
    skip_unless_lane subuid plain
    [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" = 1024 ] || skip "this machine gives them to users"
    refused 125 "port 80/tcp is below those that this user may listen on; publish a higher one, as -p 8080:80, or as root: sysctl net.ipv4.ip_unprivileged_port_start=80" \
        run --rm -p 80:80 base true
}

@test "a port is free again, however the container ended" {
    local way
    for way in stop kill; do
        web web -p 127.0.0.1:${P}0:80
        if [ $way = kill ]; then kill -9 "$(supervisor_pid web)"; else whelk stop -t 0 web >/dev/null; fi
        wait_for 10 not_listening ${P}0
        whelk rm -f web >/dev/null
    done
}
not_listening() {
    ! grep -q ":$(printf %X "$1") .* 0A " /proc/net/tcp
}

@test "a restarted container keeps its port" {
    whelk run -d --name again --restart on-failure:1 -p 127.0.0.1:${P}0:80 base sh -c 'netpeer tcp 80 & sleep 1; exit 1' >/dev/null
    wait_for 10 state_is again running
    wait_for 10 called 127.0.0.1 ${P}0
    assert_equal "$(whelk wait again)" 1
    assert_equal "$(whelk logs again | grep -c ready)" 2
}
called() {
    call "$@" | grep -q hello
}

@test "nobody listens inside: the client is refused" {
    whelk run -d --name idle -p 127.0.0.1:${P}0:80 base sleep 100 >/dev/null
    run call 127.0.0.1 ${P}0
    assert_status 1
    assert_output --partial "reset"
}

@test "with the host's network published ports are told to have no meaning" {
    run_whelk run --rm --network host -p ${P}0:80 base true
    assert_success
    assert_stderr --partial "published ports have no meaning with --network host"
}

@test "mistakes" {
    refused 125 "--publish: 80/sctp: sctp cannot be published, only tcp and udp" run -p 80/sctp base true
    refused 125 "--publish: 1-2:1-3: the ranges have different lengths, 2 and 3" run -p 1-2:1-3 base true
    refused 125 "--expose: 1:2: write PORT[-PORT][/PROTOCOL]" run --expose 1:2 base true
    refused 125 "cannot listen on 203.0.113.77: this machine has no such address" run -p 203.0.113.77:${P}0:80 base true
    refused 125 "--publish 10000-20000:10000-20000: more than 4096 ports" run -p 10000-20000:10000-20000 base true
}
