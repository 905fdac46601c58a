# whelk build

load ../lib/common
load ../lib/container

setup_file() {
    base_image
}

setup() {
    C=$BATS_TEST_TMPDIR/context
    mkdir "$C"
}

# The Dockerfile of this test's context, from standard input.
dockerfile() {
    cat >"$C/Dockerfile"
}
# What a command prints in the image img.
in_image() {
    whelk run --rm --network none img "$@"
}
cached() {
    grep -c 'Using cache' <<<"$stderr"
}

# --- the command

@test "prints the id alone, and the steps on standard error" {
    dockerfile <<'DOCKERFILE'
FROM base
RUN echo made-here
ENV A=1
DOCKERFILE
    run_whelk build --no-cache -t img -t other:v2 "$C"
    assert_success
    assert_id "$output"
    assert_equal "$output" "$(inspect_field img .Id | sed 's/^sha256://')"
    assert_equal "$output" "$(inspect_field other:v2 .Id | sed 's/^sha256://')"
    assert_stderr_line "STEP 1/3: FROM base"
    assert_stderr_line "STEP 2/3: RUN echo made-here"
    assert_stderr_line "made-here"
    assert_stderr_line "STEP 3/3: ENV A=1"
    assert_stderr_line "COMMIT localhost/img:latest"
    assert_stderr_line "Successfully tagged localhost/other:v2"
    refute_stderr "Using cache"
}

@test "-q prints only the id" {
    echo "FROM base" | dockerfile
    run_whelk build -q "$C"
    assert_success
    assert_id "$output"
    [ -z "$stderr" ]
    echo "RUN echo shown-of-a-failure; exit 3" >>"$C/Dockerfile"
    run_whelk build -q "$C"
    assert_status 3
    assert_output ""
    assert_stderr_line "shown-of-a-failure"
    refute_stderr "STEP"
}

@test "image build is the same; the context is the current directory" {
    echo "FROM base" | dockerfile
    cd "$C"
    run_whelk image build
    assert_success
    assert_id "$output"
}

@test "--iidfile" {
    printf 'FROM base\nRUN true\n' | dockerfile
    cd "$BATS_TEST_TMPDIR"
    run_whelk build -q --no-cache --iidfile id "$C"
    assert_success
    assert_equal "$(cat id)" "sha256:$output"
    run_whelk build -q --iidfile nowhere/id "$C"
    assert_status 125
    assert_stderr --partial "nowhere/id"
}

@test "wrong tags, networks, labels and arguments are refused before anything is built" {
    printf 'FROM base\nRUN echo ran\n' | dockerfile
    for option in "-t UPPER" "--network nosuch" "--label =x" "--build-arg =x" "--pull=sometimes"; do
        run_whelk build --no-cache $option "$C"
        assert_status 125
        assert_one_error
        refute_stderr "ran"
    done
}

@test "a missing context, Dockerfile or base is one error" {
    run_whelk build "$BATS_TEST_TMPDIR/none"
    assert_status 125
    assert_one_error
    run_whelk build "$C"
    assert_status 125
    assert_one_error
    assert_stderr --partial "no Containerfile and no Dockerfile"
    echo "FROM nosuchimage" | dockerfile
    run_whelk build -q "$C"
    assert_status 125
    assert_stderr_line --partial "Dockerfile:1: no such image: nosuchimage"
    touch "$C/file"
    run_whelk build "$C/file"
    assert_status 125
    assert_one_error
    assert_stderr --partial "is neither a directory nor a tar archive"
    run_whelk build -f - - </dev/null
    assert_status 125
    assert_one_error
    assert_stderr --partial "cannot both come from standard input"
    run_whelk build "https://example.com/app.git#-x"
    assert_status 125
    assert_one_error
    run_whelk build --ignorefile "$C/none" -f /dev/null "$C"
    assert_status 125
    assert_one_error
    assert_stderr --partial "--ignorefile"
}

# Serves $BATS_TEST_TMPDIR/www at $server.
serve_files() {
    mkdir -p "$BATS_TEST_TMPDIR/www"
    python3 - "$BATS_TEST_TMPDIR/www" "$BATS_TEST_TMPDIR/port" 3>&- <<'PYTHON' &
import functools, http.server, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
    open(sys.argv[2] + ".new", "w").write(str(server.server_port))
    import os
    os.rename(sys.argv[2] + ".new", sys.argv[2])
    sys.stderr = open(os.devnull, "w")
    server.serve_forever()
PYTHON
    server_pid=$!
    wait_for 10 test -f "$BATS_TEST_TMPDIR/port"
    server=http://127.0.0.1:$(cat "$BATS_TEST_TMPDIR/port")
}

teardown() {
    [ -z "${server_pid-}" ] || kill "$server_pid" 2>/dev/null || :
}

@test "contexts: a Dockerfile or an archive on standard input, an archive as a file, by http, a git repository" {
    serve_files
    printf 'FROM base\nCOPY sub /sub\nLABEL from=context\n' | dockerfile
    mkdir "$C/sub"
    echo s >"$C/sub/s"
    printf 'FROM base\nLABEL from=stdin\n' | whelk build -q -t img -
    assert_equal "$(inspect_field img .Config.Labels.from)" stdin
    printf 'FROM base\nCOPY x /x\n' >"$BATS_TEST_TMPDIR/only"
    run_whelk build - <"$BATS_TEST_TMPDIR/only"
    assert_status 125
    assert_stderr --partial "x is not in the build context"
    id=$(whelk build -q -t img "$C")
    tar -C "$C" -cf "$BATS_TEST_TMPDIR/c.tar" .
    xz -k "$BATS_TEST_TMPDIR/c.tar"
    cp "$BATS_TEST_TMPDIR/c.tar.xz" "$BATS_TEST_TMPDIR/www/"
    assert_equal "$(whelk build -q - <"$BATS_TEST_TMPDIR/c.tar")" "$id"
    assert_equal "$(whelk build -q - <"$BATS_TEST_TMPDIR/c.tar.xz")" "$id"
    assert_equal "$(whelk build -q "$BATS_TEST_TMPDIR/c.tar.xz")" "$id"
    assert_equal "$(whelk build -q "$server/c.tar.xz")" "$id"
    printf 'FROM base\nLABEL from=http\n' >"$BATS_TEST_TMPDIR/www/D"
    whelk build -q -t img "$server/D"
    assert_equal "$(inspect_field img .Config.Labels.from)" http
    run_whelk build "$server/none"
    assert_status 125
    assert_stderr --partial "answers with status 404"
    serve_repository
    printf 'FROM base\nCOPY deep /\nLABEL from=git\n' >"$BATS_TEST_TMPDIR/D"
    whelk build -q -t img -f "$BATS_TEST_TMPDIR/D" "$repository#v1:sub/dir"
    assert_equal "$(in_image cat /deep)" deep
    kill "$daemon"
    wait_for 5 prints "" store_entries tmp # the last container deletes its files after it has answered
}

@test "--build-context: directories, archives and images, over stages and images of the name" {
    mkdir "$C/other" "$BATS_TEST_TMPDIR/dir"
    echo d >"$BATS_TEST_TMPDIR/dir/f"
    echo secret >"$BATS_TEST_TMPDIR/dir/no"
    echo no >"$BATS_TEST_TMPDIR/dir/.dockerignore"
    tar -C "$BATS_TEST_TMPDIR/dir" -cf "$BATS_TEST_TMPDIR/dir.tar" f
    printf 'FROM base AS Stage\nFROM nosuch\nCOPY --from=dir . /dir/\nCOPY --from=tar /f /tar\nCOPY --from=stage f /stage\n' | dockerfile
    whelk build -q -t img --build-context dir="$BATS_TEST_TMPDIR/dir" --build-context tar="$BATS_TEST_TMPDIR/dir.tar" \
        --build-context stage="$BATS_TEST_TMPDIR/dir" --build-context nosuch=docker-image://base "$C"
    assert_equal "$(in_image sh -c 'ls -A /dir | xargs; cat /tar /stage' | xargs)" ".dockerignore f d d"
    run_whelk build --build-context nosuch="$C" "$C"
    assert_status 125
    assert_stderr --partial "is a tree of files"
    run_whelk build --build-context x "$C"
    assert_status 125
    assert_stderr --partial "give NAME=WHERE"
    run_whelk build --build-context nosuch=docker-image://base --build-context tar="$C" --build-context dir=/no/such "$C"
    assert_status 125
    assert_stderr --partial "--build-context dir"
}

@test "several -f are one Dockerfile; --ignorefile" {
    printf 'FROM base AS a\nCOPY . /c/\n' >"$C/one"
    printf 'FROM a\nLABEL two=2\n' >"$C/two"
    printf 'one\n' >"$BATS_TEST_TMPDIR/rules"
    whelk build -q -t img -f "$C/one" -f "$C/two" --ignorefile "$BATS_TEST_TMPDIR/rules" "$C"
    assert_equal "$(in_image ls /c)" two
    assert_equal "$(inspect_field img .Config.Labels.two)" 2
}

@test "-f: here first, then in the context, then standard input; Containerfile before Dockerfile" {
    mkdir "$BATS_TEST_TMPDIR/here"
    cd "$BATS_TEST_TMPDIR/here"
    printf 'FROM base\nLABEL from=context\n' >"$C/my.file"
    whelk build -q -t img -f my.file "$C"
    assert_equal "$(inspect_field img .Config.Labels.from)" context
    printf 'FROM base\nLABEL from=here\n' >my.file
    whelk build -q -t img -f my.file "$C"
    assert_equal "$(inspect_field img .Config.Labels.from)" here
    printf 'FROM base\nLABEL from=stdin\n' | whelk build -q -t img -f - "$C"
    assert_equal "$(inspect_field img .Config.Labels.from)" stdin
    printf 'FROM base\nLABEL from=D\n' >"$C/Dockerfile"
    printf 'FROM base\nLABEL from=C\n' >"$C/Containerfile"
    whelk build -q -t img "$C"
    assert_equal "$(inspect_field img .Config.Labels.from)" C
    run_whelk build -f nosuch "$C"
    assert_status 125
    assert_one_error
}

@test "a broken Dockerfile: line and caret" {
    printf 'FROM base\nCOPPY a b\n' | dockerfile
    run_whelk build "$C"
    assert_status 125
    assert_output ""
    assert_stderr --partial "Dockerfile:2:"
    assert_stderr --partial 'did you mean "COPY"'
}

# --- RUN

@test "RUN: a failure ends the build with its own status, and tags nothing" {
    printf 'FROM base\nRUN echo first >/first\nRUN exit 42\n' | dockerfile
    run_whelk build -t failed "$C"
    assert_status 42
    assert_output ""
    assert_stderr_line "Error: Dockerfile:3: RUN exit 42 failed with status 42"
    run_whelk inspect failed
    [ "$status" -ne 0 ]
    # What came before it stays cached.
    run_whelk build "$C"
    assert_status 42
    assert_equal "$(cached)" 1
}

@test "RUN: shell and exec form, what is not there, and backslashes" {
    dockerfile <<'DOCKERFILE'
FROM base
RUN echo $((1 + 1)) >/two && \
    echo a\ b >/words
RUN ["/bin/sh", "-c", "echo $0 >/zero", "x y"]
DOCKERFILE
    whelk build -q -t img "$C"
    run_whelk run --rm --network none img cat /two /words /zero
    assert_output $'2\na b\nx y'
    printf 'FROM base\nRUN ["/no/such/program"]\n' | dockerfile
    run_whelk build "$C"
    assert_status 127
    assert_stderr --partial "/no/such/program"
}

@test "RUN sees WORKDIR, USER, ENV and ARG" {
    dockerfile <<'DOCKERFILE'
FROM base
ARG one=arg
ARG two=arg
ENV two=env HOME_IS=unset
WORKDIR /srv/app
RUN echo "$PWD $one $two $HOME" >/tmp/seen
USER user
RUN echo "$(id -un) $HOME" >/tmp/user
DOCKERFILE
    [ "$WHELK_LANE" != plain ] || sed -i '/USER user/,$d' "$C/Dockerfile"
    whelk build -q -t img "$C"
    assert_equal "$(in_image cat /tmp/seen)" "/srv/app arg env /root"
    assert_equal "$(inspect_field img '.Config.Env | map(select(startswith("one="))) | length')" 0
    [ "$WHELK_LANE" = plain ] || assert_equal "$(in_image cat /tmp/user)" "user /home/user"
}

@test "RUN: removed files and directories stay removed, and nothing of the build is left in the layer" {
    dockerfile <<'DOCKERFILE'
FROM base
RUN mkdir -p /d/e && touch /d/e/f /d/g
RUN rm -r /d/e && touch /d/h
DOCKERFILE
    whelk build -q -t img "$C"
    assert_equal "$(in_image ls /d | xargs)" "g h"
    printf 'FROM base\nRUN true\n' | dockerfile
    whelk build -q -t img "$C"
    assert_equal "$(inspect_field img '.RootFS.Layers | length')" "$(inspect_field base '.RootFS.Layers | length')"
}

@test "RUN: hosts, name servers, limits, capabilities, devices and what of them the cache knows" {
    dockerfile <<'DOCKERFILE'
FROM base
RUN --network=none grep extra.test /etc/hosts; cat /etc/resolv.conf; df -k /dev/shm | tail -n 1; ulimit -n; \
    grep -E 'CapEff|NoNewPrivs' /proc/self/status; ls -l /dev/other-null; true
DOCKERFILE
    run_whelk build "$C"
    assert_success
    before=$stderr
    refute_stderr --partial "10.9.8.7"
    run_whelk build --add-host extra.test:10.9.8.7 --dns 192.0.2.53 --dns-search s.test --dns-option ndots:3 --shm-size 7m \
        --ulimit nofile=99:99 --cap-drop ALL --security-opt no-new-privileges --device /dev/null:/dev/other-null \
        --isolation oci "$C"
    assert_success
    assert_stderr --partial "10.9.8.7"
    assert_stderr_line "nameserver 192.0.2.53"
    assert_stderr_line "search s.test"
    assert_stderr_line "options ndots:3"
    assert_stderr --regexp ' 7168 .*/dev/shm'
    assert_stderr_line 99
    assert_stderr --regexp $'CapEff:\t0+\n'
    assert_stderr_line $'NoNewPrivs:\t1'
    assert_stderr --regexp 'c.* /dev/other-null'
    run_whelk build "$C" # the one from before
    assert_equal "$(cached)" 1
    run_whelk build --cap-add SYS_ADMIN "$C"
    refute_stderr "Using cache"
    [ "$(grep CapEff <<<"$stderr")" != "$(grep CapEff <<<"$before")" ]
    for option in --add-host=x --dns=x --shm-size=0 --ulimit=x --cap-add=NOT --security-opt=x --device=/nowhere \
        --isolation=chroot; do
        run_whelk build "$option" "$C"
        assert_status 125
        assert_one_error
        [[ $stderr == *"${option%%=*}"* || $stderr == *"${option#*=}"* ]]
        refute_stderr STEP
    done
}

@test "--network none has no way out, host has the host's" {
    printf 'FROM base\nRUN ls /sys/class/net | xargs >/net\n' | dockerfile
    whelk build -q -t img --network none "$C"
    assert_equal "$(in_image cat /net)" lo
    whelk build -q -t img --network host "$C"
    assert_equal "$(in_image cat /net)" "$(ls /sys/class/net | xargs)"
}

# --- the cache

@test "an unchanged rebuild gives the same image, and every step says so" {
    dockerfile <<'DOCKERFILE'
FROM base
WORKDIR /app
COPY a b ./
RUN date +%N >now
ENV X=1
CMD ["cat", "now"]
DOCKERFILE
    echo a >"$C/a"
    echo b >"$C/b"
    first=$(whelk build -q -t img "$C")
    run_whelk build -t img "$C"
    assert_success
    assert_output "$first"
    assert_equal "$(cached)" 5
    touch "$C/a" # a new time is no change
    run_whelk build "$C"
    assert_output "$first"
    # Without its name and its record, too: it is made again out of the cache.
    whelk rmi -f "$first" >/dev/null
    run_whelk build -t img "$C"
    assert_output "$first"
    assert_equal "$(cached)" 5
    run_whelk build --no-cache "$C"
    assert_success
    refute_stderr "Using cache"
    [ "$output" != "$first" ]
}

# What --explain says of the step whose line matches.
why() {
    awk -v step="$1" '/STEP [0-9]+\/[0-9]+: / { on = index($0, step) } on && /because|Not from|Using/' <<<"$stderr"
}

@test "--explain: why each step is cached or made" {
    dockerfile <<'DOCKERFILE'
FROM base
ENV A=1
ARG V=1
RUN echo "$V" >/v
COPY src /src
RUN cat /src/a
DOCKERFILE
    mkdir "$C/src"
    echo a >"$C/src/a"
    echo b >"$C/src/b"
    whelk builder prune -af >/dev/null
    run_whelk build --explain "$C"
    assert_success
    assert_equal "$(why 'RUN echo')" "--> Not from the cache
    because nothing like it is in the cache: it is new, or was pruned"
    assert_equal "$(why 'RUN cat')" "--> Not from the cache
    because STEP 4/6 was made anew"
    run_whelk build --explain "$C"
    assert_equal "$(why 'COPY src' | tail -n 1)" "    because all that it depends on is as when it was made"
    assert_equal "$(why 'ENV A' | tail -n 1)" "    because it changes the image's config only"

    echo changed >"$C/src/a"
    chmod 755 "$C/src/b"
    echo c >"$C/src/c"
    run_whelk build --explain "$C"
    assert_equal "$(why 'COPY src')" "--> Not from the cache
    because file a has other contents
    because file b has other mode, owner or kind
    because file c is new"
    rm "$C/src/c"
    run_whelk build --explain "$C"
    assert_equal "$(why 'COPY src')" "--> Not from the cache
    because file c is gone"

    run_whelk build --explain --build-arg V=secret-word "$C"
    assert_equal "$(why 'RUN echo')" "--> Not from the cache
    because build argument V has another value"
    run grep -r secret-word "$STORE/cache/told"
    assert_output ""
    sed -i s/A=1/A=2/ "$C/Dockerfile"
    run_whelk build --explain --build-arg V=secret-word "$C"
    assert_equal "$(why 'RUN echo')" '--> Not from the cache
    because before it, "ENV A=2" was "ENV A=1"'
    sed -i 's/cat .src.a/cat \/src\/b/' "$C/Dockerfile"
    run_whelk build --explain --build-arg V=secret-word "$C"
    assert_equal "$(why 'RUN cat')" '--> Not from the cache
    because the instruction is another one, it was "RUN cat /src/a"'
    printf 'FROM base\nCMD ["other"]\n' | whelk build -q -t changed - >/dev/null
    run_whelk build --explain --build-arg V=secret-word --from changed "$C"
    why 'RUN echo' | grep -q 'because it follows image changed (.*), where it was image base ('

    run_whelk build --explain --no-cache "$C"
    assert_equal "$(why 'RUN echo')" "--> Not from the cache
    because of --no-cache"
}

@test "--explain: layers that are gone, stages, and what nobody can tell" {
    dockerfile <<'DOCKERFILE'
FROM base AS one
COPY a b /
FROM base
COPY --from=one /a /taken
DOCKERFILE
    echo a >"$C/a"
    echo b >"$C/b"
    whelk build -q "$C" >/dev/null
    echo other >"$C/b"
    run_whelk build --explain "$C"
    assert_equal "$(why 'COPY --from' | tail -n 1)" \
        "    because what it takes from is another one, but the files that it takes are the same"
    rm "$STORE"/cache/steps/*
    run_whelk build --explain "$C"
    assert_equal "$(why 'COPY a b')" "--> Not from the cache
    because it was made before, but its record or its layer is gone from the cache"
    whelk builder prune -af >/dev/null
    assert_equal "$(ls "$STORE/cache/told")" ""
}

@test "a changed file makes its COPY and all that follows anew, and nothing before" {
    dockerfile <<'DOCKERFILE'
FROM base
COPY first /srv/
RUN cat /srv/first >/srv/sum
COPY second /srv/
RUN cat /srv/second >>/srv/sum
DOCKERFILE
    echo 1 >"$C/first"
    echo 2 >"$C/second"
    whelk build -q -t img "$C"
    echo 3 >"$C/second"
    run_whelk build -t img "$C"
    assert_equal "$(cached)" 2
    assert_equal "$(in_image cat /srv/sum | xargs)" "1 3"
    chmod +x "$C/first"
    run_whelk build -t img "$C"
    assert_equal "$(cached)" 0 || assert_equal "$stderr" ""
    assert_equal "$(in_image stat -c %a /srv/first)" 755
    # Content, not time: a file that keeps size and mtime is seen.
    touch -r "$C/second" "$BATS_TEST_TMPDIR/time"
    echo 4 >"$C/second"
    touch -r "$BATS_TEST_TMPDIR/time" "$C/second"
    whelk build -q -t img "$C"
    assert_equal "$(in_image cat /srv/sum | xargs)" "1 4"
}

@test "an ARG counts where RUN can see it, an ENV everywhere" {
    printf 'FROM base\nRUN echo before\nARG V=1\nRUN echo $V >/v\n' | dockerfile
    whelk build -q -t img "$C"
    run_whelk build -t img --build-arg V=2 "$C"
    assert_equal "$(cached)" 2 # the first RUN and ARG
    assert_equal "$(in_image cat /v)" 2
    run_whelk build -t img --build-arg V=1 "$C"
    assert_equal "$(cached)" 3
    assert_equal "$(in_image cat /v)" 1
    sed -i 's/ARG/ENV/' "$C/Dockerfile"
    run_whelk build "$C"
    assert_equal "$(cached)" 2 # the first RUN and ENV: what follows ENV has another key
}

@test "another base is another key" {
    printf 'FROM base\nLABEL x=1\n' | dockerfile
    whelk build -q -t base2 "$C"
    printf 'ARG B=base\nFROM $B\nRUN echo x >/x\n' | dockerfile
    whelk build -q "$C"
    run_whelk build --build-arg B=base2 "$C"
    assert_success
    refute_stderr "Using cache"
}

# --- COPY

@test "COPY: files, directories, new parents, the working directory" {
    mkdir -p "$C/dir/sub"
    echo f >"$C/file"
    echo d >"$C/dir/in"
    echo s >"$C/dir/sub/deep"
    ln -s in "$C/dir/link"
    mkfifo "$C/dir/fifo"
    chmod 0750 "$C/dir/sub"
    chmod 4711 "$C/dir/in"
    dockerfile <<'DOCKERFILE'
FROM base
COPY file /new/parent/name
COPY file /etc
COPY dir /data
WORKDIR /w
COPY file dir/in ./
COPY dir/sub sub
COPY . all/
DOCKERFILE
    whelk build -q -t img "$C"
    in_image sh -ec '
        [ "$(cat /new/parent/name)" = f ] && [ "$(cat /etc/file)" = f ]
        [ "$(stat -c "%a %u %g" /new/parent)" = "755 0 0" ]
        [ "$(cat /data/in /data/sub/deep | xargs)" = "d s" ]
        [ "$(readlink /data/link)" = in ] && [ -p /data/fifo ]
        [ "$(stat -c "%a %u" /data/in)" = "4711 0" ] && [ "$(stat -c %a /data/sub)" = 750 ]
        [ "$(ls /w | xargs)" = "all file in sub" ] && [ "$(ls /w/sub)" = deep ]
        [ -f /w/all/Dockerfile ] && [ -f /w/all/dir/sub/deep ]
        [ -f /etc/passwd ]'
    assert_equal "$(in_image stat -c %Y /etc/file)" "$(stat -c %Y "$C/file")"
}

@test "COPY keeps what directories of the image are, and follows its links" {
    [ "$WHELK_LANE" = plain ] || chown_user='&& chown user /home/user/mine'
    dockerfile <<DOCKERFILE
FROM base
RUN mkdir -p /home/user/mine /opt/real /srv && chmod 1770 /home/user/mine && ln -s ../opt/real /srv/link \
 && ln -s /usr/bin /abs && touch -d @1000000 /opt/real ${chown_user-}
COPY f /home/user/mine/
COPY f /tmp/
COPY f /srv/link/
COPY tree /srv/
COPY f /abs/tool
DOCKERFILE
    mkdir -p "$C/tree/link"
    echo f >"$C/f"
    echo g >"$C/tree/link/g"
    whelk build -q -t img "$C"
    in_image sh -ec '
        [ "$(stat -c %a /home/user/mine)" = 1770 ] && [ "$(stat -c %a /tmp)" = 1777 ]
        [ -L /srv/link ] && [ "$(ls /opt/real | xargs)" = "f g" ]
        [ -L /abs ] && [ -f /usr/bin/tool ]'
    [ "$WHELK_LANE" = plain ] || assert_equal "$(in_image stat -c %U /home/user/mine)" user
}

@test "COPY: wildcards, JSON form, and .. that leads nowhere" {
    mkdir "$C/d"
    touch "$C/a.txt" "$C/b.txt" "$C/c.md" "$C/d/e.txt" "$C/with blank" "$C/.hidden.txt"
    dockerfile <<'DOCKERFILE'
FROM base
COPY *.txt /txt/
COPY */e.t?t /deep/
COPY ["with blank", "/json/with blank"]
COPY ../../a.txt /up/
COPY [ab].txt /class/
DOCKERFILE
    whelk build -q -t img "$C"
    assert_equal "$(in_image ls -A /txt /deep /json /up /class | xargs)" \
        "/class: a.txt b.txt /deep: e.txt /json: with blank /txt: .hidden.txt a.txt b.txt /up: a.txt"
}

@test "COPY: what cannot be copied is told" {
    touch "$C/a" "$C/b"
    mkdir "$C/d"
    while IFS='|' read -r line text; do
        printf 'FROM base\nRUN mkdir -p /dir/a && touch /plain\n%s\n' "$line" | dockerfile
        run_whelk build "$C"
        assert_status 125
        assert_stderr_line --partial "$text"
    done <<'CASES'
COPY nosuch /x|Dockerfile:3: nosuch is not in the build context
COPY d/nosuch /x|d/nosuch is not in the build context
COPY a/b /x|a/b is not in the build context
COPY *.zip /x/|nothing in the build context matches *.zip
COPY a b /x|end with a /: /x/
COPY [ab] /x|end with a /: /x/
COPY a b /plain/|no directory
COPY d /plain|no directory
COPY a /plain/x|no directory
COPY a /dir/|the image has a directory there
COPY --from=nosuch a /|no such image: nosuch
COPY --from=7 a /|no such stage
COPY --chown=nosuch a /x|no user "nosuch"
COPY --chown=0:nosuch a /x|no group "nosuch"
COPY --chmod=rwx a /x|is no mode
COPY $UNSET /x|a source is empty
CASES
}

@test "COPY: links of the context never lead out of it" {
    echo secret >"$BATS_TEST_TMPDIR/secret"
    ln -s "$BATS_TEST_TMPDIR/secret" "$C/absolute"
    ln -s ../secret "$C/relative"
    ln -s / "$C/root"
    for source in absolute relative "root$BATS_TEST_TMPDIR/secret"; do
        printf 'FROM base\nCOPY %s /x\n' "$source" | dockerfile
        run_whelk build "$C"
        assert_status 125
        assert_stderr --partial "is not in the build context"
    done
    echo inside >"$C/file"
    ln -s /file "$C/link"
    printf 'FROM base\nCOPY link /x\n' | dockerfile
    whelk build -q -t img "$C"
    assert_equal "$(in_image cat /x)" inside
}

@test "COPY --chmod" {
    touch "$C/a"
    mkdir "$C/d"
    touch "$C/d/x"
    printf 'FROM base\nCOPY --chmod=0700 a /a\nCOPY --chmod=u=rwX,go=rX d /d/\nCOPY --chmod=a+x d /e/\n' | dockerfile
    chmod 0640 "$C/d/x"
    whelk build -q -t img "$C"
    assert_equal "$(in_image stat -c %a /a /d/x /e/x | xargs)" "700 644 751"
}

@test "COPY --chown: names of the image, numbers, and the directory that it makes" {
    skip_unless_lane root subuid # without subordinate ids all belong to root
    touch "$C/a"
    cat >"$C/Dockerfile" <<'DOCKERFILE'
FROM base
RUN echo 'late:x:77:78::/:/bin/sh' >>/etc/passwd
COPY --chown=user a /a
COPY --chown=late a /b
COPY --chown=12:staff a /new/c
COPY --chown=55 . /dir/sub/
DOCKERFILE
    whelk build -q -t img "$C"
    assert_equal "$(in_image stat -c %u:%g /a /b /new /new/c /dir /dir/sub /dir/sub/a | xargs)" \
        "1000:1000 77:78 0:0 12:50 0:0 55:55 55:55"
}

@test "COPY --chown: the layer is the same for every user, whatever ids are mapped" {
    echo x >"$C/a"
    chmod 0644 "$C/a"
    touch -d @1000000000 "$C/a"
    printf 'FROM base\nCOPY --chown=user:staff a /a\n' | dockerfile
    whelk build -q -t img "$C"
    assert_equal "$(inspect_field img '.RootFS.Layers[-1]')" \
        sha256:a97141f2480d126936b63a9548fe84820bdea06f496380ba3d847a4ff5461704
}

@test "COPY: hard links stay links" {
    echo x >"$C/one"
    ln "$C/one" "$C/two"
    printf 'FROM base\nCOPY . /d/\n' | dockerfile
    whelk build -q -t img "$C"
    assert_equal "$(in_image stat -c %h /d/one)" 2
    assert_equal "$(in_image sh -c '[ /d/one -ef /d/two ] && echo same')" same
}

@test "COPY --link stays cached when what lies below changes, and finds its layer for another base" {
    echo x >"$C/x"
    printf 'FROM base\nARG V=1\nRUN echo $V >/v\nCOPY --link x /dir/\nRUN cat /v /dir/x >/both\n' | dockerfile
    whelk build -q -t img "$C"
    layer=$(inspect_field img '.RootFS.Layers[-2]')
    run_whelk build -t img --build-arg V=2 "$C"
    assert_success
    assert_equal "$(grep -A1 'COPY --link' <<<"$stderr" | tail -n 1 | cut -d ' ' -f 1-3)" "--> Using cache"
    assert_equal "$(inspect_field img '.RootFS.Layers[-2]')" "$layer"
    assert_equal "$(in_image cat /both | xargs)" "2 x"
    printf 'FROM scratch\nCOPY --link x /dir/\n' | dockerfile
    run_whelk build -t img "$C"
    assert_equal "$(cached)" 1
    assert_equal "$(inspect_field img '.RootFS.Layers[-1]')" "$layer"
}

# --- ADD

# A git repository with two commits, a tag on the first and a branch, served on the loopback; its URL in $repository.
serve_repository() {
    command -v git >/dev/null || skip "git is not installed"
    local work=$BATS_TEST_TMPDIR/work port
    git init -q -b main "$work"
    (
        cd "$work"
        git config user.name n
        git config user.email e@example.com
        mkdir -p sub/dir
        echo one >file
        echo deep >sub/dir/deep
        printf '#!/bin/sh\n' >sub/script
        chmod +x sub/script
        git add .
        GIT_COMMITTER_DATE="@1000000000 +0000" git commit -qm one
        git tag -a -m first v1
        echo two >file
        git commit -qam two
        git branch other
    )
    mkdir "$BATS_TEST_TMPDIR/served"
    git clone -q --bare "$work" "$BATS_TEST_TMPDIR/served/app.git"
    for port in 19418 19419 19420 19421; do
        git daemon --export-all --listen=127.0.0.1 --port="$port" --base-path="$BATS_TEST_TMPDIR/served" --reuseaddr \
            "$BATS_TEST_TMPDIR/served" >/dev/null 2>&1 3>&- &
        daemon=$!
        repository=git://127.0.0.1:$port/app.git
        for _ in $(seq 100); do
            kill -0 "$daemon" 2>/dev/null || break
            [ -z "$(git ls-remote "$repository" v1 2>/dev/null)" ] || return 0
            sleep 0.05
        done
        kill "$daemon" 2>/dev/null || :
    done
    skip "git daemon does not start"
}

@test "ADD of files by http: names, modes, times, checksums, and the cache" {
    serve_files
    echo one >"$BATS_TEST_TMPDIR/www/a b.txt"
    touch -d @1000000000 "$BATS_TEST_TMPDIR/www/a b.txt"
    tar -C "$BATS_TEST_TMPDIR/www" -czf "$BATS_TEST_TMPDIR/www/t.tgz" "a b.txt"
    sum=$(sha256sum <"$BATS_TEST_TMPDIR/www/t.tgz" | cut -d ' ' -f 1)
    dockerfile <<DOCKERFILE
FROM base
ADD $server/a%20b.txt?x=y /dir/
ADD --chmod=0644 --link $server/a%20b.txt /named
ADD --checksum=sha256:$sum $server/t.tgz /kept.tgz
ADD --unpack=true $server/t.tgz /unpacked
DOCKERFILE
    whelk build -q -t img "$C"
    assert_equal "$(in_image stat -c '%n %a %u %Y' '/dir/a b.txt' /named)" $'/dir/a b.txt 600 0 1000000000\n/named 644 0 1000000000'
    assert_equal "$(in_image cat '/unpacked/a b.txt')" one
    assert_equal "$(in_image sha256sum /kept.tgz | cut -d ' ' -f 1)" "$sum"
    run_whelk build -t img "$C"
    assert_success
    assert_equal "$(cached)" 4
    echo two >"$BATS_TEST_TMPDIR/www/a b.txt"
    run_whelk build -t img "$C"
    assert_success
    assert_equal "$(in_image cat /named)" two
    while IFS='|' read -r line text; do
        printf 'FROM base\n%s\n' "$line" | dockerfile
        run_whelk build "$C"
        assert_status 125
        assert_stderr --partial "$text"
    done <<CASES
ADD --checksum=sha256:${sum%?????}00000 $server/t.tgz /x|what came from $server/t.tgz has sha256:$sum
ADD --checksum=md5:00 $server/t.tgz /x|--checksum=md5:00
ADD $server/none /x|answers with status 404
ADD $server/ /x/|has no name at its end
ADD http://127.0.0.1:1/x /x|127.0.0.1:1
CASES
}

@test "ADD of a git repository: branches, tags, directories, checksums, and the cache" {
    serve_repository
    first=$(git -C "$BATS_TEST_TMPDIR/work" rev-parse v1^{commit})
    second=$(git -C "$BATS_TEST_TMPDIR/work" rev-parse main)
    dockerfile <<DOCKERFILE
FROM base
ARG URL=$repository
ADD \$URL /main
ADD \$URL#v1 /tag/
ADD $repository#other:sub /sub
ADD --keep-git-dir --checksum=$second $repository#$second /kept
DOCKERFILE
    run_whelk build -t img "$C"
    assert_success
    in_image sh -ec '
        [ "$(cat /main/file /tag/file | xargs)" = "two one" ]
        [ "$(cat /sub/dir/deep)" = deep ] && [ -x /sub/script ] && [ ! -e /main/.git ] && [ -d /kept/.git ]
        [ "$(stat -c "%a %u" /tag/file)" = "644 0" ] && [ "$(stat -c %Y /tag/file)" = 1000000000 ]'
    run_whelk build -t img "$C"
    assert_success
    assert_equal "$(cached)" 5
    # A branch that moved is another commit.
    (cd "$BATS_TEST_TMPDIR/work" && echo three >file && git commit -qam three && git push -q "$BATS_TEST_TMPDIR/served/app.git" main)
    run_whelk build -t img "$C"
    assert_success
    assert_equal "$(in_image cat /main/file)" three
    printf 'FROM base\nADD --checksum=%s %s#main /x\n' "$first" "$repository" | dockerfile
    run_whelk build "$C"
    assert_status 125
    assert_stderr --partial "--checksum=$first: the commit is"
    printf 'FROM base\nADD %s#nosuch /x\n' "$repository" | dockerfile
    run_whelk build "$C"
    assert_status 125
    assert_stderr --partial 'there is no branch and no tag "nosuch"'
    printf 'FROM base\nADD %s#main:nosuch /x\n' "$repository" | dockerfile
    run_whelk build "$C"
    assert_status 125
    assert_stderr --partial "nosuch is not in"
    kill "$daemon"
}

# --- .dockerignore

@test ".dockerignore: exceptions, the error that names the line, and the file's names" {
    mkdir -p "$C/logs/keep" "$C/src"
    touch "$C/logs/a" "$C/logs/keep/b" "$C/src/c" "$C/src/d.tmp" "$C/secret"
    ln -s secret "$C/way"
    printf '# comment\nlogs\n!logs/keep\n**/*.tmp\nsecret\nDockerfile\n' >"$C/.dockerignore"
    printf 'FROM base\nCOPY . /c/\n' | dockerfile
    whelk build -q -t img "$C"
    assert_equal "$(in_image find /c -type f | sort | xargs)" "/c/.dockerignore /c/logs/keep/b /c/src/c"
    for source in secret 'secr*' way logs/a; do
        printf 'FROM base\nCOPY %s /x/\n' "$source" | dockerfile
        run_whelk build "$C"
        assert_status 125
        assert_stderr --partial "left out of the build context by the line"
        assert_stderr --partial ".dockerignore"
    done
    printf 'FROM base\nCOPY . /c/\n' | dockerfile
    echo 'src' >"$C/.containerignore"
    whelk build -q -t img "$C"
    run_whelk run --rm --network none img ls /c
    assert_line secret
    refute_output src
    printf '*\n!src\n' >"$C/Dockerfile.dockerignore"
    whelk build -q -t img "$C"
    assert_equal "$(in_image ls -A /c)" src
}

# --- stages

@test "stages: FROM and COPY --from by name and number, the unneeded are skipped" {
    dockerfile <<'DOCKERFILE'
ARG BASE=base
FROM $BASE AS Tools
RUN mkdir /out && echo tool >/out/tool && chmod 0750 /out/tool
ENV INHERITED=yes
FROM base AS unused
RUN exit 9
FROM tools AS second
RUN echo "$INHERITED" >/out/inherited
FROM scratch
COPY --from=tools /out/tool /bin/
COPY --from=2 /out/inherited /
COPY --from=base /bin/busybox /bin/
CMD ["/bin/busybox", "cat", "/inherited", "/bin/tool"]
DOCKERFILE
    run_whelk build -t img "$C"
    assert_success
    assert_stderr_line "[1/4] STEP 1/3: FROM \$BASE AS Tools"
    assert_stderr_line "[4/4] STEP 2/5: COPY --from=tools /out/tool /bin/"
    refute_stderr "exit 9"
    run_whelk run --rm --network none img
    assert_output $'yes\ntool'
    assert_equal "$(inspect_field img '.Config.Env | length')" 0
    # All of it cached: no stage is entered.
    run_whelk build -t img "$C"
    assert_success
    assert_equal "$(cached)" 7
    run_whelk build -t img --target TOOLS "$C"
    assert_success
    assert_equal "$(in_image cat /out/tool)" tool
    run_whelk build --target 1 "$C"
    assert_status 9
    run_whelk build --target tool "$C"
    assert_status 125
    assert_stderr --partial 'did you mean "tools"'
}

# Two stages that can only be built while the other one is, as the context's file tells them, and one that waits for both.
meeting_stages() {
    dockerfile <<'DOCKERFILE'
FROM base AS one
RUN --mount=type=cache,target=/m echo one >/one && touch /m/one && until [ -e /m/two ]; do sleep 0.05; done
FROM base AS two
RUN --mount=type=cache,target=/m echo two >/two && touch /m/two && until [ -e /m/one ]; do sleep 0.05; done
FROM base
RUN echo begins-before
COPY --from=one /one /
RUN --mount=from=two,target=/from cat /from/two >/two
DOCKERFILE
}

@test "stages side by side: at the same time, whole lines with their stage, the same image and cache" {
    meeting_stages
    whelk builder prune -af >/dev/null
    run_whelk build --timestamp 1 -t img "$C"
    assert_success
    assert_equal "$(in_image cat /one /two)" "one
two"
    assert_stderr_line "[3/3] begins-before"
    id=$output
    run_whelk build --timestamp 1 "$C"
    assert_output "$id"
    assert_equal "$(cached)" 5
    # The files in the cache mount are there now, so that it goes one after the other too.
    for jobs in 1 0 2; do
        run_whelk build --timestamp 1 --no-cache --jobs "$jobs" "$C"
        assert_output "$id"
    done
    run_whelk build --jobs many "$C"
    assert_status 125
    assert_stderr_line "Error: --jobs many: give a number of stages, 0 to 1000"
    dockerfile <<'DOCKERFILE'
FROM base AS one
RUN for i in 1 2 3 4 5 6 7 8 9; do printf "half of one"; sleep 0.02; echo " line"; done
FROM base
RUN for i in 1 2 3 4 5 6 7 8 9; do printf "half of two"; sleep 0.02; echo " line"; done
COPY --from=one /etc/passwd /
DOCKERFILE
    run_whelk build --no-cache "$C"
    assert_equal "$(grep -c '^\[1/2\] half of one line$' <<<"$stderr")" 9
    assert_equal "$(grep -c '^\[2/2\] half of two line$' <<<"$stderr")" 9
}

@test "stages side by side: a step that both have is made once; ARG is used; ONBUILD finds its stage" {
    dockerfile <<'DOCKERFILE'
FROM base AS one
ARG V
RUN --mount=type=cache,target=/m echo "$V" >>/m/made && sleep 0.2
FROM base AS two
ARG V
RUN --mount=type=cache,target=/m echo "$V" >>/m/made && sleep 0.2
FROM base
RUN --mount=type=cache,target=/m echo first
COPY --from=one /etc/passwd /p
COPY --from=two /etc/passwd /p
RUN --mount=type=cache,target=/m cp /m/made /made
DOCKERFILE
    whelk builder prune -af >/dev/null
    run_whelk build --build-arg V=7 -t img "$C"
    assert_success
    refute_stderr "not consumed"
    assert_equal "$(in_image cat /made)" 7
    dockerfile <<'DOCKERFILE'
FROM base AS only-trigger
RUN echo of-trigger >/t
FROM base AS parent
ONBUILD COPY --from=only-trigger /t /t
FROM base AS other
RUN sleep 0.1
FROM parent
RUN cat /t
COPY --from=other /etc/passwd /p
DOCKERFILE
    for jobs in 0 1; do
        run_whelk build --no-cache --jobs "$jobs" -t img "$C"
        assert_success
        assert_equal "$(in_image cat /t)" of-trigger
    done
}

@test "stages side by side: the first failure stops the others and keeps what is finished" {
    dockerfile <<'DOCKERFILE'
FROM base AS one
RUN --mount=type=cache,target=/m until [ -e /m/other ]; do sleep 0.05; done; rm /m/other; echo "failing now"; exit 7
FROM base AS two
RUN echo quick >/quick
RUN --mount=type=cache,target=/m touch /m/other; sleep 987 & sleep 988
FROM base
COPY --from=one /d /one
COPY --from=two /etc/passwd /p
DOCKERFILE
    run_whelk build "$C"
    assert_status 7
    assert_stderr_line "[1/3] failing now"
    assert_stderr --partial "failed with status 7"
    run pgrep -f 'sleep 98[78]'
    assert_output ""
    printf 'FROM base\nRUN echo quick >/quick\n' >"$C/Dockerfile"
    run_whelk build "$C"
    assert_stderr --partial "Using cache"
    assert_equal "$(ls "$STORE/tmp")" ""
}

@test "what is known and not done is refused with the way out" {
    echo "FROM base" | dockerfile
    for option in --annotation=a=b --cache-from=img --cache-to=img --memory=1g --cpu-quota=5; do
        run_whelk build "$option" "$C"
        assert_status 125
        assert_one_error
        assert_stderr --partial "is not done by this version: "
        refute_stderr STEP
    done
}

@test "--progress: a live view on a terminal, plain lines elsewhere" {
    dockerfile <<'DOCKERFILE'
FROM base AS one
RUN echo written-by-one; sleep 0.3
FROM base
RUN echo written-by-two; sleep 0.3
COPY --from=one /etc/passwd /
DOCKERFILE
    terminal size:24x100 -- build --no-cache "$C"
    assert_success
    assert_line --regexp ' [0-9]+\.[0-9]s \[1/2\] 2/2: RUN echo written-by-one; sleep 0.3'
    assert_output --partial "| written-by-two"
    refute_output --partial "STEP"
    assert_line --regexp '[0-9a-f]{64}$'
    assert_line "[status 0]"
    assert_line "[mode kept]"
    terminal -- build "$C"
    assert_line --partial "  cached [2/2] 3/3: COPY --from=one /etc/passwd /"
    terminal -- build --progress plain "$C"
    assert_line "[1/2] STEP 2/2: RUN echo written-by-one; sleep 0.3"
    printf 'FROM base\nRUN echo last-words; exit 4\n' | dockerfile
    terminal -- build "$C"
    assert_line --partial "  failed 2/2: RUN echo last-words; exit 4"
    assert_line --partial "         | last-words"
    assert_line "[status 4]"
    run_whelk build --progress tty "$C"
    assert_status 125
    assert_stderr_line "Error: --progress tty: standard error is no terminal; give plain"
    run_whelk build --progress rawjson "$C"
    assert_status 125
    assert_stderr --partial "--progress rawjson is not done by this version; known: auto, plain, tty, quiet"
    echo "FROM base" | dockerfile
    run_whelk build --progress quiet "$C"
    assert_success
    assert_stderr ""
}

@test "COPY --from: a stage that was made anew with the same contents is a hit" {
    printf 'FROM base AS a\nARG V=1\nRUN echo $V >/other; echo same >/same\nFROM base\nCOPY --from=a /same /\nRUN date +%%N >/now\n' | dockerfile
    whelk build -q -t img "$C"
    now=$(in_image cat /now)
    run_whelk build -t img --build-arg V=2 "$C"
    assert_success
    assert_equal "$(in_image cat /now)" "$now"
}

@test "COPY --from keeps owners and file capabilities" {
    skip_unless_lane root subuid
    printf 'FROM base AS a\nRUN echo x >/x && chown user:staff /x && chmod 4750 /x\nFROM base\nCOPY --from=a /x /y\n' | dockerfile
    whelk build -q -t img "$C"
    assert_equal "$(in_image stat -c %U:%G:%a /y)" user:staff:4750
}

# --- arguments

@test "--build-arg: defaults, the environment, global and platform arguments, and what is not consumed" {
    dockerfile <<'DOCKERFILE'
ARG G=global
FROM base
ARG A=one
ARG B=${A}-two
ARG G
ARG TARGETARCH
ARG E
LABEL v="$A/$B/$G/$TARGETARCH/$E/${UNSET:-none}"
RUN echo "${HTTP_PROXY-unset} ${A}" >/env
DOCKERFILE
    arch=$(inspect_field base .Architecture)
    whelk build -q -t img "$C"
    assert_equal "$(inspect_field img .Config.Labels.v)" "one/one-two/global/$arch//none"
    E=env run_whelk build -q -t img --build-arg A=1 --build-arg G=2 --build-arg E --build-arg HTTP_PROXY=p --build-arg zzz=1 "$C"
    assert_success
    assert_equal "$(inspect_field img .Config.Labels.v)" "1/1-two/2/$arch/env/none"
    assert_equal "$(in_image cat /env)" "p 1"
    assert_equal "$stderr" "Warning: --build-arg zzz was not consumed: no ARG declares it"
}

@test "--build-arg-file, --env, --from, --platform, --metadata-file and what is true by nature" {
    printf 'FROM nosuch\nARG A\nARG B\nENV E=file\nLABEL v=$A$B\n' | dockerfile
    printf '# comment\nA=1\r\nB=2\n\n' >"$C/args"
    F=own whelk build -q -t img --build-arg-file "$C/args" --build-arg B=3 --env E=option --env F --from base --rm --force-rm=true \
        --compress --load --platform "linux/$(inspect_field base .Architecture)" --metadata-file "$C/meta" "$C"
    assert_equal "$(inspect_field img .Config.Labels.v)" 13
    assert_equal "$(inspect_field img '.Config.Env | map(select(startswith("E=") or startswith("F="))) | join(" ")')" "E=option F=own"
    assert_equal "$(jq -r '."containerimage.config.digest", ."image.name"' "$C/meta" | xargs)" "$(inspect_field img .Id) img"
    for options in "--build-arg-file $C/none" "--env =x" "--platform plan9/mips" "--timestamp x" "--timestamp 1 --source-date-epoch 2" \
        "--rewrite-timestamp" "--metadata-file $C/none/x --from base" "--call nothing"; do
        run_whelk build -q $options "$C"
        assert_status 125
        assert_one_error
    done
}

@test "--output: the files as a directory and as a tar archive" {
    printf 'FROM scratch\nCOPY --chmod=4755 f /d/f\n' | dockerfile
    echo x >"$C/f"
    ln -s f "$C/l"
    run_whelk build -t img -o "$BATS_TEST_TMPDIR/new/out" "$C"
    assert_success
    assert_id "$output"
    assert_equal "$(stat -c '%a %u' "$BATS_TEST_TMPDIR/new/out/d/f")" "755 $(id -u)"
    whelk build -q --output type=local,dest="$BATS_TEST_TMPDIR/two" "$C"
    assert_equal "$(cat "$BATS_TEST_TMPDIR/two/d/f")" x
    whelk build -q -o - "$C" >"$BATS_TEST_TMPDIR/a.tar"
    whelk build -q -o type=tar,dest="$BATS_TEST_TMPDIR/b.tar" "$C"
    cmp "$BATS_TEST_TMPDIR/a.tar" "$BATS_TEST_TMPDIR/b.tar"
    assert_equal "$(python3 "$WHELK_TREE/test/lib/tree-list.py" /d <"$BATS_TEST_TMPDIR/a.tar" | xargs -d '\n')" 'd 0755 0:0 /d f 4755 0:0 /d/f "x\n"'
    for dest in type=other,dest=x type=local "type=tar,mode=1" type=image,dest=x "type=docker,tar=false,dest=x" "$C/f/x"; do
        run_whelk build -o "$dest" "$C"
        assert_status 125
        assert_one_error
    done
}

@test "--output: the image as an archive or a directory, or by another name" {
    printf 'FROM base\nRUN echo 1 >/one\n' | dockerfile
    cd "$BATS_TEST_TMPDIR"
    run_whelk build -t img -o type=oci,dest=oci.tar "$C"
    assert_success
    assert_id "$output"
    id=$output
    whelk build -q -o type=docker,dest=docker.tar "$C"
    whelk build -q -t img -o type=oci,tar=false,dest=layout "$C"
    whelk build -q -o type=oci "$C" >stdout.tar
    whelk build -q -o type=docker "$C"
    [ -f layout/oci-layout ]
    whelk build -q -o type=image,name=named-so "$C"
    assert_equal "$(inspect_field named-so .Id)" "sha256:$id"
    whelk rmi img named-so >/dev/null
    for from in oci.tar docker.tar stdout.tar layout; do
        run_whelk load -q -i "$from"
        assert_success
        assert_output --partial "$([ "$from" = oci.tar ] || [ "$from" = layout ] && echo localhost/img:latest || echo "$id")"
    done
    assert_equal "$(inspect_field img .Id)" "sha256:$id"
    # The failure of what comes after is that of the command.
    run_whelk build -o type=oci,dest=nowhere/file "$C"
    assert_status 125
    assert_stderr --partial nowhere/file
    # A build that fails writes nothing.
    printf 'FROM base\nRUN exit 3\n' | dockerfile
    run_whelk build -o type=oci,dest=not.tar "$C"
    assert_status 3
    [ ! -e not.tar ]
}

@test "--push and --format: refused where no name says where to" {
    echo "FROM base" | dockerfile
    run_whelk build --push "$C"
    assert_status 125
    assert_stderr_line "Error: --push: no name says where to; give --tag registry.example.org/NAME"
    run_whelk build --push -t img "$C"
    assert_status 125
    assert_stderr_line "Error: --push: img names no registry; give --tag registry.example.org/img"
    run_whelk build --format squashfs "$C"
    assert_status 125
    assert_stderr_line 'Error: --format is oci or docker, not "squashfs"'
}

@test "--squash, --layers=false, --squash-all: the same files in one layer" {
    dockerfile <<'DOCKERFILE'
FROM base
RUN mkdir /d && echo 1 >/d/one && echo tmp >/big && rm /etc/group && ln /d/one /d/hard
RUN rm -r /d /big && mkdir /d && echo 2 >/d/two && chmod 750 /d && rm /bin/vi
RUN rm -r /tmp && mkdir -m 1777 /tmp && echo x >/tmp/x && ln /tmp/x /tmp/y
RUN ln -s /d /bin/vi && chown 12:13 /d/two && mkdir -p /usr/new/deep && echo z >/usr/new/deep/z
DOCKERFILE
    files() {
        whelk build -q "$@" -o - "$C" | tar -tv --full-time --numeric-owner | sort -k 6
    }
    files >"$BATS_TEST_TMPDIR/as-ever"
    grep -q usr/new/deep/z "$BATS_TEST_TMPDIR/as-ever"
    base=$(whelk image inspect --format '{{len .RootFS.Layers}}' base)
    for how in --squash --layers=false --squash-all; do
        files "$how" >"$BATS_TEST_TMPDIR/squashed"
        cmp "$BATS_TEST_TMPDIR/as-ever" "$BATS_TEST_TMPDIR/squashed"
        id=$(whelk build -q "$how" "$C")
        assert_equal "$(whelk build -q "$how" "$C")" "$id"
        [ "$how" != --squash-all ] || base=0
        assert_equal "$(whelk image inspect --format '{{len .RootFS.Layers}}' "$id")" $((base + 1))
        assert_equal "$(whelk history --no-trunc --format '{{.CreatedBy}}' "$id" | head -n 1)" squash
    done
    # What was there for a while only is not in it, by no name.
    whelk save --format oci-archive -o "$BATS_TEST_TMPDIR/img.tar" "$(whelk build -q --squash "$C")"
    mkdir "$BATS_TEST_TMPDIR/img"
    tar -xf "$BATS_TEST_TMPDIR/img.tar" -C "$BATS_TEST_TMPDIR/img"
    for blob in "$BATS_TEST_TMPDIR"/img/blobs/sha256/*; do
        tar -tf "$blob" 2>/dev/null || true
    done >"$BATS_TEST_TMPDIR/names"
    grep -q 'etc/.wh.group' "$BATS_TEST_TMPDIR/names"
    run grep -E '\.wh\.(big|d)$|d/one' "$BATS_TEST_TMPDIR/names"
    assert_output ""
    # One new layer is one already.
    printf 'FROM base\nRUN echo 1 >/one\nENV A=1\n' | dockerfile
    assert_equal "$(whelk build -q --squash "$C")" "$(whelk build -q "$C")"
}

@test "--no-cache-filter makes the stages anew that it names" {
    printf 'FROM base AS a\nRUN echo a >/a\nFROM a AS b\nRUN echo b >/b\nFROM base\nCOPY --from=b /b /\n' | dockerfile
    whelk build -q "$C"
    run_whelk build --no-cache-filter=a "$C"
    assert_success
    assert_equal "$(cached)" 1 # COPY: what it takes is the same
    run_whelk build --no-cache-filter=A,2 --no-cache-filter 1 "$C"
    assert_success
    assert_equal "$(cached)" 0
}

@test "--timestamp and SOURCE_DATE_EPOCH: equal input gives equal images, whenever it is built" {
    printf 'FROM base\nRUN mkdir /d && echo x >/d/x\nCOPY f /f\nWORKDIR /w/w\n' | dockerfile
    echo f >"$C/f"
    one=$(whelk build -q --no-cache --timestamp 1000000000 -t img "$C")
    touch "$C/f"
    assert_equal "$(whelk build -q --no-cache --timestamp 1000000000 -t img "$C")" "$one"
    assert_equal "$(inspect_field img '| .Created, .History[-1].created' | xargs)" "2001-09-09T01:46:40.000000000Z 2001-09-09T01:46:40.000000000Z"
    assert_equal "$(in_image stat -c %Y /d /d/x /f /w /w/w | sort -u)" 1000000000
    touch -d @5 "$C/f"
    one=$(SOURCE_DATE_EPOCH=1000 whelk build -q --no-cache --rewrite-timestamp "$C")
    assert_equal "$(whelk build -q --no-cache --rewrite-timestamp --source-date-epoch 1000 -t img "$C")" "$one"
    assert_equal "$(in_image stat -c %Y /d/x /f | xargs)" "1000 5"
    run_whelk build --build-arg SOURCE_DATE_EPOCH=1000 -t img "$C"
    assert_success
    refute_stderr "not consumed"
    assert_equal "$(inspect_field img .Created)" "1970-01-01T00:16:40.000000000Z"
}

@test "--check: a line for each rule that is broken; --call targets, outline" {
    cat >"$C/Dockerfile" <<'DOCKERFILE'
ARG TAG
FROM base:$TAG AS Builder
from $NOPE as b
FROM --platform=linux/amd64 base as context
WORKDIR rel
ENV API_KEY x
ENV A=b
RUN echo \

  x
CMD echo
CMD echo $UNDEF
COPY $UNDEF $A ${D:-x} /x/
COPY secret /
EXPOSE 80/TCP 80:80
MAINTAINER x
FROM --platform=$TARGETPLATFORM base AS builder
SHELL ["/bin/sh","-c"]
CMD x
ARG PUBLIC_KEY=1
DOCKERFILE
    echo secret >"$C/.dockerignore"
    run_whelk build --check "$C"
    assert_status 1
    [ -z "$stderr" ]
    assert_equal "$(cut -d ' ' -f 1,2 <<<"$output" | sed 's/Dockerfile:\(.*\): \(.*\):/\1 \2/' | xargs)" "$(xargs <<'RULES'
2 InvalidDefaultArgInFrom
2 StageNameCasing
3 ConsistentInstructionCasing
3 InvalidDefaultArgInFrom
3 UndefinedArgInFrom
4 FromAsCasing
4 FromPlatformFlagConstDisallowed
4 ReservedStageName
5 WorkdirRelativePath
6 LegacyKeyValueFormat
6 SecretsUsedInArgOrEnv
9 NoEmptyContinuation
11 JSONArgsRecommended
12 JSONArgsRecommended
12 MultipleInstructionsDisallowed
13 UndefinedVar
14 CopyIgnoredFile
15 ExposeInvalidFormat
15 ExposeProtoCasing
16 MaintainerDeprecated
17 DuplicateStageName
17 RedundantTargetPlatform
RULES
)"
    run_whelk build --call=targets "$C"
    assert_success
    assert_output $'builder (from base:$TAG)\nb (from $NOPE)\ncontext (from base)\nbuilder (from base) (default)'
    run_whelk build --call outline "$C"
    assert_output $'TAG\nPUBLIC_KEY=1'
    printf '# check=skip=JSONArgsRecommended\nFROM base\nCMD x\n' | dockerfile
    run_whelk build --call check "$C"
    assert_success
    assert_output ""
}

# --- what the image says

@test "the image's config: last ones win, CMD goes with a new ENTRYPOINT" {
    dockerfile <<'DOCKERFILE'
FROM base
MAINTAINER A. B. <ab@example.com>
CMD ["a"]
CMD b $HOME
EXPOSE 80 53/UDP 9000-9001
LABEL one=1 "two words"=2
USER 12:34
ENV OLD form with blanks
WORKDIR a
WORKDIR b/../c
DOCKERFILE
    run_whelk build -t img --label three=3 --label one=uno "$C"
    assert_success
    assert_stderr_line "Warning: Dockerfile:2: MAINTAINER is deprecated, use LABEL"
    assert_equal "$(inspect_field img '| [.Author, (.Config | .Cmd, (.ExposedPorts | keys), .Labels, .User, .WorkingDir)] | tojson')" \
        '["A. B. <ab@example.com>",["/bin/sh","-c","b $HOME"],["53/udp","80/tcp","9000/tcp","9001/tcp"],{"one":"uno","three":"3","two words":"2"},"12:34","/a/c"]'
    assert_equal "$(inspect_field img '.Config.Env | map(select(startswith("OLD="))) | .[0]')" "OLD=form with blanks"
    printf 'FROM img\nENTRYPOINT ["e"]\n' | dockerfile
    whelk build -q -t img2 "$C"
    assert_equal "$(inspect_field img2 '.Config | [.Entrypoint, .Cmd] | tojson')" '[["e"],null]'
    printf 'FROM img\nCMD ["c"]\nENTRYPOINT e\n' | dockerfile
    whelk build -q -t img2 "$C"
    assert_equal "$(inspect_field img2 '.Config | [.Entrypoint, .Cmd] | tojson')" '[["/bin/sh","-c","e"],["c"]]'
}

@test "WORKDIR makes what is missing, and leaves the rest alone" {
    printf 'FROM base\nWORKDIR /home/user\nWORKDIR /made/here\n' | dockerfile
    whelk build -q -t img "$C"
    assert_equal "$(in_image stat -c '%a %u' /made/here /made | xargs)" "755 0 755 0"
    assert_equal "$(in_image pwd)" /made/here
    assert_equal "$(inspect_field img '.RootFS.Layers | length')" $(($(inspect_field base '.RootFS.Layers | length') + 1))
}

@test "FROM scratch alone makes an image" {
    echo x >"$C/x"
    printf 'FROM scratch\nCOPY x /\n' | dockerfile
    run_whelk build -t img "$C"
    assert_success
    assert_equal "$(inspect_field img '.RootFS.Layers | length')" 1
}

# --- the end

@test "a build that is interrupted leaves nothing but what is finished" {
    printf 'FROM base AS one\nRUN echo one >/one\nRUN sleep 600\n' | dockerfile
    for signal in INT TERM KILL INT KILL; do
        # From the third on with a stage beside it.
        [ "$signal" != KILL ] || printf 'FROM base\nRUN sleep 600\nCOPY --from=one /one /\n' >>"$C/Dockerfile"
        # A shell starts what it does not wait for with SIGINT ignored.
        env --default-signal=INT "$WHELK" build "$C" >/dev/null 2>"$BATS_TEST_TMPDIR/log" 3>&- &
        pid=$!
        wait_for 10 grep -q "sleep 600" "$BATS_TEST_TMPDIR/log"
        sleep 0.2
        kill -"$signal" "$pid"
        code=0
        wait "$pid" || code=$?
        assert_equal "$code" $((128 + $(kill -l "$signal")))
        wait_for 10 no_orphans
    done
    echo "FROM base" | dockerfile
    whelk build -q "$C" # tidies up what SIGKILL left
    wait_for 5 prints "" store_entries tmp # the last container deletes its files after it has answered
}

@test "nothing is left behind" {
    whelk rm -af >/dev/null
    whelk rmi -af >/dev/null
    no_leftovers
}
