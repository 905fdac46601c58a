#!/usr/bin/env bats
# How containers on named networks find each other, and everything else
# network: lab
# time-limit: 600

load ../lib/common
load ../lib/container

# Programs of this machine's Debian, in a container.
HOSTED="-v /usr:/usr:ro -v /usr/lib:/lib:ro -v /usr/lib64:/lib64:ro"

setup_file() {
    base_image
}

setup() {
    [ -n "${WHELK_FAR-}" ] || skip "making other hosts needs root (sh test/run as root)"
    [ "$WHELK_LANE" = root ] || [ -w /dev/net/tun ] || skip "/dev/net/tun may not be opened"
    cd "$BATS_TEST_TMPDIR"
    whelk network create net >/dev/null
}

teardown() {
    whelk rm -af >/dev/null
    whelk network prune -f >/dev/null
    no_containers_left
}

# A container that sleeps.
sleeper() { # NAME OPTION...
    local name=$1
    shift
    whelk run -d --name "$name" "$@" base sleep 1000 >/dev/null
}
# One that asks.
asker() { # OPTION...
    # shellcheck disable=SC2086 # options
    sleeper asker --network net $HOSTED "$@"
}
dig() {
    whelk exec asker dig +short +tries=1 +time=5 "$@"
}
code() { # of the answer
    whelk exec asker dig +tries=1 +time=5 "$@" | sed -n 's/.*status: \([A-Z]*\).*/\1/p'
}
address() { # CONTAINER [NETWORK]
    inspect_field "$1" ".NetworkSettings.Networks.${2:-net}.IPAddress"
}
# The process that answers a container: a child of its supervisor that has its port 53.
resolver() { # CONTAINER
    local child supervisor
    supervisor=$(supervisor_pid "$1")
    for child in $(cat "/proc/$supervisor/task/$supervisor/children"); do
        ! grep -q '^Seccomp:	2' "/proc/$child/status" || [ "$child" = "$(container_pid "$1")" ] || echo "$child"
    done
}

@test "name, alias and short id; both ways; over TCP too; and the own one" {
    local id
    sleeper web --network net --network-alias www --network-alias site
    asker
    id=$(inspect_field web .Id)
    for name in web WEB www site "${id:0:12}"; do
        assert_equal "$name: $(dig "$name")" "$name: $(address web)"
    done
    assert_equal "$(dig +tcp web)" "$(address web)"
    assert_equal "$(dig -x "$(address web)")" web.
    assert_equal "$(dig web AAAA; code web AAAA)" NOERROR
    assert_equal "$(dig web MX; code web MX)" NOERROR
    assert_equal "$(dig asker)" "$(address asker)"
    run whelk exec asker getent ahostsv4 web
    assert_line --regexp "^$(address web) +STREAM web"
}

@test "IPv6 networks" {
    whelk network create --ipv6 six >/dev/null
    sleeper web --network six
    # shellcheck disable=SC2086
    sleeper asker --network six $HOSTED
    local ip6
    ip6=$(inspect_field web .NetworkSettings.Networks.six.GlobalIPv6Address)
    assert_equal "$(dig web AAAA)" "$ip6"
    assert_equal "$(dig -x "$ip6")" web.
}

@test "from the first moment" {
    sleeper web --network net
    local n
    n=$(rounds 20)
    for _ in $(seq "$n"); do
        run_whelk run --rm --network net base nslookup web.
        assert_success
        assert_line --regexp "Address: +$(address web)"
    done
}

@test "whoever started first or was killed: the others go on, and the dead are not found" {
    sleeper one --network net
    sleeper two --network net
    asker
    kill -9 "$(supervisor_pid one)"
    wait_for 10 state_is one exited
    assert_equal "$(code one)" NXDOMAIN
    assert_equal "$(dig two)" "$(address two)"
    whelk start one >/dev/null
    assert_equal "$(dig one)" "$(address one)"
    whelk rm -f -t 0 two >/dev/null
    assert_equal "$(code two)" NXDOMAIN
    whelk rename one uno
    assert_equal "$(dig uno)" "$(address uno)"
    assert_equal "$(code one)" NXDOMAIN
}

@test "many that start at once all find each other" {
    local i n
    n=$(rounds 50)
    for i in $(seq "$n"); do in_background sleeper "c$i" --network net --network-alias all; done
    wait_all
    asker
    assert_equal "$(dig all | sort -u | wc -l)" "$n"
    assert_equal "$(whelk exec asker sh -c "for i in \$(seq $n); do dig +short c\$i; done" | sort -u | wc -l)" "$n"
}

@test "a shared alias goes round" {
    local i
    for i in 1 2 3; do sleeper "r$i" --network net --network-alias all; done
    asker
    assert_equal "$(dig all | sort)" "$(for i in 1 2 3; do address "r$i"; done | sort)"
    assert_equal "$(for i in 1 2 3; do dig all | head -n 1; done | sort -u | wc -l)" 3
}

@test "everything else is asked of this machine's servers, those that it has now" {
    asker
    assert_equal "$(dig web.example)" 198.51.100.7
    assert_equal "$(dig +tcp web.example AAAA)" 2001:db8:0:2::7
    skip_unless_lane root # /etc/resolv.conf is root's
    cp /etc/resolv.conf before
    echo 'nameserver 198.51.100.99' >/etc/resolv.conf
    sleep 1.1
    assert_equal "$(code web.example)" SERVFAIL
    printf 'nameserver 198.51.100.99\nnameserver 198.51.100.53\nsearch lab.example\n' >/etc/resolv.conf
    sleep 1.1
    assert_equal "$(dig web.example)" 198.51.100.7
    cat before >/etc/resolv.conf
}

@test "--dns, --dns-search, --dns-option, --hostname" {
    sleeper web --network net
    asker --dns 198.51.100.99 --dns-search one.example --dns-option timeout:2 --hostname host1
    assert_equal "$(dig web)" "$(address web)"
    assert_equal "$(code web.example)" SERVFAIL
    run whelk exec asker cat /etc/resolv.conf
    assert_line --regexp '^nameserver [0-9.]+$'
    assert_line "search one.example"
    assert_line "options timeout:2"
    assert_line "options ndots:0"
    assert_equal "$(grep -c nameserver <<<"$output")" 1
    run whelk exec asker cat /etc/hosts
    assert_line "$(address asker)	host1 asker"
}

@test "this machine by its name" {
    asker
    assert_equal "$(dig host.containers.internal)" "$(whelk exec asker sed -n 's/\t.*host.containers.internal.*//p' /etc/hosts)"
}

@test "networks without names, and networks that lead nowhere" {
    whelk network create --disable-dns silent >/dev/null
    whelk network create --internal inside >/dev/null
    answers "nameserver 198.51.100.53
search lab.example" run --rm --network silent base cat /etc/resolv.conf
    sleeper web --network inside
    # shellcheck disable=SC2086
    sleeper asker --network inside $HOSTED
    assert_equal "$(dig web)" "$(address web inside)"
    assert_equal "$(code web.example)" NXDOMAIN
}

@test "only what shares a network is found" {
    whelk network create other >/dev/null
    sleeper far --network other
    sleeper both --network other --network net
    asker
    assert_equal "$(code far)" NXDOMAIN
    assert_equal "$(dig both)" "$(address both)"
    # The resolver of another container does not answer.
    local server
    server=$(whelk exec both sed -n 's/^nameserver //p' /etc/resolv.conf)
    not whelk exec asker dig +short +tries=1 +time=2 "@$server" far >/dev/null
}

@test "a name server in a container has port 53 to itself" {
    skip_unless_lane subuid root # dnsmasq sets its groups, which no process with one id may
    # shellcheck disable=SC2086
    whelk run -d --name ns --network net $HOSTED base dnsmasq --keep-in-foreground --user=root --conf-file=/dev/null --no-resolv \
        --no-hosts --pid-file= --address=/own.example/192.0.2.99 >/dev/null
    asker
    wait_for 10 prints 192.0.2.99 dig "@$(address ns)" own.example
    assert_equal "$(whelk exec ns dig +short asker)" "$(address asker)"
}

@test "a resolver that dies comes again" {
    sleeper web --network net
    asker
    local pid
    pid=$(resolver asker)
    [ "$pid" -gt 0 ]
    kill -9 "$pid"
    assert_equal "$(dig web)" "$(address web)"
    assert_equal "$(resolver asker | wc -l)" 1
}

@test "the resolver has no rights, sees no container's record and nothing of this machine" {
    asker
    local pid
    pid=$(resolver asker)
    run cat "/proc/$pid/status"
    assert_line --regexp '^NoNewPrivs:	1$'
    assert_line --regexp '^Seccomp:	2$'
    if [ "$WHELK_LANE" = root ]; then
        assert_line --regexp '^CapPrm:	0000000000000004$' # to read as nobody
        assert_line --regexp '^Uid:	65534'
    else
        assert_line --regexp '^CapPrm:	0000000000000000$'
    fi
    skip_unless_lane root # nobody else may look
    assert_equal "$(cd "/proc/$pid/root" && ls | sort | tr '\n' ' ')" "$(cd "$STORE/networks" && ls | sort | tr '\n' ' ')"
    not touch "/proc/$pid/root/new" 2>/dev/null
}
