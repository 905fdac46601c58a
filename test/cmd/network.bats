#!/usr/bin/env bats
# whelk network create|ls|inspect|exists|rm|prune|connect|disconnect|reload
# network: lab

load ../lib/common
load ../lib/container

setup_file() {
    base_image
}

setup() {
    [ -n "${WHELK_FAR-}" ] || skip "networks of a test's own need root (sh test/run as root)"
}

teardown() {
    whelk rm -af >/dev/null
    whelk network prune -f >/dev/null
    no_containers_left
}

subnet_of() {
    whelk network inspect -f '{{(index .IPAM.Config 0).Subnet}}' "$1"
}
idle() { # NAME OPTION...
    local name=$1
    shift
    whelk run -d --name "$name" "$@" base sleep 1000 >/dev/null
}

@test "create prints the name; without one net- and digits" {
    answers shop network create shop
    run_whelk network create
    assert_success
    assert_output --regexp '^net-[0-9a-f]{8}$'
}

@test "subnets that nobody gave overlap with nothing" {
    whelk network create one
    whelk network create two
    [ "$(subnet_of one)" != "$(subnet_of two)" ]
    [ "$(subnet_of one)" != "$(subnet_of bridge)" ]
    [[ "$(subnet_of one)" == 10.*/20 ]]
}

@test "what was given is what inspect says" {
    whelk network create --subnet 10.90.5.9/16 --gateway 10.90.0.9 --ip-range 10.90.7.0/24 --internal --ipv6 --label a=b --label c \
        -o mtu=1400 --opt isolate=true --route 10.50.0.0/16,10.90.0.7,5 --dns 192.0.2.53 --interface-name wtest0 -d bridge \
        --ipam-driver host-local shop
    run_whelk network inspect shop
    assert_success
    local got
    got=$(jq -c '.[0] | [.Name, .Driver, .Scope, .Internal, .EnableIPv6, .Labels, .Options, .NetworkInterface, .IPAM.Config[0], .Routes, .NetworkDNSServers]' <<<"$output")
    assert_equal "$got" '["shop","bridge","local",true,true,{"a":"b","c":""},{"mtu":"1400","isolate":"true"},"wtest0",{"Subnet":"10.90.0.0/16","Gateway":"10.90.0.9","IPRange":"10.90.7.0/24"},[{"Destination":"10.50.0.0/16","Gateway":"10.90.0.7","Metric":5}],["192.0.2.53"]]'
    [[ "$(jq -r '.[0].IPAM.Config[1].Subnet' <<<"$output")" == fd*::/64 ]]
    whelk network create --subnet 2001:db8:9::/64 --subnet 10.92.0.0/24 --disable-dns both
    answers "true false" network inspect -f '{{.EnableIPv6}} {{.DNSEnabled}}' both
    whelk network create -o com.docker.network.bridge.name=wtest1 -o com.docker.network.driver.mtu=1300 old
    answers "wtest1 1300" network inspect -f '{{.NetworkInterface}} {{.Options.mtu}}' old
}

@test "create refuses" {
    whelk network create --subnet 10.90.0.0/24 shop
    refused 125 "network shop exists already" network create shop
    answers shop network create --ignore shop
    refused 125 "network x: the subnet 10.90.0.0/16 overlaps with 10.90.0.0/24 of the network shop" network create --subnet 10.90.0.0/16 x
    refused 125 "network x: the subnet 10.0.2.0/25 overlaps with 10.0.2.0/24, which leads out of this machine" network create --subnet 10.0.2.0/25 x
    refused 125 "--subnet nets is no network; write one as 10.89.0.0/24" network create --subnet nets x
    refused 125 "--subnet 10.93.0.0/30: its size has to be from /8 to /29" network create --subnet 10.93.0.0/30 x
    refused 125 "network x: only one subnet of IPv4 can be had" network create --subnet 10.93.0.0/24 --subnet 10.94.0.0/24 x
    refused 125 "--gateway 10.95.0.1 is in no --subnet of this network" network create --subnet 10.93.0.0/24 --gateway 10.95.0.1 x
    refused 125 "--gateway 10.93.0.2: its subnet 10.93.0.0/24 has one already" \
        network create --subnet 10.93.0.0/24 --gateway 10.93.0.1 --gateway 10.93.0.2 x
    refused 125 "--ip-range 10.93.0.0/16 is not a part of the subnet 10.93.0.0/24" network create --subnet 10.93.0.0/24 --ip-range 10.93.0.0/16 x
    refused 125 "--opt mtu=5: say a number from 1280 to 65520" network create -o mtu=5 x
    refused 125 "--opt isolate=x: say true or false" network create -o isolate=x x
    refused 125 "--opt vlan=4 is not known; known: mtu=, isolate=, com.docker.network.bridge.name=" network create -o vlan=4 x
    refused 125 "--driver macvlan is not known; the only driver is bridge" network create -d macvlan x
    refused 125 "--ipam-driver dhcp is not known; the only one is host-local" network create --ipam-driver dhcp x
    refused 125 "--dns x is not an address; a name server is given by its address" network create --dns x x
    refused 125 "--dns and --disable-dns contradict each other" network create --dns 192.0.2.1 --disable-dns x
    refused 125 "--label =v has no key; write KEY=VALUE" network create --label =v x
    refused 125 "--route 1,2,x: write NETWORK,GATEWAY[,METRIC], as 10.50.0.0/16,10.89.0.9" network create --route 1,2,x x
    refused 125 "--route 1,2: write NETWORK,GATEWAY[,METRIC], as 10.50.0.0/16,10.89.0.9" network create --route 1,2 x
    refused 125 '"host" is a kind of network and cannot be the name of one' network create host
    refused 125 "a/b cannot be the name of an interface: 1 to 15 characters, no blank, slash or colon" network create --interface-name a/b x
    run_whelk network create a/b
    assert_status 125
    assert_one_error
    answers "bridge
shop" network ls -q
}

@test "ls: table, format, filters" {
    whelk network create --label a=b --internal shop
    whelk network create two
    run_whelk network ls
    assert_line --regexp '^NETWORK ID +NAME +DRIVER +SCOPE$'
    assert_line --regexp '^[0-9a-f]{12} +shop +bridge +local$'
    run_whelk network ls -n --no-trunc
    refute_output "NETWORK ID"
    assert_line --regexp '^[0-9a-f]{64} +shop '
    answers "shop true a=b" network ls --filter name=shop --format '{{.Name}} {{.Internal}} {{.Labels}}'
    answers shop network list -q -f label=a=b
    answers "bridge
two" network ls -q -f label!=a
    answers bridge network ls -q -f type=builtin
    answers "shop
two" network ls -q -f type=custom -f driver=bridge -f scope=local
    answers two network ls -q -f "id=$(whelk network inspect -f '{{.Id}}' two)"
    idle a --network two
    answers shop network ls -q -f dangling=true
    answers "" network ls -q -f until=2000-01-01
    refused 125 '--filter type=x is not known; known: builtin, custom' network ls -f type=x
    run_whelk network ls -f pot=1
    assert_status 125
    assert_one_error
}

@test "inspect: several, missing ones, by id; and whelk inspect" {
    whelk network create shop
    local id
    id=$(whelk network inspect -f '{{.Id}}' shop)
    answers "shop" network inspect -f '{{.Name}}' "${id:0:10}"
    answers "bridge" network inspect -f '{{.Name}}' podman
    run_whelk network inspect shop missing
    assert_status 125
    assert_stderr "Error: no such network: missing"
    assert_equal "$(jq length <<<"$output")" 1
    answers "shop" inspect --type network -f '{{.Name}}' shop
    idle a --network shop
    answers a network inspect -f '{{range .Containers}}{{.Name}}{{end}}' shop
}

@test "exists" {
    whelk network create shop
    answers "" network exists shop
    answers "" network exists bridge
    run_whelk network exists nosuch
    assert_status 1
    assert_output ""
    assert_stderr ""
}

@test "rm, and its exit statuses" {
    whelk network create shop
    whelk network create two
    idle a --network shop
    refused 2 "network shop is in use by a: remove the container first" network rm shop
    refused 1 "no such network: nosuch" network rm nosuch
    answers "" network rm -f nosuch
    run_whelk network rm two nosuch shop
    assert_status 2
    assert_output two
    answers shop network rm -f -t 0 shop
    run_whelk ps -aq
    assert_output ""
    refused 125 "the network bridge is built in and cannot be removed" network rm bridge
    refused 125 "--time -2: give seconds, or -1 to wait for ever" network rm -f -t -2 shop
}

@test "prune takes what no container has" {
    whelk network create --label keep= shop
    whelk network create two
    whelk network create three
    idle a --network three
    refused 125 "This will remove all networks that no container has. Nobody can be asked here; use --force" network prune
    answers "" network prune -f --filter until=2000-01-01
    answers two network prune -f --filter label!=keep
    whelk network create four
    run_whelk system prune -f
    assert_line "Deleted Networks:"
    assert_line shop
    assert_line four
    answers "bridge
three" network ls -q
}

@test "events" {
    whelk network create shop
    whelk network create back
    idle a --network shop
    whelk network connect back a
    whelk network disconnect back a
    whelk network rm back
    run_whelk events --since 1h --until 0s -f type=network -f network=back --format '{{.Action}} {{.Name}}'
    assert_output "create back
connect back
disconnect back
remove back"
}

@test "connect and disconnect, running" {
    whelk network create --subnet 10.90.0.0/24 shop
    whelk network create --subnet 10.91.0.0/24 --ipv6 --subnet 2001:db8:9::/64 back
    idle a --network shop
    answers "" network connect --ip 10.91.0.77 --ip6 2001:db8:9::77 --mac-address 02:00:5e:00:53:01 --alias db back a
    run_whelk exec a sh -c 'ip -o addr show eth1; ip route'
    assert_output --partial "10.91.0.77/24"
    assert_output --partial "2001:db8:9::77/64"
    assert_output --partial "default via 10.90.0.1 dev eth0"
    answers '10.91.0.77 02:00:5e:00:53:01 ["db"]' inspect \
        -f '{{with index .NetworkSettings.Networks "back"}}{{.IPAddress}} {{.MacAddress}} {{json .Aliases}}{{end}}' a
    answers a ps --filter network=back --format '{{.Names}}'
    answers "shop,back" ps --format '{{.Networks}}'
    refused 125 "container a is on the network back already" network connect back a
    idle b --network back
    refused 125 "network shop: the address 10.90.0.2 is in use by container a" network connect --ip 10.90.0.2 shop b
    answers "" network disconnect shop a
    run_whelk exec a sh -c 'ip -o -4 addr; ip route'
    refute_output "10.90.0"
    assert_output --partial "default via 10.91.0.1 dev eth1"
    refused 125 "container a is not on the network shop" network disconnect shop a
    answers "" network disconnect -f shop a
    refused 125 "container a would have no network any more: connect it to another one first" network disconnect back a
    whelk restart -t 0 a
    run_whelk exec a ip -o -4 addr show eth0
    assert_output --partial "10.91.0.77/24"
}

@test "connect and disconnect, not running; and who cannot" {
    whelk network create shop
    whelk network create back
    whelk create --name a --network shop base sleep 1000 >/dev/null
    answers "" network connect back a
    answers '{"back":"","shop":""}' inspect -f '{{with .NetworkSettings.Networks}}{"back":"{{.back.IPAddress}}","shop":"{{.shop.IPAddress}}"}{{end}}' a
    whelk start a >/dev/null
    answers 2 exec a sh -c 'ip -o link | grep -c eth'
    idle n --network none
    refused 125 "container n has the network none: only one that was made with a named network can be connected to others" \
        network connect back n
    refused 125 "no such network: nosuch" network connect nosuch a
    refused 125 "no such container: nosuch" network connect back nosuch
    idle b --network shop
    refused 125 "--ip x is not an IPv4 address" network connect --ip x back b
}

@test "reload prints ids, and the filter is there again" {
    whelk network create shop
    idle a --network shop
    run_whelk network reload a
    assert_success
    assert_id "$output"
    if [ "$WHELK_LANE" = root ]; then
        nft flush ruleset
        whelk network reload --all
        nft list ruleset | grep -q masquerade
    fi
    run_whelk network reload --latest
    assert_id "$output"
    refused 125 "name at least one container, or give --all" network reload
}

@test "mistakes of --network NAME" {
    whelk network create --subnet 10.90.0.0/24 shop
    refused 125 "--network shop:x=1: option x=1 is not known; known: alias=, ip=, ip6=, mac=, interface_name=" run --network shop:x=1 base true
    refused 125 "--network shop is given twice" run --network shop --network shop base true
    refused 125 "--network none goes with no other network" run --network shop --network none base true
    refused 125 "network shop: the address 10.90.0.1 is its gateway's" run --rm --network shop --ip 10.90.0.1 base true
    refused 125 "network shop: the address 10.99.0.1 is not in its subnet" run --rm --network shop:ip=10.99.0.1 base true
    refused 125 "network shop: the address 10.90.0.255 is not in its subnet" run --rm --network shop --ip 10.90.0.255 base true
    refused 125 "network shop: it has no IPv6: 2001:db8::7 cannot be had" run --rm --network shop --ip6 2001:db8::7 base true
    refused 125 "--ip6 x is not an IPv6 address" run --network shop --ip6 x base true
    refused 125 "interface_name=a/b: 1 to 15 characters, no blank, slash or colon" run --network shop:interface_name=a/b base true
}
