#!/usr/bin/env bats
# Networks of run: kinds, addresses, names

load ../lib/common
load ../lib/container
load ../lib/tidy

needs_tap() {
    [ -w /dev/net/tun ] || skip "/dev/net/tun may not be opened"
}

@test "a private network has one interface with address, route and name server" {
    needs_tap
    run_whelk run --rm -h me base sh -c 'ip -o -4 addr show eth0; ip route; cat /etc/resolv.conf; cat /sys/class/net/eth0/mtu; cat /etc/hosts'
    assert_success
    assert_stderr ""
    assert_output --partial "inet 10.0.2.100/24"
    assert_output --partial "default via 10.0.2.2 dev eth0"
    assert_line 65520
    assert_line --regexp $'^10\\.0\\.2\\.100\tme '
    assert_line --regexp 'host\.containers\.internal host\.docker\.internal$'
}

@test "the options of a private network, by podman's names" {
    needs_tap
    run_whelk run --rm --network slirp4netns:cidr=172.30.0.0/16,mtu=1500,enable_ipv6=false base \
        sh -c 'ip -o addr show eth0 scope global; ip route; cat /sys/class/net/eth0/mtu /etc/resolv.conf'
    assert_success
    assert_output --partial "inet 172.30.0.100/16"
    refute_output "inet6"
    assert_output --partial "default via 172.30.0.2"
    assert_line 1500
    assert_line "nameserver 172.30.0.3"
    answers "10.0.2.2	host.containers.internal host.docker.internal" \
        run --rm --network private:allow_host_loopback=true base tail -n 1 /etc/hosts
}

@test "--ip and --mac-address" {
    needs_tap
    run_whelk run --rm --ip 10.0.2.77 --mac-address 02:00:5e:00:53:01 base ip addr show eth0
    assert_success
    assert_output --partial "inet 10.0.2.77/24"
    assert_output --partial "link/ether 02:00:5e:00:53:01"
    refused 125 "--ip 10.0.9.1 is not a free address of the network (see --network private:cidr=)" run --rm --ip 10.0.9.1 base true
    refused 125 "--ip 10.0.2.2 is not a free address of the network (see --network private:cidr=)" run --rm --ip 10.0.2.2 base true
}

@test "without a tap device the container runs with loopback, and is told why" {
    skip_unless_lane root
    [ -c /dev/net/tun ] || skip "no /dev/net/tun"
    run unshare --mount --propagation private sh -c \
        'mount -t tmpfs none /dev/net && "$WHELK" run --rm base sh -c "ip -o link | wc -l" 2>&1'
    assert_success
    assert_line 1
    assert_line --partial "the container has no network but loopback: cannot open /dev/net/tun"
}

@test "--add-host, with host-gateway" {
    run_whelk run --rm --network none --add-host one:192.0.2.7 --add-host 'two;three=2001:db8::7' \
        --add-host up:host-gateway base cat /etc/hosts
    assert_success
    assert_line $'192.0.2.7\tone'
    assert_line $'2001:db8::7\ttwo three'
    assert_line --regexp $'^[0-9.]+\tup$'
    refused 125 "--add-host one: write NAME:ADDRESS, or NAME:host-gateway for this machine" run --add-host one base true
    refused 125 "--add-host a b:192.0.2.1: write NAME:ADDRESS, or NAME:host-gateway for this machine" run --add-host "a b:192.0.2.1" base true
    refused 125 "--add-host a:nowhere: write NAME:ADDRESS, or NAME:host-gateway for this machine" run --add-host a:nowhere base true
}

@test "--dns, --dns-search and --dns-option write resolv.conf" {
    answers "nameserver 192.0.2.53
nameserver 2001:db8::53
search one.example two.example
options ndots:1 edns0" run --rm --dns 192.0.2.53 --dns 2001:db8::53 --dns-search one.example --dns-search two.example \
        --dns-option ndots:1 --dns-opt edns0 base cat /etc/resolv.conf
    answers 0 run --rm --dns none base sh -c 'cat /etc/resolv.conf 2>/dev/null | wc -c'
    run_whelk run --rm --dns-search . base cat /etc/resolv.conf
    refute_output search
    refused 125 "--dns name.example is not an address; a name server is given by its address" run --dns name.example base true
    refused 125 "--dns none and other name servers contradict each other" run --dns none --dns 192.0.2.1 base true
    refused 125 "--dns-search a b is not a domain" run --dns-search "a b" base true
    refused 125 "--dns-option a b is not an option of resolv.conf, as ndots:1" run --dns-option "a b" base true
}

@test "--hosts-file and --no-hosts" {
    printf '192.0.2.9\tmine\n' >hosts
    run_whelk run --rm --network none --hosts-file hosts base cat /etc/hosts
    assert_success
    assert_line $'192.0.2.9\tmine'
    refute_output localhost
    whelk run --rm --network none --hosts-file none base grep -q localhost /etc/hosts
    answers no run --rm --no-hosts base sh -c '[ -s /etc/hosts ] || echo no'
    answers no run --rm --hosts-file image base sh -c '[ -s /etc/hosts ] || echo no'
    refused 125 "--hosts-file missing: no such file" run --hosts-file missing base true
    refused 125 "--no-hosts and --add-host contradict each other" run --no-hosts --add-host a:192.0.2.1 base true
    refused 125 "--no-hosts and --hosts-file contradict each other" run --no-hosts --hosts-file none base true
    refused 125 "--hosts-file image leaves the image's file as it is: --add-host cannot add to it" \
        run --hosts-file image --add-host a:192.0.2.1 base true
}

@test "one that shares another's network is found under its names" {
    whelk run -d --name first --network none -h one base sleep 100 >/dev/null
    run_whelk run --rm --network container:first base cat /etc/hosts
    assert_success
    assert_output "$(whelk exec first cat /etc/hosts)"
    refused 125 "--network container:first goes without --ip 10.0.2.9: the namespace is somebody else's" \
        run --network container:first --ip 10.0.2.9 base true
}

@test "a restarted container has its network again" {
    needs_tap
    whelk run -d --name again --restart on-failure:2 base sh -c 'ip -o -4 addr show eth0 | grep -o 10.0.2.100; exit 1' >/dev/null
    assert_equal "$(whelk wait again)" 1
    assert_equal "$(whelk logs again | tr '\n' ' ')" "10.0.2.100 10.0.2.100 10.0.2.100 "
}

@test "the helper of a network goes with its container, however that ends" {
    needs_tap
    local helper supervisor
    for way in kill stop; do
        whelk run -d --name c base sleep 100 >/dev/null
        supervisor=$(supervisor_pid c)
        helper=$(pgrep -P "$supervisor" | grep -vx "$(container_pid c)")
        [ -n "$helper" ]
        if [ $way = kill ]; then kill -9 "$supervisor"; else whelk stop -t 0 c >/dev/null; fi
        wait_for 10 is_gone "$helper"
        whelk rm -f c >/dev/null
    done
}

@test "the helper has no rights" {
    needs_tap
    local helper supervisor
    whelk run -d --name c base sleep 100 >/dev/null
    supervisor=$(supervisor_pid c)
    helper=$(pgrep -P "$supervisor" | grep -vx "$(container_pid c)")
    run cat "/proc/$helper/status"
    assert_line --regexp '^CapEff:\s0000000000000000$'
    assert_line --regexp '^CapPrm:\s0000000000000000$'
    assert_line --regexp '^NoNewPrivs:\s1$'
    assert_line --regexp '^Seccomp:\s2$'
    [ "$WHELK_LANE" != root ] || assert_line --regexp '^Uid:\s65534'
}

@test "mistakes" {
    refused 125 "--network bogus: no such network; make it with: whelk network create bogus" run --network bogus base true
    refused 125 "--network none:x: none takes no options" run --network none:x base true
    refused 125 "--network private:mtu=5: mtu=5: say a number from 1280 to 65520" run --network private:mtu=5 base true
    refused 125 "--network private:cidr=10.0.0.0/30: cidr=10.0.0.0/30: say an IPv4 network from /8 to /24, as 10.0.2.0/24" \
        run --network private:cidr=10.0.0.0/30 base true
    refused 125 "--network private:enable_ipv6=x: enable_ipv6=x: say true or false" run --network private:enable_ipv6=x base true
    refused 125 "--network private:port_handler=x: option port_handler=x is not known; known: allow_host_loopback=, cidr=, enable_ipv6=, mtu=" \
        run --network private:port_handler=x base true
    refused 125 "--network none goes with no other network" run --network none --network private base true
    refused 125 "--ip 10.0.2.9: the network none has none of its own to give" run --network none --ip 10.0.2.9 base true
    refused 125 "--ip6 ::9: the network private has none of its own to give" run --ip6 ::9 base true
    refused 125 "--network-alias web: the network private has none of its own to give" run --network-alias web base true
    refused 125 "--mac-address 03:00:00:00:00:01: write six bytes, as 02:42:ac:11:00:02" run --mac-address 03:00:00:00:00:01 base true
    refused 125 "--ip x is not an IPv4 address" run --ip x base true
    refused 125 "--network pasta:--foreground: the option --foreground of pasta is set by whelk" run --network pasta:--foreground base true
}
