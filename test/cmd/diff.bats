#!/usr/bin/env bats
# whelk diff (C-026)

load ../lib/common
load ../lib/container

setup_file() {
    base_image
}

teardown() {
    whelk rm -af >/dev/null
    whelk volume prune -af >/dev/null
    no_containers_left
}

@test "added, changed and deleted, in the order of paths" {
    whelk run --name c base sh -c 'echo a >/added; echo b >>/etc/group; rm /etc/passwd; mkdir -p /d/e; touch /d/e/f'
    answers "A /added
A /d
A /d/e
A /d/e/f
C /etc
C /etc/group
D /etc/passwd" diff c
}

@test "a running container" {
    whelk run -d --name c base sh -c 'echo a >/added; touch /ready; exec sleep 300'
    wait_for 5 whelk exec c test -e /ready
    answers "A /added
A /ready" container diff c
}

@test "nothing has changed: nothing is printed, whatever whelk itself had to make" {
    whelk create --name a base true
    answers "" diff a
    whelk run --name b -v /vol/deep --tmpfs /srv/t base true
    answers "" diff b
    whelk run --name c -v /vol/deep base sh -c 'touch /vol/mine /vol/deep/not-mine'
    answers "A /vol
A /vol/mine" diff c
}

@test "a directory that was made anew says what is gone from it" {
    printf 'FROM base\nRUN mkdir /d && touch /d/old /d/kept\n' | build_image two >/dev/null
    whelk run --name c two sh -c 'rm -r /d; mkdir /d; touch /d/kept /d/new'
    run_whelk diff c
    assert_success
    assert_output "C /d
C /d/kept
A /d/new
D /d/old"
    whelk rm c >/dev/null
    whelk rmi two >/dev/null
}

@test "only the mode of a file or directory" {
    whelk run --name c base chmod 700 /etc /etc/group
    answers "C /etc
C /etc/group" diff c
}

@test "names that a terminal must not see are shown harmless (H10)" {
    whelk run --name c base sh -c 'touch "/$(printf "a\033[31m\nb")"'
    answers 'A /a\x1b[31m\x0ab' diff c
}

@test "an image: what its topmost layer changes" {
    printf 'FROM base\nRUN touch /below\nRUN rm /etc/passwd /below; touch /new; echo x >>/etc/group\n' | build_image three >/dev/null
    local changes='D /below
C /etc
C /etc/group
D /etc/passwd
A /new'
    answers "$changes" image diff three
    answers "$changes" diff three
    assert_equal "$(whelk image diff --format json three | jq -Sc .)" \
        '{"added":["/new"],"changed":["/etc","/etc/group"],"deleted":["/below","/etc/passwd"]}'
    run_whelk image diff base # one layer: everything
    assert_success
    assert_line "A /bin/busybox"
    assert_line "A /etc"
    run ! grep -qv '^A ' <<<"$output"
    whelk create --name three base true >/dev/null # a container comes first
    answers "" diff three
    answers "$changes" image diff three
    whelk rm three >/dev/null
    whelk rmi three >/dev/null
}

@test "as JSON, and the last container" {
    whelk run --name c base sh -c 'echo a >/added; rm /etc/passwd; touch "/$(printf "a\nb")"'
    local all='{"added":["/a\nb","/added"],"changed":["/etc"],"deleted":["/etc/passwd"]}'
    assert_equal "$(whelk diff --format json c | jq -Sc .)" "$all"
    assert_equal "$(whelk diff --latest --format json | jq -Sc .)" "$all"
    whelk create --name d base true >/dev/null
    answers '{}' container diff -l --format json
}

@test "what is not there, and mistakes" {
    refused 125 "no such container or image: none" diff none
    run_whelk image diff none
    assert_status 125
    assert_stderr --partial "Error: no such image: none ("
    refused 125 "name a container, or give --latest" diff
    refused 125 "--format table is not known; known: json" diff --format table x
    refused 125 '"whelk image diff" needs one IMAGE argument; see whelk image diff --help' image diff
}
