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

@test "what is not there" {
    refused 125 "no such container: none" diff none
}
