#!/usr/bin/env bats
# whelk run --userns, --uidmap, --gidmap: containers with an id map of their own (R-094 to R-098).

load ../lib/common
load ../lib/container

setup_file() {
    base_image
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    mkdir d
    echo hello >d/f
    unset PODMAN_USERNS
}

teardown() {
    whelk rm -af -t 0 >/dev/null
    no_containers_left
}

# Options for a container with other ids than the default, in each lane.
other_ids() {
    case $WHELK_LANE in
    root) echo "--uidmap 0:100000:65536" ;;
    plain) echo "--userns keep-id:uid=1000,gid=1000" ;;
    *) echo "--userns nomap" ;;
    esac
}
rootless() {
    skip_unless_lane subuid plain
}
map_of() { # RUN-OPTION...: "inside outside count", a line each
    whelk run --rm "$@" base awk '{ print $1, $2, $3 }' /proc/self/uid_map
}

@test "keep-id: the caller is himself inside, and files in binds are his on both sides" {
    rootless
    answers "$(id -u):$(id -g)" run --rm --userns keep-id base sh -c 'echo $(id -u):$(id -g)'
    answers hello run --rm --userns keep-id -v ./d:/d base cat /d/f
    answers "$(id -u):$(id -g)" run --rm --userns keep-id -v ./d:/d base stat -c %u:%g /d/f
    answers "" run --rm --userns keep-id -v ./d:/d base sh -c 'echo new >/d/g; mkdir /d/h'
    assert_equal "$(cat d/g)" new
    assert_equal "$(stat -c %u:%g d/g d/h)" "$(id -u):$(id -g)"$'\n'"$(id -u):$(id -g)"
    # The user has no rights that he has not outside: no capability.
    answers 0000000000000000 run --rm --userns keep-id base sed -n 's/^CapEff:.//p' /proc/self/status
}

@test "keep-id: the image's files keep their owners, and root is another than the caller" {
    needs_ids
    rootless
    answers "0 1000 1777" run --rm --userns keep-id base sh -c 'echo $(stat -c %u /bin/busybox /home/user) $(stat -c %a /tmp)'
    answers 0:0 run --rm --userns keep-id -u 0 -v ./d:/d base sh -c 'touch /d/r && stat -c %u:%g /d/r'
    not test "$(stat -c %u d/r)" = "$(id -u)"
    run_whelk run --rm --userns keep-id base sh -c 'echo x >>/etc/passwd'
    assert_status 1
    answers ok run --rm --userns keep-id -u 0 base sh -c 'chown 5:5 /etc/passwd && echo ok'
}

@test "keep-id:uid=,gid=,size=" {
    rootless
    answers "uid=1000(user) gid=1000(user)" run --rm --userns keep-id:uid=1000,gid=1000 base sh -c 'id | cut -d" " -f 1-2'
    answers 1000 run --rm --userns keep-id:uid=1000,gid=1000 -v ./d:/d base stat -c %u /d/f
    if has_ids; then
        assert_equal "$(map_of --userns keep-id:uid=5000,size=2000)" $'0 1 2000\n5000 0 1'
    fi
    refused 125 '--userns keep-id:uid=x: "x" is not a number' create --userns keep-id:uid=x base true
    refused 125 '--userns keep-id:foo=1: "foo=1" is not known; known: uid=, gid=, size=' create --userns keep-id:foo=1 base true
}

@test "nomap: the caller is nobody inside" {
    rootless
    if ! has_ids; then
        run_whelk run --userns nomap base true
        assert_status 125
        assert_one_error
        assert_stderr --partial "Error: --userns nomap needs subordinate ids"
        return
    fi
    answers "0 65534" run --rm --userns nomap -v ./d:/d base sh -c 'echo $(id -u) $(stat -c %u /d/f)'
    assert_equal "$(map_of --userns nomap)" "0 1 65536"
    answers "0 1000" run --rm --userns nomap base sh -c 'touch /new; echo $(stat -c %u /new /home/user)'
    refused 125 "--userns nomap:x: nomap takes no options" create --userns nomap:x base true
}

@test "auto: each container has ids of its own" {
    if [ "$WHELK_LANE" = root ]; then
        grep -q ^containers: /etc/subuid || skip "no ids for containers in /etc/subuid"
    elif ! has_ids; then
        run_whelk run --userns auto base true
        assert_status 125
        assert_one_error
        assert_stderr --partial "needs subordinate ids"
        return
    fi
    whelk create --userns auto:size=2000 --name one base cat /proc/self/uid_map >/dev/null
    whelk create --userns auto:size=2000 --name two base cat /proc/self/uid_map >/dev/null
    whelk create --userns auto --name three base cat /proc/self/uid_map >/dev/null
    local one two three inside count
    read -r inside one count <<<"$(whelk start -a one)"
    assert_equal "$inside $count" "0 2000"
    read -r inside two count <<<"$(whelk start -a two)"
    assert_equal "$two" $((one + 2000))
    read -r inside three count <<<"$(whelk start -a three)"
    assert_equal "$three" $((one + 4000))
    # What goes gives its ids back.
    whelk rm one >/dev/null
    assert_equal "$(map_of --userns auto:size=2000)" "0 $one 2000"
    refused 125 '--userns auto:foo=1: "foo=1" is not known; known: size=' create --userns auto:foo=1 base true
    refused 125 "--userns auto:size=0: the size must be more than 0" create --userns auto:size=0 base true
    run_whelk create --userns auto:size=4000000000 base true
    assert_status 125
    assert_stderr --partial "ids are free; others have them or there are not so many"
}

@test "auto at the same time: no id twice" {
    skip_unless_lane subuid
    local i
    for i in 1 2 3 4; do
        whelk create --userns auto:size=1500 --name "c$i" base cat /proc/self/uid_map >/dev/null 3>&- &
    done
    wait
    for i in 1 2 3 4; do
        whelk start -a "c$i"
    done | awk '{ print $2 }' | sort -u >starts
    assert_equal "$(wc -l <starts)" 4
}

@test "an image with ids that the container does not have" {
    skip_unless_lane subuid
    run_whelk create --userns auto:size=500 base true
    assert_status 125
    assert_one_error
    assert_stderr --partial "belongs to 1000:1000, which the user namespace has no id for; give it more ids"
}

@test "--uidmap and --gidmap" {
    needs_ids
    assert_equal "$(map_of --uidmap 0:1:1000 --uidmap 1000:0:1)" $'0 1 1000\n1000 0 1'
    answers "0 7 2000" run --rm --uidmap 0:1:2000 --gidmap 0:7:2000 -u 0 base awk '{ print $1, $2, $3 }' /proc/self/gid_map
    refused 125 "--uidmap, --gidmap: 0:x: write CONTAINER:FROM[:COUNT], as 0:1:1000" create --uidmap 0:x base true
    refused 125 "--userns, --uidmap with --gidmap, and --subuidname exclude each other" \
        create --userns nomap --uidmap 0:1:5 base true
    refused 125 "--uidmap, --gidmap: the id map has an id twice: 0:1:5 and 4:10:1" \
        create --uidmap 0:1:5 --uidmap 4:10:1 base true
    skip_unless_lane subuid
    assert_equal "$(map_of --uidmap 0:1:2000 --uidmap "+u1000:@$(id -u):1")" $'0 1 1000\n1001 1002 999\n1000 0 1'
    refused 125 "--uidmap, --gidmap: 0:@1: the id behind @ is not the user's to give" create --uidmap 0:@1 base true
    run_whelk create --uidmap 0:1:1000000 base true
    assert_status 125
    assert_stderr --partial "1000000 ids from 1 on are more than there are"
}

@test "--subuidname is root's" {
    if [ "$WHELK_LANE" = root ]; then
        grep -q ^whelk-subuid: /etc/subuid || skip "no user with subordinate ids here"
        answers 0 run --rm --subuidname whelk-subuid base id -u
        refused 125 "no-such has no ids in /etc/subuid; as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 no-such" \
            create --subuidname no-such base true
        refused 125 "--userns keep-id: root is root in a container anyway; --userns auto or --uidmap gives it others" \
            create --userns keep-id base true
        refused 125 "--userns nomap is for users; root has auto" create --userns nomap base true
    else
        refused 125 "--subuidname and --subgidname are root's: a user may give away only ids of his own" \
            create --subuidname root base true
    fi
}

@test "PODMAN_USERNS, host, and modes that there are not" {
    answers "$(whelk run --rm base cat /proc/self/uid_map)" run --rm --userns host base cat /proc/self/uid_map
    refused 125 "--userns bogus is not known; known: host, keep-id[:uid=N,gid=N,size=N], nomap, auto[:size=N], container:NAME" \
        create --userns bogus base true
    refused 125 "no such container: nobody" create --userns container:nobody base true
    rootless
    assert_equal "$(PODMAN_USERNS=keep-id whelk run --rm base id -u)" "$(id -u)"
    assert_equal "$(PODMAN_USERNS=keep-id whelk run --rm --userns host base id -u)" 0
}

@test "streams, terminal, init, restart and exec with other ids" {
    local ids options
    ids=$(other_ids)
    # shellcheck disable=SC2086 # a list of options
    for options in "" -i -t --init; do
        run_whelk run --rm $ids $options base sh -c 'echo out >/dev/stdout; cat /dev/null'
        assert_success
        assert_output --partial out
    done
    # shellcheck disable=SC2086
    whelk run -d --name c --restart on-failure:2 $ids base sh -c 'echo run; sleep 0.1; exit 3' >/dev/null
    assert_equal "$(whelk wait c)" 3
    wait_for 10 state_is c exited
    assert_equal "$(whelk logs c)" $'run\nrun\nrun'
    # shellcheck disable=SC2086
    whelk run -d --name d $ids base sleep 100 >/dev/null
    answers in exec d sh -c 'echo in >/dev/stdout'
    assert_equal "$(whelk exec d readlink /proc/self/ns/user)" "$(whelk exec d readlink /proc/1/ns/user)"
    run_whelk exec -t d tty
    assert_output --partial /dev/pts/
}

@test "the posture holds with other ids: masks, read-only paths, capabilities, descriptors" {
    local ids
    ids=$(other_ids)
    # shellcheck disable=SC2086 # a list of options
    answers "" run --rm $ids base sh -c '
        for f in kcore keys timer_list interrupts kallsyms; do
            [ ! -e /proc/$f ] || [ -z "$(head -c 1 /proc/$f 2>/dev/null)" ] || echo shows /proc/$f
        done
        for f in sys/vm/swappiness sysrq-trigger; do
            ! ( : >>/proc/$f ) 2>/dev/null || echo writes /proc/$f
        done
        [ "$(ls /proc/self/fd | wc -l)" = 4 ] || echo descriptors
        ! umount /proc/kcore 2>/dev/null || echo unmounts
        [ "$(ls /proc | grep -c "^[0-9]")" -le 4 ] || echo processes'
    # shellcheck disable=SC2086
    answers 2 run --rm $ids base sed -n 's/^Seccomp:.//p' /proc/self/status
    # shellcheck disable=SC2086
    whelk run -d --name c $ids --cap-add SYS_ADMIN --cap-add SYS_PTRACE --security-opt seccomp=unconfined base sleep 100 >/dev/null
    run_whelk exec c umount /proc/kcore
    [ "$status" != 0 ]
}

@test "volumes, tmpfs, binds and images are mounted with the container's owners" {
    local ids
    ids=$(other_ids)
    # shellcheck disable=SC2086 # a list of options
    run_whelk run --rm $ids -v vol:/home --tmpfs /t:mode=700 --mount type=image,src=base,dst=/im base \
        stat -c '%n %u %a' /home/user /im/home/user /t
    assert_success
    if has_ids; then
        assert_output $'/home/user 1000 755\n/im/home/user 1000 755\n/t 0 700'
    fi
    # shellcheck disable=SC2086
    answers "" run --rm $ids -v vol:/home base touch /home/user/x
    whelk volume rm vol >/dev/null
    has_ids || return 0
    # shellcheck disable=SC2086
    answers "5 6" run --rm $ids --tmpfs /t:uid=5,gid=6 base stat -c '%u %g' /t
    # shellcheck disable=SC2086
    answers "1000 1000" run --rm $ids -u user -v own:/v:U base stat -c '%u %g' /v
    whelk volume rm own >/dev/null
}

@test "cp, diff, export and commit speak the container's ids" {
    local ids
    ids=$(other_ids)
    # shellcheck disable=SC2086 # a list of options
    whelk run -d --name c $ids base sh -c 'mkdir /made; touch /made/f; chown 33:33 /made/f 2>/dev/null; sleep 100' >/dev/null
    wait_for 5 whelk exec c test -e /made/f
    whelk cp d/f c:/made/g
    assert_equal "$(whelk exec c cat /made/g)" hello
    whelk stop -t 0 c >/dev/null
    whelk cp d/f c:/made/h
    answers $'A /made\nA /made/f\nA /made/g\nA /made/h' diff c
    whelk commit c made >/dev/null
    answers hello run --rm -u 0 made cat /made/h
    whelk start c >/dev/null
    assert_equal "$(whelk exec c cat /made/h)" hello
    has_ids || return 0
    assert_equal "$(whelk exec c stat -c %u:%g /made/f /made/g /made/h)" $'33:33\n0:0\n0:0'
    answers $'33:33\n0:0\n0:0' run --rm made stat -c %u:%g /made/f /made/g /made/h
    whelk export c | tar -tv --numeric-owner -f - | awk '$6 ~ /^made\/f/ { print $2 }' >owner
    assert_equal "$(cat owner)" 33/33
}

@test "another container joins one with other ids" {
    local ids
    ids=$(other_ids)
    # shellcheck disable=SC2086 # a list of options
    whelk run -d --name first --ipc shareable $ids base sleep 100 >/dev/null
    local namespace
    namespace=$(whelk exec first readlink /proc/self/ns/user)
    for option in pid ipc network uts userns; do
        answers "$namespace" run --rm "--$option" container:first base readlink /proc/self/ns/user
    done
    run_whelk run --rm --pid container:first base ps
    assert_success
    refute_output --partial "$WHELK"
    answers ok run --rm --ipc container:first base sh -c 'echo ok >/dev/shm/f; cat /dev/shm/f'
    answers ok exec first cat /dev/shm/f
    refused 125 "a container that uses the namespaces of another one has its user namespace; leave out --userns, --uidmap and --gidmap" \
        create --pid container:first --userns auto base true
}

@test "copies of layers with other owners go with their originals" {
    skip_unless_lane subuid
    local before
    copies() {
        find "$STORE/layers" -maxdepth 1 -name "$1" | wc -l
    }
    tar -cf - d | whelk import - small >/dev/null
    before=$(copies '*+*')
    whelk create --name c --userns nomap small true >/dev/null
    assert_equal "$(copies '*+*')" $((before + 1))
    # The second container uses the same.
    whelk create --name d --userns nomap small true >/dev/null
    assert_equal "$(copies '*+*')" $((before + 1))
    whelk rm c d >/dev/null
    whelk rmi small >/dev/null
    assert_equal "$(copies '*+*')" "$before"
}
