# whelk build: RUN --mount

load ../lib/common

setup_file() {
    base_image
}

setup() {
    C=$BATS_TEST_TMPDIR/context
    mkdir "$C"
}

teardown_file() {
    whelk rmi -af >/dev/null 2>&1 || :
}

dockerfile() {
    cat >"$C/Dockerfile"
}
# Builds, with the output of RUN in $stderr.
build() {
    run_whelk build -t img "$@" "$C"
}
cached() {
    grep -c 'Using cache' <<<"$stderr" || :
}

@test "bind: a file and a directory of the context, read-only, without a trace in the layer" {
    mkdir "$C/dir"
    echo one >"$C/dir/file"
    echo req >"$C/requirements"
    dockerfile <<'DOCKERFILE'
FROM base
WORKDIR /w
RUN --mount=source=requirements,target=/tmp/requirements --mount=type=bind,source=dir,target=in \
    cat /tmp/requirements in/file && ! touch in/x 2>/dev/null && ! mv /tmp/requirements /x 2>/dev/null; ls /w >/list
RUN test ! -e /w/in && test ! -e /tmp/requirements && cat /list
DOCKERFILE
    build
    assert_success
    assert_stderr_line req
    assert_stderr_line one
    assert_stderr_line in
}

@test "bind: what the ignore file leaves out is not seen, and counts for no key" {
    mkdir -p "$C/sub"
    touch "$C/kept" "$C/sub/secret" "$C/sub/kept"
    echo 'sub/secret' >"$C/.dockerignore"
    printf 'FROM base\nRUN --mount=target=/c find /c | sort\n' | dockerfile
    build
    assert_success
    assert_stderr_line /c/sub/kept
    refute_stderr /c/sub/secret
    echo changed >"$C/sub/secret"
    build
    assert_equal "$(cached)" 1
    echo changed >"$C/kept"
    build
    assert_equal "$(cached)" 0
    printf 'FROM base\nRUN --mount=source=sub/secret,target=/c true\n' | dockerfile
    build
    assert_status 125
    assert_stderr --partial 'is left out of the build context by the line "sub/secret"'
}

@test "bind: times count for no key, contents and names do" {
    mkdir "$C/d"
    echo x >"$C/d/f"
    printf 'FROM base\nRUN --mount=source=d,target=/d cat /d/*\n' | dockerfile
    build
    touch -d @1000000 "$C/d/f"
    build
    assert_equal "$(cached)" 1
    mv "$C/d/f" "$C/d/g"
    build
    assert_equal "$(cached)" 0
}

@test "bind rw: what is written is thrown away" {
    echo x >"$C/f"
    dockerfile <<'DOCKERFILE'
FROM base
RUN --mount=target=/c,rw echo more >>/c/f && echo new >/c/new && cat /c/f /c/new
RUN test ! -e /c
DOCKERFILE
    build
    assert_success
    assert_stderr_line more
    assert_stderr_line new
    assert_equal "$(cat "$C/f")" x
    [ ! -e "$C/new" ]
}

@test "bind from a stage and from an image: the stage is built, its contents are the key" {
    dockerfile <<'DOCKERFILE'
FROM base AS tools
ARG WHAT=one
RUN mkdir -p /opt/tool/bin && echo "echo $WHAT" >/opt/tool/bin/run
FROM base AS unused
RUN false
FROM base
RUN --mount=from=tools,source=/opt/tool,target=/t sh /t/bin/run
RUN --mount=type=bind,from=base,source=/bin/busybox,target=/box test -x /box && ! test -d /box
RUN --mount=from=tools,source=/opt/tool,target=/t,rw echo more >>/t/bin/run && wc -l </t/bin/run
DOCKERFILE
    build
    assert_success
    assert_stderr --partial "one"
    assert_stderr_line 2
    build
    assert_equal "$(cached)" 5
    build --build-arg WHAT=two
    assert_success
    assert_stderr_line two
    printf 'FROM base\nRUN --mount=from=nosuch,target=/t true\n' | dockerfile
    build --pull=never
    assert_status 125
    assert_stderr --partial "from=nosuch is no stage before this one, and no image that is here"
}

@test "cache: it stays from build to build, is no part of the layer, and begins as the image has it" {
    dockerfile <<'DOCKERFILE'
FROM base AS seed
RUN mkdir /seed && echo seed >/seed/file
FROM base
ARG N
RUN --mount=type=cache,target=/var/cache/x,id=mine echo "run $N" >>/var/cache/x/log && cat /var/cache/x/log
RUN --mount=type=cache,target=/s,from=seed,source=/seed,id=seeded cat /s/file
RUN --mount=type=cache,target=/m,id=moded,mode=0700,uid=7,gid=8 stat -c "mode %a %u:%g" /m
RUN ! test -e /var/cache/x/log
DOCKERFILE
    build --build-arg N=1
    assert_success
    assert_stderr_line "run 1"
    assert_stderr_line seed
    assert_stderr_line "mode 700 7:8"
    build --build-arg N=2
    assert_success
    assert_stderr_line "run 1"
    assert_stderr_line "run 2"
}

@test "cache: shared, private and locked" {
    local sharing n
    for sharing in shared private locked; do
        printf 'FROM base\nARG N\nRUN --mount=type=cache,target=/c,id=%s,sharing=%s echo $N >/c/who && sleep 1 && cat /c/who >/who\n' $sharing $sharing |
            dockerfile
        for n in 1 2; do
            whelk build -q -t "$sharing$n" --build-arg N=$n "$C" >/dev/null &
        done
        wait
        [ "$sharing" = shared ] || for n in 1 2; do
            assert_equal "$(whelk run --rm --network none "$sharing$n" cat /who)" $n
        done
    done
}

@test "tmpfs: empty, of a size, and gone" {
    dockerfile <<'DOCKERFILE'
FROM base
RUN --mount=type=tmpfs,target=/etc,size=1m ls -A /etc | grep -vE '^(hosts|hostname|resolv.conf)$' | wc -l && ! dd if=/dev/zero of=/etc/x bs=1k count=2000 2>/dev/null
RUN test -f /etc/passwd && test ! -e /etc/x
DOCKERFILE
    build
    assert_success
    assert_stderr_line 0
}

@test "secret: a file or a variable, in no layer, no history and no key" {
    echo hidden-text >"$BATS_TEST_TMPDIR/secret"
    dockerfile <<'DOCKERFILE'
FROM base
RUN --mount=type=secret,id=token wc -c </run/secrets/token && stat -c %a:%u /run/secrets/token
RUN --mount=type=secret,id=token,target=/root/.netrc,mode=0444 test -s /root/.netrc
RUN --mount=type=secret,id=token,env=TOKEN echo "variable ${#TOKEN}"
RUN --mount=type=secret,id=other test ! -e /run/secrets/other
RUN test ! -e /run/secrets && test ! -e /root/.netrc
DOCKERFILE
    build --secret "id=token,src=$BATS_TEST_TMPDIR/secret"
    assert_success
    assert_stderr_line 12
    assert_stderr_line 400:0
    assert_stderr_line "variable 12"
    ! grep -rqs hidden-text "$STORE"
    ! whelk inspect img | grep -q hidden-text
    echo other-text >"$BATS_TEST_TMPDIR/secret"
    build --secret "id=token,src=$BATS_TEST_TMPDIR/secret"
    assert_equal "$(cached)" 5
    HIDDEN=from-env build --no-cache --secret id=token,env=HIDDEN
    assert_success
    assert_stderr_line 8
    printf 'FROM base\nRUN --mount=type=secret,id=must,required true\n' | dockerfile
    build
    assert_status 125
    assert_stderr --partial "RUN needs the secret must: give --secret id=must,src=FILE"
    build --secret id=must,src=/nosuch
    assert_status 125
    assert_stderr --partial "--secret id=must: cannot read /nosuch"
}

@test "ssh: an agent's socket" {
    command -v ssh-agent >/dev/null || skip "no ssh-agent (openssh-client)"
    eval "$(ssh-agent -a "$BATS_TEST_TMPDIR/agent")"
    dockerfile <<'DOCKERFILE'
FROM base
RUN --mount=type=ssh test -S "$SSH_AUTH_SOCK" && echo "$SSH_AUTH_SOCK"
RUN --mount=type=ssh,id=deploy,target=/agent test -S /agent
RUN test -z "$SSH_AUTH_SOCK" && test ! -e /agent
DOCKERFILE
    build --ssh default --ssh "deploy=$BATS_TEST_TMPDIR/agent"
    kill "$SSH_AGENT_PID"
    assert_success
    assert_stderr_line /run/buildkit/ssh_agent.0
    printf 'FROM base\nRUN --mount=type=ssh,required true\n' | dockerfile
    build
    assert_status 125
    assert_stderr --partial "RUN needs an ssh agent: give --ssh default"
}

@test "errors of --mount show the line" {
    printf 'FROM base\nRUN --mount=type=cashe,target=/x true\n' | dockerfile
    build
    assert_status 125
    assert_stderr --partial "there is no type cashe; did you mean cache?"
    assert_stderr --partial "Dockerfile:2"
    printf 'FROM base\nRUN --mount=source=nosuch,target=/x true\n' | dockerfile
    build
    assert_status 125
    assert_stderr --partial "nosuch is not in the build context"
    printf 'FROM base\nRUN --mount=source=.,target=/ true\n' | dockerfile
    build
    assert_status 125
    assert_stderr --partial "the target cannot be the root directory"
}
