#!/usr/bin/env bats
# whelk run --rootfs: a directory instead of an image (R-032)

load ../lib/common
load ../lib/container

setup_file() {
    base_image
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    mkdir tree
    whelk create --name t base true >/dev/null
    whelk export t | tar -xf - -C tree --no-same-owner --exclude='dev/*'
    whelk rm t >/dev/null
    chmod -R u+rwX tree
}

teardown() {
    whelk rm -af >/dev/null
    whelk volume rm -af >/dev/null
    no_containers_left
}

@test "the container writes into the directory" {
    answers hello run --rm --rootfs tree echo hello
    whelk run --rm --rootfs tree sh -c 'echo mine >/root/new; rm /etc/group'
    assert_equal "$(cat tree/root/new)" mine
    not test -e tree/etc/group
    assert_equal "$(stat -c %u tree/root/new)" "$(id -u)"
    # What is in /etc is the container's.
    answers web run --rm --hostname web --rootfs tree cat /etc/hostname
    assert_equal "$(cat tree/etc/hostname)" ""
}

@test ":O leaves it as it is, and keeps the changes until rm" {
    id=$(whelk run -d --name c --rootfs tree:O sh -c 'echo mine >/root/new; rm /etc/group; exec sleep 100')
    wait_for 10 not test -e "$STORE/containers/$id/upper/etc/group" -a ! -c "$STORE/containers/$id/upper/etc/group"
    wait_for 10 whelk exec c test ! -e /etc/group
    assert_equal "$(whelk exec c cat /root/new)" mine
    test -s tree/etc/group
    not test -e tree/root/new
    whelk stop -t 0 c >/dev/null
    answers $'C /etc\nD /etc/group\nC /root\nA /root/new' diff c
    whelk cp c:/root/new got
    assert_equal "$(cat got)" mine
    whelk start c >/dev/null
    assert_equal "$(whelk exec c cat /root/new)" mine
    answers "$(printf '%s' c)" rm -f -t 0 c
    not test -e tree/root/new
}

@test "--read-only" {
    run_whelk run --rm --read-only --rootfs tree touch /root/new
    assert_status 1
    assert_stderr "touch: /root/new: Read-only file system"
    answers ok run --rm --read-only --rootfs tree sh -c 'touch /tmp/new; echo ok'
    not test -e tree/tmp/new
    run_whelk run --rm --read-only --rootfs tree:O touch /root/new
    assert_status 1
}

@test "what is mounted is not in the directory" {
    answers inner run --rm --tmpfs /root --rootfs tree sh -c 'echo inner >/root/x; cat /root/x'
    not test -e tree/root/x
    echo there >tree/home/user/file
    answers there run --rm -v vol:/home/user --rootfs tree cat /home/user/file # copy-up
    mkdir d
    echo bound >d/f
    answers bound run --rm -v ./d:/new/place --rootfs tree cat /new/place/f
    not test -e tree/new/place/f
}

@test "ps, inspect, export, cp, diff and commit" {
    whelk create --name c --rootfs tree true >/dev/null
    assert_equal "$(whelk ps -a --format '{{.Image}}')" "$PWD/tree"
    whelk inspect c | jq -e --arg tree "$PWD/tree" '.[0] | .Image == "" and .ImageName == $tree and .Rootfs == $tree and .Config.Image == $tree'
    echo there >tree/root/file
    whelk export c | tar -tf - | grep -qx root/file
    whelk cp c:/root/file got
    assert_equal "$(cat got)" there
    echo in >in
    whelk cp in c:/root/in
    assert_equal "$(cat tree/root/in)" in
    refused 125 "container c writes to $PWD/tree itself: what it changed there is not known; --rootfs $PWD/tree:O keeps it apart" diff c
    refused 125 "cannot commit container c: its root is $PWD/tree, which is in no image; make one of all: whelk export c | whelk import - NAME" \
        commit c x
    whelk export c | whelk import - localhost/tree >/dev/null
    answers there run --rm localhost/tree cat /root/file
    whelk rmi localhost/tree
    whelk system check
}

@test "user, exec and restart work as with an image" {
    [ "$WHELK_LANE" = plain ] || answers 1000 run --rm --user user --rootfs tree id -u # one id there
    whelk run -d --name c --rootfs tree sleep 100 >/dev/null
    answers 0 exec c id -u
    whelk restart -t 0 c >/dev/null
    answers 0 exec c id -u
}

@test "wrong --rootfs" {
    touch file
    refused 125 "--rootfs nowhere: DIR or DIR:O: No such file or directory" create --rootfs nowhere true
    refused 125 "--rootfs file is no directory; an archive becomes an image by whelk import" create --rootfs file true
    refused 125 "--rootfs: no image says what to run; give a command after $PWD/tree" create --rootfs tree
    refused 125 "--rootfs tree:idmap: the owners of a directory are shown as they are; whelk import makes an image of it, which any --userns can have" \
        create --rootfs tree:idmap true
    refused 125 "--rootfs /:O: whelk's store is in this directory, and so the changes cannot be kept apart from it" create --rootfs /:O true
    [ "$WHELK_LANE" != subuid ] ||
        refused 125 "--rootfs tree: the owners of a directory are shown as they are, for --userns host only" \
            create --userns nomap --rootfs tree true
    whelk create --name c --rootfs tree true >/dev/null
    mv tree gone
    refused 125 "cannot open the container's root $PWD/tree: No such file or directory" start c
}
