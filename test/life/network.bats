#!/usr/bin/env bats
# Containers among other hosts: out, in, and names
# network: lab
# time-limit: 900

load ../lib/common
load ../lib/container
load ../lib/tidy

# Programs of this machine's Debian, in a container.
HOSTED="-v /usr:/usr:ro -v /usr/lib:/lib:ro -v /usr/lib64:/lib64:ro"

setup() {
    [ -n "${WHELK_FAR-}" ] || skip "making other hosts needs root (sh test/run as root)"
    [ -w /dev/net/tun ] || skip "/dev/net/tun may not be opened"
    cd "$BATS_TEST_TMPDIR"
}

# far WORDS...: a command on the other host
far() {
    python3 "$WHELK_TREE/test/lib/far.py" run "$WHELK_FAR" "$@"
}
far_call() { # tcp|udp ADDRESS PORT
    echo hello | far python3 "$WHELK_TREE/test/lib/call.py" "$@"
}
web() { # KIND NAME OPTION...
    local kind=$1 name=$2
    shift 2
    whelk run -d --name "$name" "$@" base netpeer "$kind" 80 >/dev/null
    wait_for 10 printed "$name" ready
}

@test "out, over IPv4 and IPv6" {
    run_whelk run --rm base sh -c 'echo one | nc 198.51.100.7 80; echo two | nc 2001:db8:0:2::7 80'
    assert_success
    assert_output "::ffff:192.0.2.1
one
end
2001:db8:0:1::1
two
end"
}

@test "names are asked of this machine's name server" {
    run_whelk run --rm base sh -c 'nslookup web.example; cat /etc/resolv.conf'
    assert_success
    assert_output --partial "198.51.100.7"
    assert_output --partial "2001:db8:0:2::7"
    assert_line "nameserver 10.0.2.3"
    assert_line "search lab.example"
    # shellcheck disable=SC2086 # options
    answers 198.51.100.7 run --rm $HOSTED base dig +short +tcp web.example
    answers 198.51.100.7 run --rm --dns 198.51.100.53 $HOSTED base dig +short web.example
}

@test "ping" {
    # shellcheck disable=SC2086
    run_whelk run --rm $HOSTED base ping -c 1 -W 5 198.51.100.7
    assert_success
    assert_output --partial "1 received"
}

@test "this machine is reachable by its name, its loopback is not" {
    "$WHELK_TOOLS/static/netpeer" tcp 18180 3>&- >/dev/null &
    local server=$!
    wait_for 10 grep -q ":$(printf %X 18180) " /proc/net/tcp
    run_whelk run --rm base sh -c 'echo a | nc host.containers.internal 18180; echo b | nc 10.0.2.2 18180 || echo refused'
    local all=$output
    run_whelk run --rm --network private:allow_host_loopback=true base sh -c 'echo c | nc 10.0.2.2 18180'
    kill "$server"
    assert_equal "$all" "192.0.2.1
a
end
refused"
    assert_output "127.0.0.1
c
end"
}

@test "RUN steps have the way out too" {
    cat >Dockerfile <<'EOF'
FROM base
RUN echo built | nc web.example 80 >/made
EOF
    whelk build -q -t built . >/dev/null
    run_whelk run --rm --network none built cat /made
    assert_line built
    printf 'FROM base\nRUN echo built | nc 198.51.100.7 80\n' >Dockerfile
    not whelk build -q --network none . 2>/dev/null
}

@test "pasta" {
    skip_unless_lane subuid plain
    run_whelk run --rm --network pasta base sh -c 'echo one | timeout 3 nc 198.51.100.7 80; ip -o -4 addr show near'
    assert_success
    assert_line one
    assert_output --partial "inet 192.0.2.1/24"
}

@test "a server sees its client's own address" {
    web tcp web -p 18180:80
    run far_call tcp 192.0.2.1 18180
    assert_output "192.0.2.2
hello
end"
    web tcp6 six -p 18181:80
    run far_call tcp 2001:db8:0:1::1 18181
    assert_output "2001:db8:0:1::2
hello
end"
    web tcp none --network none -p 18182:80
    run far_call tcp 192.0.2.1 18182
    assert_equal "${lines[0]}" 192.0.2.2
}

@test "or the gateway, where that is asked for or nothing else is possible" {
    web tcp web -p 18180:80,source=gateway
    run far_call tcp 192.0.2.1 18180
    assert_equal "${lines[0]}" 10.0.2.2
    run far_call tcp 2001:db8:0:1::1 18180 # listens on IPv4 only
    assert_equal "${lines[0]}" 10.0.2.2
}

@test "udp comes back from the address that was asked" {
    web udp web -p 18180:80/udp
    run far_call udp 192.0.2.1 18180
    assert_output "10.0.2.2 hello"
    run far_call udp 2001:db8:0:1::1 18180
    assert_output "10.0.2.2 hello"
}

@test "the helper of published ports is started again when it dies" {
    local child supervisor
    web tcp web --network none -p 18180:80
    supervisor=$(supervisor_pid web)
    for child in $(cat "/proc/$supervisor/task/$supervisor/children"); do
        [ "$child" = "$(container_pid web)" ] || kill -9 "$child"
    done
    run far_call tcp 192.0.2.1 18180
    assert_equal "${lines[0]}" 192.0.2.2
}

@test "firewall rules are neither made nor needed" {
    skip_unless_lane root
    web tcp web -p 18180:80
    assert_equal "$(nft list ruleset)" ""
    nft add table inet x
    nft flush ruleset
    run far_call tcp 192.0.2.1 18180
    assert_equal "${lines[0]}" 192.0.2.2
}

@test "10,000 short connections, and none is lost" {
    local n
    n=$(rounds 10000)
    n=$((n / 4 * 4))
    web tcp web -p 18180:80
    assert_equal "$(far python3 "$WHELK_TREE/test/lib/call.py" many 192.0.2.1 18180 "$n")" "$n"
    assert_equal "$(python3 "$WHELK_TREE/test/lib/call.py" many 127.0.0.1 18180 "$n")" "$n"
}

@test "nginx in a container, curl outside: the log has the client, a large file arrives whole" {
    mkdir conf site
    head -c 30000000 /dev/urandom >site/large
    chmod -R a+rX .
    cat >conf/nginx.conf <<'EOF'
user root; # with one id there is nobody else to give files to
daemon off;
master_process off;
pid /tmp/pid;
error_log stderr;
events {}
http {
    access_log /dev/stdout;
    client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c; uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;
    server { listen 80; root /site; }
}
EOF
    # shellcheck disable=SC2086
    whelk run -d --name web -p 18180:80 $HOSTED -v ./conf:/conf:ro -v ./site:/site:ro --tmpfs /var/log/nginx --tmpfs /var/lib/nginx \
        base nginx -c /conf/nginx.conf >/dev/null
    wait_for 10 far curl -sf -o /dev/null http://192.0.2.1:18180/large
    far sh -c "curl -sf http://192.0.2.1:18180/large | sha256sum" >sums
    sha256sum <site/large >expected
    cmp sums expected
    whelk logs web | grep -q '^192\.0\.2\.2 .*GET /large'
}

@test "iperf3 in both directions, beside a connection that takes nothing" {
    # shellcheck disable=SC2086
    whelk run -d --name perf -p 18180:5201 -p 18181:80 $HOSTED base sh -c 'netpeer tcp 80 & iperf3 -s' >/dev/null
    wait_for 10 printed perf ready
    in_background far sh -c "yes | timeout 8 nc 192.0.2.1 18181 | sleep 8" # full in both directions
    wait_for 10 far iperf3 -c 192.0.2.1 -p 18180 -t 1
    far iperf3 -c 192.0.2.1 -p 18180 -t 1 -R
    wait_all || :
}

@test "what stays behind" {
    web tcp web -p 18180:80
    local before
    before=$(ip -o link | wc -l)
    whelk rm -f web >/dev/null
    assert_equal "$(ip -o link | wc -l)" "$before"
    run ip -o link
    refute_output tap
}
