#!/usr/bin/env bats
# whelk events

load ../lib/common
load ../lib/container
load ../lib/tidy

past() { # WORDS...: actions and names of events so far
    whelk events --since 1h --stream=false "$@" | sed -E 's/^[^ ]+ ([a-z]+) ([a-z_]+) [0-9a-f]{12} \(name=([a-z0-9]*).*/\1 \2 \3/'
}

@test "what happened, oldest first" {
    whelk run --name e1 --label mine=1 base sh -c 'exit 3' || true
    whelk run --name e2 base true
    run past -f type=container -f container=e1 -f event=start -f event=died
    assert_output $'container start e1\ncontainer died e1'
    run_whelk events --since 1h --stream=false -f container=e1 -f event=die
    assert_success
    assert_equal "${#lines[@]}" 1
    assert_output --regexp '^[0-9T:.-]+Z container died [0-9a-f]{12} \(name=e1, image=localhost/base:latest, exitCode=3'
    run_whelk system events --since 1h --until 30m --stream=false -f container=e1
    assert_output ""
    run_whelk events --since 1h --no-trunc --stream=false -f container=e2 -f event=start
    assert_output --partial "start $(inspect_field e2 .Id) ("
    run past -f container=e2 -f event=died -f image=base
    assert_output "container died e2"
    run past -f container=e2 -f image=nosuch
    assert_output ""
}

@test "what comes, until its end" {
    local pid until
    "$WHELK" events -f event=start -f event=died -f container=live >out 3>&- &
    pid=$!
    whelk create --name live base true >/dev/null
    # The command may have to get ready first.
    wait_for 10 starts_and_shows
    wait_for 10 grep -q 'died.*exitCode=0' out
    kill "$pid"
    wait "$pid" || true
    until=$(($(date +%s) + 1))
    run_whelk events --until "$until" -f container=nothing
    assert_success
    [ "$(date +%s)" -ge "$until" ]
}
starts_and_shows() {
    whelk start -a live
    grep -q ' start ' out
}

@test "a reader that goes away ends it quietly" {
    whelk run --name e3 base true
    run --separate-stderr bash -c '"$1" events --since 1h --stream=false | head -n 1 | wc -l' - "$WHELK"
    assert_output 1
    assert_stderr ""
}

@test "damaged lines are left out" {
    whelk run --name ev4 base true
    printf 'x\n{"time":\n\n{}\n' >>"$STORE/events"
    whelk run --name ev5 base true
    run past -f event=died -f container=ev4 -f container=ev5
    assert_success
    assert_output $'container died ev4\ncontainer died ev5'
}

images() { # the actions on images whose name matches, so far, without those on the name itself
    whelk events --since 1h --stream=false -f type=image --format '{{.Action}} {{.Name}}' | grep "$1" | grep -v '^u*n*tag ' | cut -d ' ' -f 1 | tr '\n' ' '
}

@test "images: import, build, save, load, push, pull and what failed" {
    whelk import "$WHELK_TOOLS/base.tar" ev:one >/dev/null
    printf 'FROM ev:one\nLABEL a=b\n' >Dockerfile
    whelk build -q -t ev:two . >/dev/null
    whelk save -o two.tar ev:two
    whelk push -q ev:two oci:layout:two
    whelk rmi ev:two >/dev/null
    whelk load -q -i two.tar >/dev/null
    assert_equal "$(images ev:one)" "import "
    assert_equal "$(images ev:two)" "build save load "
    assert_equal "$(images oci:layout)" "push "
    whelk pull -q oci:layout:two >/dev/null
    run ! whelk pull -q oci:nowhere:x
    assert_equal "$(images oci:)" "push pull pull-error "
    run_whelk events --since 1h --stream=false -f event=pull-error --format '{{.Error}}'
    assert_output --partial nowhere
    assert_equal "$(whelk events --since 1h --stream=false -f event=loadFromArchive -f image=ev:two --format '{{.Type}} {{.Action}}')" \
        "image load"
    whelk rmi -f ev:one ev:two >/dev/null
    [ -n "$(whelk events --since 1h --stream=false -f event=delete -f type=image)" ]
    assert_equal "$(whelk events --since 1h --stream=false -f network=nosuch)" ""
}

@test "mistakes" {
    refused 125 '--filter pod=x: whelk has no pods, so nothing happens to them' events -f pod=x
    refused 125 '--filter type=pod: whelk has no pods, so nothing happens to them' events -f type=pod
    refused 125 'there is no filter "evnt"; did you mean event? Known: container, event, image, label, network, secret, type, volume' events -f evnt=x
    run_whelk events --since nonsense
    assert_status 125
    assert_one_error
}
