#!/usr/bin/env bats
# whelk volume create|ls|inspect|rm|prune|exists; -v, --mount, --tmpfs, --volumes-from, VOLUME and --image-volume of run; rm -v

load ../lib/common

# The image vol: base with files in /data, which is a VOLUME. The volume is written into its configuration here.
setup_file() {
    base_image
    build_image plainvol <<'DOCKERFILE'
FROM base
RUN mkdir -p /data/sub && echo one >/data/file && echo two >/data/.hidden && ln -s file /data/link && \
    mkfifo /data/pipe && chmod 4750 /data/file && chmod 2775 /data
DOCKERFILE
    local id new images=$STORE/images
    id=$(whelk images -q --no-trunc | head -n 1)
    id=${id#sha256:}
    jq -c '.config.Volumes = {"/data": {}}' "$images/$id/config" | tr -d '\n' >"$BATS_FILE_TMPDIR/config"
    new=$(sha256sum <"$BATS_FILE_TMPDIR/config" | cut -d ' ' -f 1)
    mkdir -m 700 "$images/$new"
    cp "$BATS_FILE_TMPDIR/config" "$images/$new/config"
    jq --arg id "$new" '.id = $id' "$images/$id/image.json" >"$images/$new/image.json"
    whelk tag "$new" vol
}

teardown() {
    whelk rm -af >/dev/null
    whelk volume prune -af >/dev/null
}

no_volumes() {
    [ -z "$(whelk volume ls -q)" ]
}
nothing_in_tmp() {
    [ -z "$(store_entries tmp)" ]
}

# --- the commands

@test "create prints the name; without one 64 digits" {
    run_whelk volume create data
    assert_success
    assert_output data
    run_whelk volume create
    assert_success
    assert_id "$output"
}

@test "create of what exists says so and is no error (DV-12)" {
    whelk volume create --label a=b data
    run_whelk volume create data
    assert_success
    assert_output data
    assert_stderr "volume data exists already"
    run_whelk volume create --ignore data
    assert_success
    assert_stderr ""
    assert_equal "$(whelk volume inspect data | jq -c '.[0].Labels')" '{"a":"b"}'
}

@test "create refuses bad names, drivers, labels and options" {
    run_whelk volume create a/b
    assert_status 125
    assert_one_error
    run_whelk volume create -d nfs x
    assert_status 125
    assert_stderr "Error: --driver nfs is not known; the only volume driver is local"
    run_whelk volume create --label =v x
    assert_stderr "Error: --label =v has no key; write KEY=VALUE"
    run_whelk volume create -o size=1 x
    assert_stderr 'Error: "size=1" is not an option of the driver local; known: type=, device=, o='
    run_whelk volume create -o type=nfs x
    assert_stderr --partial 'volumes of type "nfs" are not known to this version'
    run_whelk volume create -o type=none -o o=bind -o device=relative x
    assert_stderr "Error: a volume that binds needs device= with an absolute path"
    [ -z "$(whelk volume ls -q)" ]
}

@test "create --uid and --gid: who owns the directory, also after the first container" {
    [ "$WHELK_LANE" != plain ] || {
        run_whelk volume create --uid 33 data
        assert_status 125
        assert_stderr "Error: volume data cannot belong to 33:0: containers of this user have no such id"
        return 0
    }
    whelk volume create --uid 33 --gid 44 data >/dev/null
    assert_equal "$(whelk run --rm -v data:/data base stat -c %u:%g /data)" 33:44
    assert_equal "$(whelk run --rm -v data:/tmp base stat -c '%u:%g %a' /tmp)" "33:44 755" # not as the image has it
    whelk volume create --gid 44 other >/dev/null
    assert_equal "$(whelk run --rm -v other:/etc base stat -c %u:%g /etc)" 0:44
    assert_equal "$(whelk run --rm -v other:/data base cat /data/group)" "$(whelk run --rm base cat /etc/group)"
    run_whelk volume create --uid root bad
    assert_status 125
    assert_stderr "Error: --uid root is not a number of a user or group"
    run_whelk volume create --uid 1 -o type=tmpfs bad
    assert_status 125
    assert_stderr "Error: --uid and --gid are for a directory of the volume's own, not for type=tmpfs"
    whelk volume rm data other >/dev/null
}

@test "inspect: docker's fields, a template, several, missing ones" {
    whelk volume create --label k=v -o type=tmpfs -o o=size=1m mem
    whelk volume create data
    run_whelk volume inspect mem data
    assert_success
    assert_equal "$(jq -c '.[0] | [.Name, .Driver, .Scope, .Labels, .Options, .Anonymous, .MountCount]' <<<"$output")" \
        '["mem","local","local",{"k":"v"},{"type":"tmpfs","o":"size=1m"},false,0]'
    assert_equal "$(jq -r '.[1].Mountpoint' <<<"$output")" "$STORE/volumes/data/data"
    [ -d "$STORE/volumes/data/data" ]
    run_whelk volume inspect -f '{{.Name}} {{.Driver}}' data mem
    assert_output $'data local\nmem local'
    run_whelk volume inspect data nope
    assert_status 125
    assert_stderr "Error: no such volume: nope"
    assert_equal "$(jq length <<<"$output")" 1
    run_whelk volume inspect
    assert_status 125
    assert_stderr "Error: name at least one volume, or give --all"
    run_whelk volume inspect -a
    assert_equal "$(jq length <<<"$output")" 2
}

@test "ls: table, quiet, formats, filters" {
    whelk volume create --label app=shop data
    whelk volume create other
    whelk create --name c -v other:/x base true
    run_whelk volume ls
    assert_equal "${lines[0]}" "DRIVER   VOLUME NAME"
    assert_equal "${lines[1]}" "local    data"
    run_whelk volume ls -n
    assert_equal "${lines[0]}" "local   data"
    run_whelk volume ls -q
    assert_output $'data\nother'
    run_whelk volume ls --format '{{.Name}} {{.Labels}} {{.Links}} {{.Mountpoint}}'
    assert_line "data app=shop 0 $STORE/volumes/data/data"
    assert_equal "$(whelk volume ls --format json | jq -r '.[1].Name')" other
    for filter in dangling=true label=app label=app=shop name=dat label!=nope until=2100-01-01; do
        run_whelk volume ls -q -f dangling=true -f $filter
        assert_output data
    done
    run_whelk volume ls -q -f since=data
    assert_output other
    for filter in anonymous=true driver=nfs label=app=x until=2000-01-01 opt=type; do
        run_whelk volume ls -q -f $filter
        assert_success
        assert_output ""
    done
    run_whelk volume ls -f bogus=1
    assert_status 125
    assert_one_error
    run_whelk volume ls -f dangling=maybe
    assert_status 125
    assert_stderr --partial '"maybe" is neither true nor false'
}

@test "rm: as typed; 1 missing, 2 in use; --force takes the containers along" {
    whelk volume create a
    whelk volume create b
    run_whelk volume rm a b
    assert_success
    assert_output $'a\nb'
    run_whelk volume rm nope
    assert_status 1
    assert_stderr "Error: no such volume: nope"
    run_whelk volume rm -f nope
    assert_success
    whelk create --name user1 -v a:/x base true
    run_whelk volume rm a
    assert_status 2
    assert_stderr "Error: volume a is in use by user1: remove the container first"
    whelk run -d --name user2 -v a:/x base sleep 100
    run_whelk volume rm -f -t 0 a
    assert_success
    assert_output a
    [ -z "$(whelk ps -aq)" ]
    [ -z "$(whelk volume ls -q)" ]
    run_whelk volume rm
    assert_status 125
    whelk volume create a
    run_whelk volume rm -a
    assert_output a
}

@test "rm by the start of an id" {
    id=$(whelk volume create)
    run_whelk volume rm "${id:0:12}"
    assert_success
    assert_output "${id:0:12}"
    [ -z "$(whelk volume ls -q)" ]
}

@test "exists: 0 or 1, and no word" {
    whelk volume create data
    run_whelk volume exists data
    assert_success
    run_whelk volume exists nope
    assert_status 1
    [ -z "$output$stderr" ]
}

@test "prune: anonymous ones, with --all the others; never those in use" {
    whelk volume create named
    whelk create --name c -v /anon -v used:/x base true
    run_whelk volume prune -f
    assert_success
    assert_output "Total reclaimed space: 0B"
    whelk rm c >/dev/null
    anonymous=$(whelk volume ls -q -f anonymous=true)
    assert_id "$anonymous"
    run_whelk volume prune --dry-run
    assert_line "$anonymous"
    whelk volume exists "$anonymous"
    run_whelk volume prune -f
    assert_equal "${lines[0]}" "$anonymous"
    [[ ${lines[1]} == "Total reclaimed space: "* ]]
    assert_equal "$(whelk volume ls -q)" $'named\nused'
    run_whelk volume prune -f --filter all=true --filter label=nope
    assert_equal "${#lines[@]}" 1
    run_whelk volume prune -af
    assert_line named
    assert_line used
    run_whelk volume prune
    assert_status 125
    assert_stderr "Error: This will remove all anonymous volumes that no container has. Nobody can be asked here; use --force"
}

# --- -v NAME:DIR

@test "a named volume is made at need, and keeps what is written" {
    whelk run --rm -v data:/x base sh -c 'echo kept >/x/f'
    run_whelk run --rm -v data:/y:ro base sh -c 'cat /y/f; touch /y/g'
    assert_status 1
    assert_output kept
    assert_stderr --partial "Read-only file system"
}

@test "a new volume takes over what the image has, once, and nothing but files, links and directories" {
    run_whelk run --rm -v new:/data vol \
        sh -c 'cd /data && stat -c "%a %u:%g" . file && cat file .hidden && readlink link && ls -d sub && ! ls pipe 2>/dev/null'
    assert_success
    assert_equal "${lines[0]}" "2775 0:0"
    assert_equal "${lines[1]}" "4750 0:0"
    assert_equal "${lines[2]} ${lines[3]} ${lines[4]} ${lines[5]}" "one two file sub"
    [ -e "$STORE/volumes/new/copied" ]
    [ ! -e "$STORE/volumes/new/filled" ]
    whelk run --rm -v new:/data vol sh -c 'rm -rf /data/* /data/.hidden'
    run_whelk run --rm -v new:/data vol ls -A /data
    assert_output ""
}

@test "what the user's directory is in the image, a volume over it is too" {
    skip_unless_lane subuid root
    run_whelk run --rm -v home:/home/user -u user base sh -c 'touch /home/user/f && stat -c %u /home/user /home/user/f'
    assert_success
    assert_output $'1000\n1000'
}

@test "nocopy leaves a volume empty; a place that the image does not have keeps it ready" {
    run_whelk run --rm -v new:/data:nocopy vol ls /data
    assert_output ""
    whelk run --rm -v new:/nowhere base true
    run_whelk run --rm -v new:/data vol cat /data/file
    assert_output one
}

@test "content that is there stays as it is" {
    whelk run --rm -v new:/x base touch /x/mine
    run_whelk run --rm -v new:/data vol ls -A /data
    assert_output mine
}

@test "an unfinished copy is done again, a finished one moved on" {
    whelk volume create new
    mkdir "$STORE/volumes/new/filling"
    touch "$STORE/volumes/new/filling/half"
    run_whelk run --rm -v new:/data vol ls /data
    assert_output $'file\nlink\nsub'
    whelk volume rm new
    whelk volume create new
    mkdir "$STORE/volumes/new/filled"
    echo whole >"$STORE/volumes/new/filled/.file"
    run_whelk run --rm -v new:/data vol sh -c 'ls -A /data; cat /data/.file'
    assert_output $'.file\nwhole'
    [ ! -e "$STORE/volumes/new/filled" ]
}

@test "containers that begin at once agree on what a volume takes over" {
    whelk volume create new
    local pids=()
    for i in $(seq "$(rounds 40)"); do
        whelk run --rm -v new:/data vol sh -c 'cat /data/file; ls -A /data | wc -l' >>"$BATS_TEST_TMPDIR/out" &
        pids+=($!)
    done
    wait "${pids[@]}"
    assert_equal "$(sort -u "$BATS_TEST_TMPDIR/out")" $'4\none'
}

@test "a volume over another mount takes nothing from that one" {
    mkdir -p "$BATS_TEST_TMPDIR/host/sub"
    touch "$BATS_TEST_TMPDIR/host/sub/secret"
    run_whelk run --rm -v "$BATS_TEST_TMPDIR/host:/a" -v new:/a/sub base ls -A /a/sub
    assert_success
    assert_output ""
}

@test "volumes are nosuid and nodev unless asked for otherwise" {
    run_whelk run --rm -v data:/x -v data:/y:suid,dev,noexec base sh -c 'grep -E " /(x|y) " /proc/mounts | cut -d" " -f2,4'
    assert_line --regexp '^/x rw,nosuid,nodev,'
    assert_line --regexp '^/y rw,noexec,'
}

@test "U gives a volume to the container's user" {
    skip_unless_lane subuid root
    whelk run --rm -v data:/x base sh -c 'mkdir /x/d && touch /x/d/f && ln -s /etc/passwd /x/l'
    run_whelk run --rm -u user -v data:/x:U base sh -c 'touch /x/new && stat -c "%n %u:%g" /x /x/d/f /x/l && stat -c %u /etc/passwd'
    assert_success
    assert_output $'/x 1000:1000\n/x/d/f 1000:1000\n/x/l 1000:1000\n0'
    mkdir "$BATS_TEST_TMPDIR/own"
    run_whelk run --rm -u user -v "$BATS_TEST_TMPDIR/own:/x:U,ro" base stat -c %u /x
    assert_output 1000
    whelk run --rm -v "$BATS_TEST_TMPDIR/own:/x:U" base true
}

@test "options that are none, or contradict each other" {
    run_whelk run --rm -v data:/x:frob base true
    assert_status 125
    assert_stderr --partial '-v data:/x:frob: read as HOST:CONTAINER:OPTIONS, "frob" is not an option; known: ro rw'
    run_whelk run --rm -v data:/x:ro,rw base true
    assert_stderr "Error: -v data:/x:ro,rw: ro and rw cannot both be"
    run_whelk run --rm -v /etc:/x:nocopy base true
    assert_stderr --partial '"nocopy" is not an option'
    run_whelk run --rm -v a/b:/x base true
    assert_stderr 'Error: -v a/b:/x: "a/b" is no name of a volume; if a path is meant, write ./a/b or an absolute one'
    run_whelk run --rm -v /c:/Users/x:/usr:/y base true
    assert_stderr --partial "read as 4 or more fields between colons"
    run_whelk run --rm -v data:x base true
    assert_stderr 'Error: -v data:x: the path in the container, "x", is not absolute'
    run_whelk run --rm -v data:/proc/x base true
    assert_stderr --partial "nothing may be mounted below /proc of a container"
    run_whelk run --rm -v data:/./proc base true
    assert_stderr --partial "nothing may be mounted below /proc of a container"
    run_whelk run --rm -v a:/x -v b:/x base true
    assert_stderr "Error: two mounts at /x"
    run_whelk run --rm -v ./nope:/x base true
    assert_stderr "Error: -v ./nope:/x: ./nope does not exist on the host; make it first: mkdir -p ./nope"
    [ -z "$(whelk volume ls -q)" ]
}

@test "a link of the image does not lead a mount below /proc" {
    printf 'FROM base\nRUN ln -s /proc/sys /trap\n' | build_image trap
    run_whelk run --rm -v data:/trap trap true
    assert_status 125
    assert_stderr --partial "the path leads below /proc of the container"
}

@test "propagation" {
    run_whelk run --rm -v /usr:/x -v /usr:/y:rslave -v /usr:/z:shared base sh -c 'grep -E " /(x|y|z) " /proc/self/mountinfo'
    assert_success
    assert_equal "$(awk '$5 == "/x" && $7 == "-"' <<<"$output" | wc -l)" 1
    assert_equal "$(awk '$5 == "/z" && $7 ~ /shared/' <<<"$output" | wc -l)" 1
}

# --- anonymous volumes

@test "an anonymous volume goes with its --rm container, and with rm -v" {
    whelk run --rm -v /anon base touch /anon/f
    [ -z "$(whelk volume ls -q)" ]
    whelk run --name c -v /anon -v named:/x base touch /anon/f
    assert_equal "$(whelk volume ls -q | wc -l)" 2
    whelk start -a c
    run_whelk rm -v c
    assert_output c
    assert_equal "$(whelk volume ls -q)" named
    whelk run --name c -v /anon base true
    whelk rm c
    assert_equal "$(whelk volume ls -q -f anonymous=true | wc -l)" 1
}

@test "a --rm container that is killed or cannot start leaves no volume" {
    id=$(whelk run -d --rm -v /anon base sleep 100)
    whelk kill "$id" >/dev/null
    whelk wait "$id" >/dev/null 2>&1 || true
    run_whelk run --rm -v /anon base /no/such/program
    assert_status 127
    wait_for 5 no_volumes
    whelk create --name taken base true >/dev/null
    run_whelk create --name taken -v /anon base true
    assert_status 125
    [ -z "$(whelk volume ls -q)" ]
}

@test "the image's VOLUME is an anonymous volume with the image's content" {
    run_whelk run --name c vol cat /data/file
    assert_output one
    assert_equal "$(inspect_field c '.Mounts[0] | [.Type, .Destination, .Driver] | join(" ")')" "volume /data local"
    assert_id "$(inspect_field c '.Mounts[0].Name')"
    assert_equal "$(inspect_field c '.Mounts[0].Source')" "$STORE/volumes/$(inspect_field c '.Mounts[0].Name')/data"
    whelk rm -v c
    [ -z "$(whelk volume ls -q)" ]
    run_whelk run --rm -v mine:/data vol true
    assert_equal "$(whelk volume ls -q)" mine
}

@test "--image-volume" {
    run_whelk run --rm --image-volume tmpfs vol sh -c 'cat /data/file; grep -c "^tmpfs /data " /proc/mounts'
    assert_output $'one\n1'
    run_whelk run --rm --image-volume ignore vol grep -c " /data " /proc/mounts
    assert_output 0
    run_whelk run --rm --image-volume maybe vol true
    assert_status 125
    assert_stderr "Error: --image-volume maybe is not known; known: anonymous, tmpfs, ignore"
}

# --- --mount

@test "--mount: volume, bind, tmpfs, image" {
    run_whelk run --rm --mount source=data,target=/x base sh -c 'echo a >/x/f'
    assert_success
    run_whelk run --rm --mount type=volume,src=data,dst=/x,readonly base sh -c 'cat /x/f; touch /x/g'
    assert_output a
    assert_status 1
    mkdir "$BATS_TEST_TMPDIR/a,b"
    echo comma >"$BATS_TEST_TMPDIR/a,b/f"
    run_whelk run --rm --mount "type=bind,\"source=$BATS_TEST_TMPDIR/a,b\",destination=/x,ro=true" base cat /x/f
    assert_output comma
    run_whelk run --rm --mount type=tmpfs,target=/x,tmpfs-size=1m,tmpfs-mode=700 base sh -c 'stat -c %a /x; df -k /x | tail -1'
    assert_equal "${lines[0]}" 700
    [[ ${lines[1]} == *" 1024 "* ]]
    run_whelk run --rm --mount type=image,source=vol,target=/img base sh -c 'cat /img/data/file; touch /img/x'
    assert_output one
    assert_stderr --partial "Read-only file system"
    run_whelk run --rm --mount type=volume,dst=/data,volume-nocopy vol ls -A /data
    assert_output ""
    assert_equal "$(whelk volume ls -q)" data
}

@test "--mount: subpath of a volume, which its links cannot leave" {
    whelk run --rm -v data:/x base sh -c 'mkdir /x/sub && echo s >/x/sub/f && ln -s / /x/out && ln -s /etc /x/etc'
    run_whelk run --rm --mount src=data,dst=/x,volume-subpath=sub base cat /x/f
    assert_output s
    run_whelk run --rm --mount src=data,dst=/x,subpath=out base ls /x
    assert_output $'etc\nout\nsub'
    run_whelk run --rm --mount src=data,dst=/x,subpath=etc/passwd base true
    assert_status 125
    assert_stderr --partial "cannot open etc/passwd in the volume"
    run_whelk run --rm --mount src=data,dst=/x,subpath=../x base true
    assert_stderr --partial "subpath is a path in the volume"
}

@test "--mount: what is wrong is named" {
    local -A errors=(
        [type=frob,dst=/x]='mounts of type "frob" are not known; known: bind volume tmpfs image glob devpts ramfs'
        [src=data]='target= is missing'
        [type=bind,dst=/x]='a bind mount needs a source'
        [type=bind,src=/nope,dst=/x]='/nope does not exist on the host'
        [type=tmpfs,src=a,dst=/x]='"src" is not known for type=tmpfs; known: type target readonly'
        [type=tmpfs,dst=/x,tmpfs-size=huge]='huge'
        [type=tmpfs,dst=/x,tmpfs-mode=9]='a mode is an octal number'
        [type=image,src=nope,dst=/x]='no such image: nope'
        [type=image,src=base,dst=/x,ro=false]='"rw" is not an option; known: ro'
        [src=data,dst=/x,ro=maybe]='"maybe" is neither true nor false'
        [src,dst=/x]='src needs a value'
        ['"src=a,dst=/x']='quotes go around a whole field'
        [src=data,dst=/x,volume-driver=nfs]='the only volume driver is local'
        [type=bind,src=/usr,dst=/x,relabel=maybe]='relabel is shared or private'
    )
    for spec in "${!errors[@]}"; do
        run_whelk run --rm --mount "$spec" base true
        assert_status 125
        assert_one_error
        assert_stderr --partial "${errors[$spec]}"
    done
    [ -z "$(whelk volume ls -q)" ]
}

@test "an image that is mounted keeps its layers" {
    printf 'FROM base\nRUN echo kept >/kept\n' | build_image other
    whelk create --name c --mount type=image,src=other,dst=/img base cat /img/kept
    whelk rmi other >/dev/null
    run_whelk start -a c
    assert_output kept
}

# --- --tmpfs

@test "--tmpfs begins as a copy of the image's directory unless notmpcopyup" {
    run_whelk run --rm --image-volume ignore --tmpfs /data vol sh -c 'cat /data/file; stat -c %a /data; rm /data/file'
    assert_output $'one\n2775'
    run_whelk run --rm --image-volume ignore --tmpfs /data:ro vol sh -c 'cat /data/file; touch /data/x'
    assert_output one
    assert_status 1
    run_whelk run --rm --image-volume ignore --tmpfs /data:notmpcopyup,mode=700 vol sh -c 'ls -A /data; stat -c %a /data'
    assert_output 700
    run_whelk run --rm --tmpfs /new base stat -c %a /new
    assert_output 1777
}

# --- --volumes-from

@test "--volumes-from: the same mounts, read-only at wish; own flags win" {
    whelk create --name one -v data:/x -v /anon -v /usr:/host:ro --tmpfs /t base true
    whelk run --rm --volumes-from one base sh -c 'echo here >/x/f; echo there >/anon/f; ls /host/bin >/dev/null; ! grep " /t " /proc/mounts'
    run_whelk run --rm --volumes-from one:ro base sh -c 'cat /x/f /anon/f; touch /x/g'
    assert_output $'here\nthere'
    assert_status 1
    run_whelk run --rm --volumes-from one -v other:/x base ls -A /x
    assert_output ""
    assert_equal "$(whelk volume ls -q | wc -l)" 3
    run_whelk run --rm --volumes-from nope base true
    assert_status 125
    assert_stderr --partial "no such container: nope"
    run_whelk run --rm --volumes-from one:frob base true
    assert_stderr 'Error: --volumes-from one:frob: "frob" is not an option; known: ro rw z Z'
}

@test "an anonymous volume goes with the last container that has it" {
    whelk create --name one -v /anon base true
    whelk create --name two --volumes-from one base true
    whelk rm -v one
    assert_equal "$(whelk volume ls -q | wc -l)" 1
    whelk rm -v two
    [ -z "$(whelk volume ls -q)" ]
}

# --- kinds of volumes

@test "a volume of type tmpfs, and one that binds" {
    whelk volume create -o type=tmpfs -o o=size=1m mem
    run_whelk run --rm -v mem:/x base sh -c 'df -k /x | tail -1'
    assert_output --regexp '^tmpfs +1024 '
    mkdir "$BATS_TEST_TMPDIR/dir"
    echo bound >"$BATS_TEST_TMPDIR/dir/f"
    whelk volume create -o type=none -o o=bind -o "device=$BATS_TEST_TMPDIR/dir" bound
    run_whelk run --rm -v bound:/x:ro base cat /x/f
    assert_output bound
    whelk volume rm bound
    [ -e "$BATS_TEST_TMPDIR/dir/f" ]
}

@test "volumes with files of other ids are removed whole" {
    skip_unless_lane subuid root
    whelk run --rm -v data:/x base sh -c 'mkdir -m 700 /x/d && touch /x/d/f && chown -R 1000:1000 /x/d'
    run_whelk volume prune -af
    assert_equal "${lines[0]}" data
    refute_output " 0B"
    wait_for 5 nothing_in_tmp
    [ -z "$(store_entries volumes)" ]
}

@test "rm -f and run race for a volume: it is whole or absent" {
    for i in $(seq "$(rounds 30)"); do
        whelk volume rm race >/dev/null 2>&1 &
        pid=$!
        run_whelk run --rm -v race:/x base sh -c 'touch /x/f && ls /x'
        assert_success
        assert_output f
        wait "$pid" || true
    done
    [ -z "$(store_entries tmp | grep -v trash- || true)" ]
}

# --- export and import

@test "export and import: owners, modes, links, times; plain and gzip; FILE and streams" {
    whelk run --rm -v data:/x base sh -c 'mkdir -p /x/d/e && echo 1 >/x/d/f && ln /x/d/f /x/d/g && ln -s f /x/d/l && mkfifo /x/p'
    [ "$WHELK_LANE" = plain ] || whelk run --rm -v data:/x base chown -R 1000:50 /x/d
    whelk run --rm -v data:/x base sh -c 'chmod 4751 /x/d/f; touch -d 2001-02-03 /x/d'
    run_whelk volume export data -o "$BATS_TEST_TMPDIR/one.tar"
    assert_success
    assert_output ""
    tar tf "$BATS_TEST_TMPDIR/one.tar" | LC_ALL=C sort >"$BATS_TEST_TMPDIR/names"
    assert_equal "$(paste -sd ' ' "$BATS_TEST_TMPDIR/names")" "./ ./d/ ./d/e/ ./d/f ./d/g ./d/l ./p"
    whelk volume create new
    run_whelk volume import new "$BATS_TEST_TMPDIR/one.tar"
    assert_success
    assert_output ""
    whelk volume export new | cmp - "$BATS_TEST_TMPDIR/one.tar" ||
        diff <(whelk volume export new | tar tvf - | sort) <(tar tvf "$BATS_TEST_TMPDIR/one.tar" | sort)
    whelk volume create third
    gzip -c "$BATS_TEST_TMPDIR/one.tar" | whelk volume import third
    run_whelk run --rm -v third:/x base sh -c 'cat /x/d/g; stat -c "%a %h" /x/d/f; date -r /x/d +%Y'
    assert_output $'1\n4751 2\n2001'
}

@test "import replaces files, and leaves the rest" {
    whelk run --rm -v data:/x base sh -c 'echo old >/x/f; echo stays >/x/other; ln -s nowhere /x/l'
    mkdir "$BATS_TEST_TMPDIR/t"
    echo new >"$BATS_TEST_TMPDIR/t/f"
    echo file >"$BATS_TEST_TMPDIR/t/l"
    tar -C "$BATS_TEST_TMPDIR/t" --owner=0 --group=0 -c f l | whelk volume import data -
    run_whelk run --rm -v data:/x base sh -c 'cat /x/f /x/other /x/l'
    assert_output $'new\nstays\nfile'
}

@test "an archive or a container's link does not lead an import out of its volume" {
    whelk run --rm -v data:/x base ln -s "$BATS_TEST_TMPDIR" /x/out
    mkdir -p "$BATS_TEST_TMPDIR/t/out"
    echo bad >"$BATS_TEST_TMPDIR/t/out/escaped"
    tar -C "$BATS_TEST_TMPDIR/t" --owner=0 --group=0 -c out/escaped | whelk volume import data || true
    [ ! -e "$BATS_TEST_TMPDIR/escaped" ]
    tar -C "$BATS_TEST_TMPDIR/t" -Pc --owner=0 --group=0 --transform 's,^,../../,' out/escaped >"$BATS_TEST_TMPDIR/up.tar"
    run_whelk volume import data "$BATS_TEST_TMPDIR/up.tar"
    assert_status 125
    assert_stderr --partial "has '..' in its path"
}

@test "export and import: what cannot be" {
    whelk volume create data
    run_whelk volume export nope
    assert_status 125
    assert_stderr "Error: no such volume: nope"
    run_whelk volume export data -o /nope/x
    assert_stderr --partial "cannot open /nope/x"
    run_whelk volume import nope /dev/null
    assert_stderr "Error: no such volume: nope"
    run_whelk volume import data /dev/null
    assert_status 125
    assert_stderr "Error: the archive is empty"
    run_whelk volume import data "$WHELK_TREE/README.md"
    assert_status 125
    assert_one_error
    whelk volume export data | gzip | head -c 40 >"$BATS_TEST_TMPDIR/cut.tgz"
    run_whelk volume import data "$BATS_TEST_TMPDIR/cut.tgz"
    assert_status 125
    assert_stderr --partial "the gzip stream is cut short"
    run script -qec "$WHELK volume export data" /dev/null
    [[ $output == *"standard output is a terminal"* ]]
    run script -qec "$WHELK volume import data" /dev/null
    [[ $output == *"standard input is a terminal"* ]]
}

@test "prune asks on a terminal" {
    whelk volume create data
    run script -qec "$WHELK volume prune -a" /dev/null <<<"n"
    [[ $output == *"WARNING! This will remove all volumes that no container has."* ]]
    whelk volume exists data
    run script -qec "$WHELK volume prune -a" /dev/null <<<"y"
    ! whelk volume exists data
}
