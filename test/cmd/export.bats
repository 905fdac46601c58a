#!/usr/bin/env bats
# whelk export (C-027)

load ../lib/common
load ../lib/container
load ../lib/tidy

teardown() {
    whelk rm -af >/dev/null
    whelk volume prune -af >/dev/null
    no_containers_left
}

@test "the archive has the image's files and the container's, and not what is mounted; running and stopped give the same" {
    whelk run -d --name c -v /vol base sh -c 'echo new >/new; ln /new /twin; ln -s new /link; mkfifo /pipe; rm /etc/passwd
        mkdir /a /a-b; echo x >/a/x; chmod 4711 /a/x; echo v >/vol/v; touch /ready; exec sleep 300'
    wait_for 5 whelk exec c test -e /ready
    answers "" export -o running.tar c
    whelk stop -t 0 c
    whelk export c >stopped.tar
    cmp running.tar stopped.tar
    mkdir t
    tar -C t -xpf stopped.tar
    assert_equal "$(cat t/new)" new
    assert_equal "$(stat -c %h t/new)" 2
    [ t/new -ef t/twin ]
    assert_equal "$(readlink t/link)" new
    [ -p t/pipe ]
    [ ! -e t/etc/passwd ]
    assert_equal "$(stat -c %a t/a/x)" 4711
    assert_equal "$(find t/proc t/dev t/vol -mindepth 1 2>/dev/null)" ""
    mkdir b
    tar -C b -xf "$WHELK_TOOLS/base.tar"
    cmp t/bin/busybox b/bin/busybox
}

@test "names are in the order of their full paths" {
    whelk run --name c base sh -c 'mkdir /z; touch /z-a /z/b /z.c'
    whelk export c | tar -t | sed 's,/$,,' >names
    grep -q '^z/b$' names
    LC_ALL=C sort -c names
}

@test "what was exported can be imported and run" {
    whelk run --name c base sh -c 'echo kept >/kept'
    whelk export c | whelk import -c 'CMD ["cat", "/kept"]' - flat >/dev/null
    answers kept run --rm flat
    whelk rmi flat >/dev/null
}

@test "owners are those that the container sees" {
    needs_ids
    whelk run --name c base sh -c 'touch /f; chown 1000:1001 /f'
    assert_equal "$(whelk export c | tar --numeric-owner -tvf - f | cut -d ' ' -f 2)" 1000/1001
}

@test "a created container; a read-only one" {
    whelk create --name c --read-only base true
    assert_equal "$(whelk export c | tar -t | grep -c '^bin/busybox$')" 1
}

@test "refuses a terminal, and what cannot be written or found" {
    whelk create --name c base true
    terminal -- export c
    assert_line --partial "standard output is a terminal; give --output FILE or redirect it"
    refused 125 "cannot export container c: cannot open no/such: No such file or directory" export -o no/such c
    refused 125 "no such container: none" export none
}

@test "a reader that goes away is no trouble" {
    whelk create --name c base true
    whelk export c 2>err | head -c 1000 >/dev/null
    assert_equal "$(cat err)" ""
}

@test "an event tells of it" {
    whelk create --name c base true
    whelk export c >/dev/null
    whelk events --since 1m --until now 2>/dev/null | grep -q export || grep -q '"action": *"export"' "$STORE/events"
}
