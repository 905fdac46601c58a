#!/usr/bin/env bats
# whelk run -v, --tmpfs, --read-only: paths of the host and scratch files. Named volumes are in volume.bats.

load ../lib/common
load ../lib/container
load ../lib/tidy

setup() {
    cd "$BATS_TEST_TMPDIR"
    mkdir d
    echo hello >d/f
}

# The options of the mount at a place inside, as /proc/mounts has them.
mount_at() { # PLACE RUN-OPTION...
    local place=$1
    shift
    whelk run --rm "$@" base awk -v p="$place" '$2 == p { print $4 }' /proc/mounts
}
# with WORDS - without WORDS: of the comma-separated $output
mount_has() {
    local word
    for word; do
        [[ ,$output, == *",$word,"* ]] || _fail "the mount lacks $word"
    done
}
mount_lacks() {
    local word
    for word; do
        [[ ,$output, != *",$word,"* ]] || _fail "the mount has $word"
    done
}

@test "-v binds a directory, and what is written stays (S-008, R-060)" {
    answers hello run --rm -v "$PWD/d:/data" base cat /data/f
    answers hello run --rm -v ./d:/data base cat /data/f
    answers hello run --rm -v "$PWD/d/..//d:/new/place" base cat /new/place/f
    answers "" run --name c -v "$PWD/d:/data" base sh -c 'echo new >/data/g; rm /data/f'
    whelk rm c >/dev/null
    assert_equal "$(cat d/g)" new
    assert_equal "$(stat -c %U d/g)" "$(id -un)"
    [ ! -e d/f ]
}

@test "-v binds a file, and follows a link of the host" {
    ln -s d link
    answers hello run --rm -v ./d/f:/etc/file base cat /etc/file
    answers hello run --rm -v ./link:/data base cat /data/f
    answers hello run --rm -v ./d/f:/etc/passwd base cat /etc/passwd
}

@test "leading slashes and dots of the place inside (S-009)" {
    answers hello run --rm -v ./d://usr//x/./y base cat /usr/x/y/f
}

@test "a volume replaces what whelk would put there" {
    echo "10.0.0.1 elsewhere" >hosts
    answers "10.0.0.1 elsewhere" run --rm -v ./hosts:/etc/hosts base cat /etc/hosts
    answers "name" run --rm -h name -v ./d:/etc base cat /etc/hostname
}

@test "-v :ro and the other options" {
    run_whelk run --rm -v ./d:/data:ro base sh -c 'cat /data/f; echo x >/data/g'
    assert_status 1
    assert_output hello
    assert_stderr --partial "Read-only file system"
    output=$(mount_at /data -v ./d:/data)
    mount_has rw nosuid nodev
    mount_lacks noexec
    output=$(mount_at /data -v ./d:/data:ro,noexec)
    mount_has ro nosuid nodev noexec
    output=$(mount_at /data -v ./d:/data:suid,exec,rw)
    mount_has rw nodev
    mount_lacks nosuid noexec
    answers hello run --rm -v ./d:/data:z,rprivate,rbind base cat /data/f
    answers hello run --rm -v ./d:/data: base cat /data/f
    printf '#!/bin/sh\n' >d/prog
    chmod 0755 d/prog
    run_whelk run --rm -v ./d:/data:noexec base /data/prog
    assert_status 126
}

@test "nothing that is mounted inside is seen outside" {
    run_whelk run --rm --privileged -v ./d:/data base sh -c 'mkdir /data/m && mount -t tmpfs t /data/m && touch /data/m/x && ls /data/m'
    assert_output x
    assert_equal "$(ls d/m)" ""
}

@test "places below each other, in any order" {
    mkdir e d/sub
    echo inner >e/g
    answers $'hello\ninner' run --rm -v ./e:/data/sub -v ./d:/data base cat /data/f /data/sub/g
    answers $'inner' run --rm --tmpfs /t -v ./e:/t/sub base cat /t/sub/g
}

@test "wrong -v (S-009)" {
    local known="known: ro rw"
    run_whelk run -v /c:/Users/me://usr/x base true
    assert_status 125
    assert_one_error
    assert_stderr --partial 'Error: -v /c:/Users/me://usr/x: read as HOST:CONTAINER:OPTIONS, "//usr/x" is not an option; '"$known"
    run_whelk run -v /c:/Users:/me:/x base true
    assert_status 125
    assert_stderr --partial "Error: -v /c:/Users:/me:/x: read as 4 or more fields between colons; write "
    run_whelk run -v ./d:/x:bogus base true
    assert_stderr --partial "\"bogus\" is not an option; $known"
    run_whelk run -v ./d:/x:ro,rw base true
    assert_status 125
    assert_one_error
    refused 125 '-v ./d:x: the path in the container, "x", is not absolute' run -v ./d:x base true
    refused 125 '-v ./d:: the path in the container, "", is not absolute' run -v ./d: base true
    refused 125 '-v ./d:/: the root of the container cannot be mounted over' run -v ./d:/ base true
    refused 125 '-v ./d:/x/../y: the path in the container may not hold ..' run -v ./d:/x/../y base true
    refused 125 '-v ./d:/proc/x: nothing may be mounted below /proc of a container' run -v ./d:/proc/x base true
    refused 125 '-v ./d:/proc: nothing may be mounted below /proc of a container' run -v ./d:/proc base true
    refused 125 '-v ./d://./proc/x: nothing may be mounted below /proc of a container' run -v ./d://./proc/x base true
    refused 125 'two mounts at /x' run -v ./d:/x -v ./d://x base true
    run_whelk run -v "" base true
    assert_status 125
    assert_one_error
    assert_equal "$(whelk ps -aq)" ""
}

@test "a path that is not there is not made, but said" {
    refused 125 "-v ./no/such:/x: ./no/such does not exist on the host; make it first: mkdir -p ./no/such" \
        run -v ./no/such:/x base true
    [ ! -e no ]
    skip_unless_lane subuid plain # root may enter
    mkdir -m 0 locked
    refused 125 "-v ./locked/x:/x: cannot use ./locked/x: Permission denied" run -v ./locked/x:/x base true
}

@test "a directory that only its owner may enter can be bound" {
    chmod 0700 "$BATS_TEST_TMPDIR" d
    answers hello run --rm -v "$PWD/d:/data" base cat /data/f
}

@test "symbolic links of the container lead nowhere outside" {
    mkdir bait
    # Of two mounts the first brings the link, the second goes through it: in the container, where the bait is not.
    mkdir e
    ln -s "../../../../../../../..$PWD/bait" e/link
    run_whelk run --rm -v ./e:/e -v ./d:/e/link/place base true
    assert_status 125
    assert_equal "$(ls bait)" ""
    ln -sfn /tmp e/link
    answers hello run --rm -v ./e:/e -v ./d:/e/link/place base cat /tmp/place/f
    [ ! -e /tmp/place ]
}

@test "--tmpfs (R-062)" {
    output=$(mount_at /t --tmpfs /t)
    mount_has rw nosuid nodev noexec
    answers "1777 root" run --rm --tmpfs /t base stat -c '%a %U' /t
    output=$(mount_at /t --tmpfs /t:size=1m,mode=700,exec,suid,dev)
    mount_has size=1024k mode=700
    mount_lacks noexec nosuid
    answers "700" run --rm --tmpfs /t:size=1m,mode=700 base stat -c %a /t
    output=$(mount_at /t --tmpfs /t:ro)
    mount_has ro
    run_whelk run --rm --tmpfs /t:size=64k base sh -c 'head -c 100000 /dev/zero >/t/x'
    assert_status 1
    # Every start has a new one.
    whelk run --name c --tmpfs /t base sh -c 'ls /t; touch /t/x'
    answers "" start -a c
}

@test "wrong --tmpfs" {
    run_whelk run --tmpfs /t:bogus base true
    assert_status 125
    assert_one_error
    assert_stderr --partial 'Error: --tmpfs /t:bogus: "bogus" is not an option; known: ro rw '
    run_whelk run --tmpfs /t:size base true
    assert_stderr --partial 'Error: --tmpfs /t:size: "size" is not an option; known: '
    refused 125 '--tmpfs t: the path in the container, "t", is not absolute' run --tmpfs t base true
    refused 125 '--tmpfs /proc/x: nothing may be mounted below /proc of a container' run --tmpfs /proc/x base true
    refused 125 '--tmpfs /t:size=x: "x" is no number that size takes' create --tmpfs /t:size=x base true
    refused 125 '--tmpfs /t:mode=9: "9" is no number that mode takes' create --tmpfs /t:mode=9 base true
    refused 125 '--tmpfs /t:uid=: "" is no number that uid takes' create --tmpfs /t:uid= base true
    answers "" run --rm --tmpfs /t:size=10%,nr_inodes=1k base true
}

@test "--read-only, with places for scratch files (R-063)" {
    run_whelk run --rm --read-only base sh -c 'touch /x || mkdir /etc/y || echo still'
    assert_output still
    assert_stderr --partial "Read-only file system"
    answers ok run --rm --read-only base sh -c 'touch /run/a /tmp/a /var/tmp/a /dev/shm/a && echo ok'
    answers 1777 run --rm --read-only base stat -c %a /tmp
    answers hello run --rm --read-only -v ./d:/tmp base cat /tmp/f
    output=$(mount_at /tmp --read-only --tmpfs /tmp:size=1m)
    mount_has size=1024k
    # The places are made although the root is read-only.
    answers /new run --rm --read-only -w /new base pwd
    answers hello run --rm --read-only -v ./d:/also/new base cat /also/new/f
    # Its processes cannot make it writable again.
    run_whelk run --rm --read-only base sh -c 'mount -o remount,rw / || touch /x'
    assert_status 1
}

@test "--mount type=glob (R-061)" {
    mkdir d/sub
    echo one >d/a.conf
    echo two >d/b.conf
    answers $'a.conf\nb.conf' run --rm --mount "type=glob,source=$PWD/d/*.conf,target=/etc/many" base ls /etc/many
    answers $'one\ntwo' run --rm --mount "type=glob,src=$PWD/d/*.conf" base cat "$PWD/d/a.conf" "$PWD/d/b.conf"
    run_whelk run --rm --mount "type=glob,src=./d/*.conf,dst=/many,ro" base touch /many/a.conf
    assert_status 1
    refused 125 "--mount type=glob,src=./d/*.txt,dst=/x: no path of the host is like ./d/*.txt" \
        create --mount 'type=glob,src=./d/*.txt,dst=/x' base true
    refused 125 "--mount type=glob,dst=/x: a glob mount needs a source" create --mount type=glob,dst=/x base true
}

@test "--mount type=devpts and type=ramfs" {
    answers devpts run --rm --mount type=devpts,target=/terminals,mode=0600,max=4 base awk '$2 == "/terminals" { print $3 }' /proc/mounts
    answers yes run --rm --mount type=devpts,target=/terminals base sh -c 'test -c /terminals/ptmx && echo yes'
    answers "ramfs 700" run --rm --mount type=ramfs,target=/memory,mode=700 base \
        sh -c 'echo $(awk "\$2 == \"/memory\" { print \$3 }" /proc/mounts) $(stat -c %a /memory); touch /memory/x'
    refused 125 "--mount type=devpts,src=/x,dst=/y: \"src\" is not known for type=devpts; known: type target mode uid gid max consistency" \
        create --mount type=devpts,src=/x,dst=/y base true
    refused 125 '--mount type=devpts,dst=/y,mode=9: a mode is an octal number' create --mount type=devpts,dst=/y,mode=9 base true
    refused 125 '--mount type=devpts,dst=/y,uid=me: "me" is no number that uid takes' create --mount type=devpts,dst=/y,uid=me base true
}

@test "idmap: whom the kernel shows other owners" {
    if [ "$WHELK_LANE" = root ]; then
        chown 0:0 d/f
        answers 0 run --rm -v ./d:/data:idmap base stat -c %u /data/f
        local map="--uidmap 0:@300000:65536 --gidmap 0:@300000:65536"
        answers 0 run --rm $map -v ./d:/data:idmap base stat -c %u /data/f
        answers 65534 run --rm $map -v ./d:/data base stat -c %u /data/f
        answers 0 run --rm $map --mount type=bind,src=./d,dst=/data,idmap base stat -c %u /data/f
    else
        refused 125 "-v ./d:/data:idmap: only root may have files shown with other owners; --userns keep-id makes yours those of a user in the container, and option U gives them to its user" \
            create -v ./d:/data:idmap base true
    fi
    refused 125 "--mount type=bind,src=./d,dst=/data,idmap=uids=0-1-10: whelk maps a mount as --userns maps the container, and has no map of its own for it: write idmap alone" \
        create --mount type=bind,src=./d,dst=/data,idmap=uids=0-1-10 base true
}

@test "--shm-size-systemd (R-069)" {
    local place
    for place in /run /run/lock /tmp /var/log/journal; do
        mount_at $place --systemd=always --shm-size-systemd 1m | grep -q 'size=1024k'
        [[ "$(mount_at $place --systemd=always)" != *size=1024k* ]]
    done
    refused 125 '--shm-size-systemd: "much" is not a size; write bytes or a number with b, k, m or g, like 64m' \
        create --systemd=always --shm-size-systemd much base true
}
