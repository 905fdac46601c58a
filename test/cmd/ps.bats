#!/usr/bin/env bats
# whelk ps (S-021..S-024, C-141)

load ../lib/common
load ../lib/container

setup() {
    base_image
}

teardown() {
    whelk rm -af >/dev/null
    no_containers_left
}

header='CONTAINER ID   IMAGE   COMMAND   CREATED   STATUS   PORTS   NAMES'

# The cells of the row of NAME, one a line, without the empty ones.
cells() { # NAME <table
    awk -F '  +' -v name="$1" '$NF == name { for (i = 1; i <= NF; i++) print $i }'
}

@test "without containers there is the header, and -q prints nothing (CV-24)" {
    for option in '' -a; do
        run_whelk ps $option
        assert_success
        assert_output "$header"
        assert_stderr ""
    done
    run_whelk ps -aq
    assert_success
    assert_output ""
    assert_stderr ""
}

@test "running ones, and with --all the others too (S-021, S-022)" {
    whelk create --name made base true
    whelk run --name done base sh -c 'exit 3' || true
    id=$(whelk run -d --name runs base sleep 300)
    run_whelk ps
    assert_success
    assert_equal "${#lines[@]}" 2
    mapfile -t row < <(cells runs <<<"$output")
    assert_equal "${row[0]}" "${id:0:12}"
    assert_equal "${row[1]}" localhost/base:latest
    assert_equal "${row[2]}" '"sleep 300"'
    [[ ${row[3]} =~ ^(Less than a second|[0-9]+ seconds?)\ ago$ ]]
    [[ ${row[4]} =~ ^Up\ (Less than a second|[0-9]+ seconds?)$ ]]
    assert_equal "${row[5]}" runs
    for option in -a --all --all=true '-a=false --all'; do
        run_whelk ps $option
        assert_success
        assert_equal "${#lines[@]}" 4
    done
    [[ $(cells "done" <<<"$output" | sed -n 5p) =~ ^Exited\ \(3\)\ .*\ ago$ ]]
    assert_equal "$(cells made <<<"$output" | sed -n 5p)" Created
    # newest first
    assert_equal "$(whelk ps -a | awk 'NR > 1 { printf "%s ", $NF }')" "runs done made "
    run_whelk ps --all=false
    assert_equal "${#lines[@]}" 2
}

@test "the other names of the command (S-024)" {
    whelk run -d --name runs base sleep 300
    expected=$(whelk ps -q)
    for command in "container ls" "container list" "container ps"; do
        run_whelk $command -q
        assert_success
        assert_output "$expected"
    done
}

@test "-q prints ids and nothing else, for other commands to take (S-023)" {
    one=$(whelk run -d --name one base sleep 300)
    whelk run --name two base true
    run_whelk ps -q
    assert_output "${one:0:12}"
    run_whelk ps -q --no-trunc
    assert_output "$one"
    run_whelk ps -a -q --no-trunc
    assert_success
    assert_equal "${#lines[@]}" 2
    for id in "${lines[@]}"; do assert_id "$id"; done
    run_whelk stop -t 0 $(whelk ps -a -q)
    assert_success
    run_whelk rm $(whelk ps -a -q)
    assert_success
    assert_equal "$(whelk ps -aq)" ""
}

@test "commands are cut to 20 characters, --no-trunc shows all (S-021)" {
    long='echo one two three four five six'
    id=$(whelk create --name long base sh -c "$long")
    whelk create --name exact base echo 123456789012345
    run_whelk ps -a
    assert_equal "$(cells long <<<"$output" | sed -n 3p)" '"sh -c echo one two …"'
    assert_equal "$(cells exact <<<"$output" | sed -n 3p)" '"echo 123456789012345"'
    run_whelk ps -a --no-trunc
    assert_equal "$(cells long <<<"$output" | sed -n 1p)" "$id"
    assert_equal "$(cells long <<<"$output" | sed -n 3p)" "\"sh -c $long\""
}

@test "control characters of a command do not reach the terminal" {
    whelk create --name odd base echo $'\e[31mred\nline'
    run_whelk ps -a --no-trunc
    assert_success
    assert_equal "${#lines[@]}" 2
    refute_output $'\e'
}

# set_created ID SECONDS-AGO: as if it had been made then.
set_created() {
    local record=$STORE/containers/$1/container.json
    jq --arg t "$(date -u -d "-$2 seconds" +%Y-%m-%dT%H:%M:%S.000000000Z)" '.created = $t' "$record" >"$record.new"
    mv "$record.new" "$record"
}

@test "times are told as docker tells them (CV-25)" {
    id=$(whelk create --name c base true)
    while read -r seconds text; do
        set_created "$id" "$seconds"
        run_whelk ps -a
        created=$(cells c <<<"$output" | sed -n 4p)
        [[ $created =~ ^$text$ ]] || _fail "$seconds seconds are $created"
    done <<'END'
30 3[0-9] seconds ago
70 About a minute ago
300 5 minutes ago
4000 About an hour ago
7300 2 hours ago
100000 28 hours ago
260000 3 days ago
1300000 2 weeks ago
8000000 3 months ago
80000000 2 years ago
END
}

@test "how long ago it ended" {
    id=$(whelk run --name c base sh -c 'exit 1' >/dev/null || whelk ps -aq --no-trunc)
    now=$(date +%s)000000000
    alive=$STORE/containers/$id/alive
    text=$(head -n 1 "$alive" | jq -c --argjson f "$((now - 130000000000))" '.finished = $f')
    printf '%-511s\n' "$text" >"$alive"
    run_whelk ps -a
    assert_equal "$(cells c <<<"$output" | sed -n 5p)" "Exited (1) 2 minutes ago"
}

@test "a container whose supervisor was killed has ended" {
    whelk run -d --name c base sleep 300
    kill -9 "$(supervisor_pid c)"
    wait_for 10 no_orphans
    run_whelk ps -q
    assert_output ""
    run_whelk ps -a
    assert_equal "$(cells c <<<"$output" | sed -n 5p)" "Exited (137) (supervisor lost)"
}

@test "a dead --rm container is not shown, and the next command that changes the store removes it" {
    id=$(whelk run -d --rm base sleep 300)
    kill -9 "$(supervisor_pid "$id")"
    wait_for 10 no_orphans
    [ -d "$STORE/containers/$id" ]
    for option in -q -aq; do
        run_whelk ps $option
        assert_success
        assert_output ""
        assert_stderr ""
    done
    [ -d "$STORE/containers/$id" ] # ps only reads
    whelk rmi -i nosuch
    [ ! -e "$STORE/containers/$id" ]
}

@test "--ns: the namespaces of the commands" {
    whelk run -d --name c base sleep 300 >/dev/null
    whelk create --name d base true >/dev/null
    run_whelk ps -a --ns
    assert_success
    assert_equal "$(tr -s ' ' <<<"${lines[0]}")" "CONTAINER ID NAMES PID CGROUPNS IPC MNT NET PIDNS USERNS UTS"
    assert_equal "$(awk '$2 == "d" { print NF, $3 }' <<<"$output")" "3 0"
    local pid
    pid=$(container_pid c)
    assert_equal "$(awk '$2 == "c" { print NF, $3 }' <<<"$output")" "10 $pid"
    assert_equal "net:[$(whelk ps --ns --format '{{.NET}}')]" "$(readlink "/proc/$pid/ns/net")"
    assert_equal "uts:[$(whelk ps --ns --format '{{.UTS}}')]" "$(whelk exec c readlink /proc/1/ns/uts)"
    assert_equal "$(whelk ps --ns -q --noheading)" "$(whelk ps -q)"
}

@test "--watch prints the list again; --pod, --external and --sync" {
    whelk run -d --name c base sleep 300 >/dev/null
    "$WHELK" ps --watch 1 --format '{{.Names}}' >out 3>&- &
    local pid=$!
    wait_for 10 bash -c '[ "$(grep -c "^c$" out)" -ge 2 ]'
    kill "$pid"
    wait "$pid" || true
    run_whelk ps --pod --external --sync
    assert_success
    assert_equal "$(tr -s ' ' <<<"${lines[0]}")" "CONTAINER ID IMAGE COMMAND CREATED STATUS PORTS NAMES POD ID PODNAME"
    assert_equal "${#lines[@]}" 2
}

@test "what would be started with the machine (should-start-on-boot)" {
    whelk run -d --name always --restart always base sleep 300 >/dev/null
    whelk run -d --name unless --restart unless-stopped base sleep 300 >/dev/null
    whelk run -d --name plain base sleep 300 >/dev/null
    assert_equal "$(whelk ps -f should-start-on-boot=true --sort names --format '{{.Names}}' | xargs)" "always unless"
    assert_equal "$(whelk ps -f should-start-on-boot=false --format '{{.Names}}')" plain
    whelk stop -t 0 always unless >/dev/null
    assert_equal "$(whelk ps -a -f should-start-on-boot=true --format '{{.Names}}')" always
    refused 125 "--filter should-start-on-boot=x is neither true nor false" ps -a -f should-start-on-boot=x
}

@test "usage errors (CV-12, CV-28)" {
    refused 125 "--ns has columns of its own; leave out --size" ps --ns --size
    refused 125 "--watch -1: seconds, at least 1" ps --watch -1
    refused 125 "--filter pod=x: whelk has no pods" ps --filter pod=x
    while IFS='|' read -r words text; do
        run_whelk ps $words
        assert_status 125
        assert_one_error
        assert_stderr "Error: $text"
    done <<'END'
web|"whelk ps" takes no arguments, but got "web"; see whelk ps --help
--al|unknown option "--al" for "whelk ps"; did you mean "--all"?
-z|unknown option "-z" for "whelk ps"; see whelk ps --help
--all=maybe|option "--all" is either true or false, not "maybe"
END
}

@test "a full disk behind standard output is an error, a reader that went away is none (CV-15)" {
    run --separate-stderr bash -c '"$1" ps >/dev/full' - "$WHELK"
    assert_status 125
    assert_stderr "Error: cannot write to standard output: No space left on device"
    run --separate-stderr bash -c '{ sleep 0.1; "$1" ps -a; echo $? >&2; } | true' - "$WHELK"
    assert_stderr 0
}
