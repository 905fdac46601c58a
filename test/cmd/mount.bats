#!/usr/bin/env bats
# whelk mount, unmount, image mount, unmount, tree, volume mount, unmount (C-028, C-051, C-096)

load ../lib/common
load ../lib/container
load ../lib/tidy

teardown() {
    whelk rm -af >/dev/null
    whelk volume prune -af >/dev/null
    no_containers_left
    ! grep -q "$STORE/.*/merged" /proc/self/mountinfo || _fail "something is still mounted in the store"
}

nothing_in_tmp() {
    [ -z "$(store_entries tmp)" ]
}

assert_success_of() {
    run --separate-stderr "$@"
    assert_success
    assert_stderr ""
}

# session SCRIPT: in whelk unshare (which as root is nothing), with the program as $W.
session() {
    W=$WHELK run --separate-stderr "$WHELK" unshare sh -ec "$1"
}

@test "the files of a stopped container, to be read and written" {
    local id
    id=$(whelk create --name c base cat /made)
    session '
        m=$($W mount c)
        echo "$m"
        $W mount c
        $W container mount
        $W mount --format "{{.ID}} {{.Name}} {{.Mountpoint}}" --no-trunc
        test -x "$m/bin/busybox"
        echo from outside >"$m/made"
        rm "$m/etc/passwd"
        $W umount c
        $W mount
        test ! -e "$m"'
    assert_success
    assert_stderr ""
    local path=$STORE/containers/$id/merged
    assert_output "$path
$path
${id:0:12}   $path
$id c $path
c"
    answers "from outside" start -a c
    run_whelk diff c
    assert_line "A /made"
    assert_line "D /etc/passwd"
}

@test "several, all, the last one, and as JSON" {
    whelk create --name a base true >/dev/null
    whelk create --name b base true >/dev/null
    session '
        $W mount a b | wc -l
        $W mount --format json | jq -r ".[].Name" | sort | xargs
        $W umount --all | wc -l
        $W mount --all >/dev/null
        $W unmount --latest >/dev/null
        $W mount --format "{{.Name}}"
        $W container unmount a
        $W mount -l >/dev/null
        $W container umount -a >/dev/null
        $W mount'
    assert_success
    assert_output "2
a b
2
a
a"
}

@test "something in it is open" {
    whelk create --name c base true >/dev/null
    session 'cd "$($W mount c)"; $W umount c || echo $?; $W umount -f c; $W mount'
    assert_success
    assert_output "125
c"
    assert_stderr "Error: container c cannot be unmounted: something in it is open, or somebody's working directory; give --force to take it away all the same"
}

@test "what cannot be mounted" {
    session '$W mount nosuch || echo $?; $W umount nosuch || echo $?'
    assert_output "125
125"
    assert_equal "$stderr" "Error: no such container: nosuch
Error: no such container: nosuch"
    whelk create --name c base true >/dev/null
    session '$W umount c || echo $?; $W umount || echo $?'
    assert_output "125
125"
    assert_line_of_stderr "Error: container c is not mounted here"
    refused 125 '"whelk volume mount" needs at least one VOLUME argument; see whelk volume mount --help' volume mount
    [ "$WHELK_LANE" != plain ] || return 0
    whelk create --name own --userns auto:size=100 base true >/dev/null || return 0
    session '$W mount own || echo $?'
    assert_output 125
    assert_stderr --partial "container own has ids of its own (--userns)"
}

assert_line_of_stderr() {
    grep -qxF -- "$1" <<<"$stderr" || _fail "stderr has no line: $1"
}

@test "outside of whelk unshare a user is told where to go" {
    skip_unless_lane subuid plain # root may
    whelk create --name c base true >/dev/null
    refused 125 "a user mounts only in a namespace of his own: run whelk unshare, and in it whelk mount" mount c
    refused 125 "a user mounts only in a namespace of his own: run whelk unshare, and in it whelk unmount" umount c
    refused 125 "a user mounts only in a namespace of his own: run whelk unshare, and in it whelk image mount" image mount base
    refused 125 "a user mounts only in a namespace of his own: run whelk unshare, and in it whelk image unmount" image umount base
    whelk start c >/dev/null
}

@test "a user's running container is refused; his mount ends when the container starts or goes" {
    skip_unless_lane subuid plain # root's stays
    whelk run -d --name runs base sleep 300 >/dev/null
    session '$W mount runs || echo $?'
    assert_output 125
    assert_stderr "Error: cannot mount container runs: container runs is running in a namespace of its own; leave whelk unshare and use whelk cp or whelk exec, or stop it"
    whelk create --name c base sleep 300 >/dev/null
    mkfifo go
    W=$WHELK "$WHELK" unshare sh -c 'm=$($W mount c); touch "$m/mine"; echo ready >out; read x <go; ls "$m" >left 2>&1' 3>&- &
    wait_for 10 test -s out
    whelk start c >/dev/null
    whelk exec c test -e /mine
    echo >go
    wait $! || true
    run ! grep -q mine left
    whelk stop -t 0 c >/dev/null
    rm out
    W=$WHELK "$WHELK" unshare sh -c '$W mount c; echo ready >out; read x <go' 3>&- >/dev/null &
    wait_for 10 test -s out
    whelk rm c >/dev/null
    echo >go
    wait $!
    wait_for 10 nothing_in_tmp
}

@test "root: mounted in any state, through start, end and restart; rm takes it away" {
    skip_unless_lane root # a user's running container cannot be mounted
    local m
    whelk create --name c base sleep 300 >/dev/null
    m=$(whelk mount c)
    echo one >"$m/one"
    whelk start c >/dev/null
    assert_equal "$(whelk exec c cat /one)" one
    whelk exec c sh -c 'echo two >/two'
    assert_equal "$(cat "$m/two")" two
    whelk stop -t 0 c >/dev/null
    echo three >"$m/three"
    whelk start c >/dev/null
    assert_equal "$(whelk exec c cat /three)" three
    whelk umount c >/dev/null
    [ ! -e "$m" ]
    assert_equal "$(whelk mount c)" "$m" # while it runs
    echo four >"$m/four"
    assert_equal "$(whelk exec c cat /four)" four
    whelk cp c:/two .
    echo five >five
    whelk stop -t 0 c >/dev/null
    echo six >"$m/six"
    whelk cp five c:/
    assert_equal "$(cat "$m/five")" five
    whelk start c >/dev/null
    assert_equal "$(whelk exec c cat /five /six)" "five
six"
    assert_equal "$(whelk exec c sh -c 'grep " / / " /proc/self/mountinfo | grep -c nosuid')" 0
    kill -9 "$(supervisor_pid c)"
    wait_for 10 state_is c exited
    assert_equal "$(cat "$m/six")" six
    whelk rm -f c >/dev/null
    wait_for 10 nothing_in_tmp
    whelk create --name u base true >/dev/null # what is measured leaves the mount out
    whelk mount u >/dev/null
    [[ $(whelk system df --format '{{.Type}} {{.Size}}' | grep Containers) =~ ^Containers\ [0-9.]+kB$ ]]
    assert_success_of whelk system check
    assert_success_of whelk container prune -f
    whelk run -d --rm --name r base sleep 300 >/dev/null
    m=$(whelk mount r)
    whelk stop -t 0 r >/dev/null
    wait_for 10 test ! -e "$m"
}

@test "the files of an image, read-only" {
    local id
    printf 'FROM base\nRUN echo x >/made\n' | build_image two >/dev/null
    id=$(whelk image inspect -f '{{.Id}}' two | cut -d : -f 2)
    session '
        m=$($W image mount two)
        echo "$m"
        cat "$m/made" "$m/etc/group" | head -n 1
        ! touch "$m/x" 2>/dev/null
        $W image mount base >/dev/null
        ! touch "$($W image mount base)/x" 2>/dev/null
        $W image mount | wc -l
        $W image mount --format json | jq length
        $W image umount two
        $W image mount --no-trunc | wc -l
        $W image unmount --all | wc -l
        $W image mount --all | wc -l
        $W image unmount -a >/dev/null
        $W image unmount two || echo $?
        $W image unmount -a two || echo $?'
    assert_success
    assert_output "$STORE/images/$id/merged
x
2
2
two
1
1
2
125
125"
    assert_equal "$stderr" "Error: image two is not mounted here
Error: name images, or give --all alone"
    if [ "$WHELK_LANE" = root ]; then # rmi takes it away
        local m
        m=$(whelk image mount two)
        (cd "$m" && refused 125 "image two cannot be unmounted: something in it is open, or somebody's working directory; give --force to take it away all the same" image umount two)
        whelk image umount --force two >/dev/null
        m=$(whelk image mount two)
        whelk rmi two >/dev/null
        [ ! -e "$m" ]
    else
        whelk rmi two >/dev/null
    fi
}

@test "image tree (C-051)" {
    printf 'FROM base\nRUN touch /one\nRUN touch /two\n' | build_image tree:two >/dev/null
    printf 'FROM base\nRUN touch /other\n' | build_image tree:other >/dev/null
    run_whelk image tree tree:two
    assert_success
    assert_equal "${#lines[@]}" 7
    assert_output --regexp 'Image ID: [0-9a-f]{12}
Tags:     \[localhost/tree:two\]
Size:     [0-9.]+MB
Image Layers
├── ID: [0-9a-f]{12} Size: [0-9.]+MB Top Layer of: \[localhost/base:latest\]
├── ID: [0-9a-f]{12} Size: 0B.*
└── ID: [0-9a-f]{12} Size: 0B Top Layer of: \[localhost/tree:two\]'
    run_whelk image tree --whatrequires base
    assert_success
    assert_line --partial 'Top Layer of: [localhost/base:latest]'
    assert_line --partial 'Top Layer of: [localhost/tree:other]'
    assert_line --partial 'Top Layer of: [localhost/tree:two]'
    whelk rmi tree:two tree:other >/dev/null
    run_whelk image tree nosuch
    assert_status 125
    assert_stderr --partial "Error: no such image: nosuch"
}

@test "volume mount and unmount (C-096)" {
    mkdir bound
    whelk volume create data >/dev/null
    whelk volume create -o type=none -o o=bind -o device="$PWD/bound" bind >/dev/null
    whelk volume create -o type=tmpfs mem >/dev/null
    whelk run --rm -v data:/d base sh -c 'echo x >/d/x'
    answers "$STORE/volumes/data/data
$PWD/bound" volume mount data bind
    session 'cat "$($W volume mount data)/x"; $W volume unmount data'
    assert_success
    assert_output "x
data"
    answers "data
bind" volume umount data bind
    refused 125 "volume mem is a tmpfs: it is empty anew in each container, and there is nothing to see here" volume mount mem
    refused 125 "no such volume: nosuch" volume mount nosuch
    refused 125 "no such volume: nosuch" volume unmount nosuch
}
