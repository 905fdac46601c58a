# lanes: root
# alone: it changes the clock of the machine
# The clock of the machine jumps, by a day in both directions: what waits for a time waits as long as it should, and what
# tells times tells nothing impossible.

load ../lib/common

setup_file() {
    base_image
    read -r uptime _ </proc/uptime
    export CLOCK_OFFSET=$(($(date +%s) - ${uptime%.*}))
}

teardown() {
    jump 0
    whelk rm -af -t 0 >/dev/null
    no_containers_left
}

now() { # seconds that no clock can change
    read -r uptime _ </proc/uptime
    echo "${uptime%.*}"
}
jump() { # SECONDS from the right time
    date -s "@$((CLOCK_OFFSET + $(now) + $1))" >/dev/null
}
day=86400

# took SECONDS-LEAST START: it was at least so long, and not for ever.
took() {
    local seconds=$(($(now) - $2))
    [ "$seconds" -ge "$1" ] && [ "$seconds" -lt 120 ] || _fail "it took $seconds s"
}

@test "stop waits as long as it should" {
    local way begin
    for way in $day -$day; do
        whelk run -d --name c base sh -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done' >/dev/null
        wait_for 20 eval '[ "$(whelk logs c)" = ready ]'
        begin=$(now)
        in_background "$WHELK" stop -t 4 c
        sleep 1
        jump "$way"
        wait_all
        took 3 "$begin"
        assert_equal "$(whelk inspect --format '{{.State.ExitCode}}' c)" 137
        whelk rm c >/dev/null
        jump 0
    done
}

@test "--timeout ends a container after its time" {
    local way begin
    for way in $day -$day; do
        begin=$(now)
        whelk run -d --name c --timeout 4 base sleep 600 >/dev/null
        jump "$way"
        whelk wait c >/dev/null
        took 3 "$begin"
        whelk rm c >/dev/null
        jump 0
    done
}

@test "health checks and restarts go on" {
    local way before
    whelk run -d --name c --health-cmd 'echo x >>/checks' --health-interval 300ms base sleep 600 >/dev/null
    whelk run -d --name again --restart always base sh -c 'echo started; sleep 0.5' >/dev/null
    for way in $day -$day; do
        jump "$way"
        before=$(whelk exec c sh -c 'wc -l </checks')
        wait_for 20 eval '[ "$(whelk exec c sh -c "wc -l </checks")" -gt '"$((before + 1))"' ]'
        before=$(whelk logs again | wc -l)
        wait_for 60 eval '[ "$(whelk logs again | wc -l)" -gt '"$((before + 1))"' ]'
    done
    assert_equal "$(whelk inspect --format '{{.State.Health.Status}}' c)" healthy
}

@test "ps and inspect of a container that began in the future" {
    jump $day
    whelk run -d --name c base sleep 600 >/dev/null
    jump 0
    [[ $(whelk ps --format '{{.Status}}') =~ ^Up\ (Less\ than\ a\ second|[0-9]+\ second) ]] || _fail "$(whelk ps)"
    assert_equal "$(whelk inspect --format '{{.State.Status}}' c)" running
    whelk exec c true
    whelk stop -t 0 c >/dev/null
    [[ $(whelk ps -a --format '{{.Status}}') =~ ^Exited\ \(137\)\ [^-]*$ ]] || _fail "$(whelk ps -a)"
}

@test "logs and events of now, before and after a jump" {
    local way
    whelk run -d --name c base sh -c 'i=0; while :; do echo "$((i = i + 1))"; sleep 0.1; done' >/dev/null
    for way in $day -$day; do
        jump "$way"
        sleep 1
        whelk logs --tail 1 c >last
        wait_for 20 eval '[ "$(whelk logs --since 5m c | tail -n 1)" -gt "$(cat last)" ]'
        whelk exec c true
        whelk events --since 5m --until 0s --filter event=exec --format '{{.Name}}' | grep -qx c
    done
}
