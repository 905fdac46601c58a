# time-limit: 600
# Users without subordinate ids have one id. What RUN does with others is played, and the layers are those of everybody else.

load ../lib/common

setup_file() {
    local tar
    base_image
    if [ "$WHELK_LANE" = plain ] && tar=$(sh "$WHELK_TREE/test/lib/mkdebian"); then
        whelk import "$tar" debian
        export have_base=1
    fi
}

setup() {
    C=$BATS_TEST_TMPDIR/context
    mkdir "$C"
}

teardown_file() {
    whelk rm -af >/dev/null 2>&1 || :
    whelk rmi -af >/dev/null 2>&1 || :
}

# Runs the lines of standard input in a RUN step, after which all times are the same.
layer_of() {
    {
        printf 'FROM base\nRUN sh -c '
        sed "s/'/'\\\\''/g; 1s/^/'/; \$s/\$/'/; \$!s/\$/ \\\\/"
    } >"$C/Dockerfile"
    whelk build -q --no-cache -t img "$C" >/dev/null
    inspect_field img '.RootFS.Layers[-1]'
}
debian_only() {
    skip_unless_lane plain # the others have ids: test/life/debian.bats
    [ -n "${have_base-}" ] || skip "no Debian base: sh test/lib/mkdebian, as root"
}

@test "owners that RUN gives are the same in the layer for every user, whatever ids are mapped" {
    run layer_of <<'SH'
umask 022;
mkdir -p /a/b /shared /late;
chown 1000:50 /a/b;
echo x >/a/b/file; chown 7:8 /a/b/file; chmod 4755 /a/b/file; chown 9 /a/b/file;
ln /a/b/file /a/twin;
ln -s nowhere /a/link; chown -h 11:12 /a/link;
chgrp 50 /shared; chmod 2775 /shared; echo x >/shared/file; mkdir /shared/dir; mkfifo /shared/pipe;
chuser 1000 sh -c "cd /late" ; chown 1000:1000 /late;
chuser 1000 sh -c "echo x >/late/mine; mkdir /late/dir; ln -s a /late/dir/link; mkfifo /late/pipe";
chown -R 33:33 /late/dir; mv /late/dir /late/moved; chown 0:0 /late/pipe; touch -h -d @1000000000 /a/link /late/moved/link;
touch -d @1000000000 /a /a/b /a/b/file /shared /shared/file /shared/dir /late /late/mine /late/moved /shared/pipe /late/pipe /
SH
    assert_success
    assert_output "sha256:4691a083f7aa1db70e125bb9ab2434b605073ee9d446d93e3e3edd5f9b524f18"
}

@test "owners that ADD finds in an archive are the same in the layer for every user, also of links and pipes" {
    cp -r "$DATA/build/add-plain/." "$C"
    (cd "$C" && sh -eu expect/setup)
    whelk build -q --timestamp 0 -t img "$C" >/dev/null
    assert_equal "$(inspect_field img '.RootFS.Layers[-1]')" \
        "sha256:6d054f43429b610ef5ac1c198c9b13ba890c79f4b60c07fdd27b227fb680576b"
}

@test "what RUN sees of ids and owners is what it made of them" {
    skip_unless_lane plain
    cat >"$C/Dockerfile" <<'DOCKERFILE'
FROM base
RUN touch /f && chown 1000:50 /f && stat -c %u:%g /f && ln -s x /l && chown -h 7:8 /l && stat -c %u:%g /l
RUN stat -c %u:%g /f && cp -a /f /g && stat -c %u:%g /g && chown 0:0 /f && stat -c %u:%g /f
USER user
RUN id -u; id -G; touch /tmp/mine; stat -c %u:%g /tmp/mine; chown 0 /tmp/mine 2>&1 || echo refused
DOCKERFILE
    run_whelk build --no-cache -t img "$C"
    assert_success
    assert_equal "$(grep -E '^[0-9: ]+$|^refused' <<<"$stderr" | xargs)" "1000:50 7:8 1000:50 1000:50 0:0 1000 1000 50 1000:1000 refused"
}

@test "the owner of a file goes along when a later layer changes, moves or copies it" {
    skip_unless_lane plain
    cat >"$C/Dockerfile" <<'DOCKERFILE'
FROM base AS one
RUN echo x >/f && chown 1000:50 /f && mkdir /d && chown 5:6 /d
RUN echo y >>/f && touch /d/new && mv /f /moved
FROM base
COPY --from=one /moved /d /to/
COPY --from=one --chown=3:4 /moved /again
DOCKERFILE
    whelk build -q --target one -t one "$C"
    whelk create --name c one /x
    assert_equal "$(whelk export c | tar -tvf - --numeric-owner moved d/ | awk '{ print $2, $6 }' | sort)" $'0/0 d/new\n1000/50 moved\n5/6 d/'
    whelk build -q -t two "$C"
    whelk create --name c2 two /x
    assert_equal "$(whelk export c2 | tar -tvf - --numeric-owner to/moved again | awk '{ print $2, $6 }' | sort)" $'1000/50 to/moved\n3/4 again'
    whelk rm c c2
}

@test "an archive cannot say what whelk keeps" {
    skip_unless_lane plain
    touch "$C/f"
    tar --format=pax --pax-option=SCHILY.xattr.user.whelk.owner:=5:5 --numeric-owner --owner=3 --group=4 -C "$C" -cf "$BATS_TEST_TMPDIR/tar" f
    whelk import "$BATS_TEST_TMPDIR/tar" hostile
    whelk create --name h hostile /x
    assert_equal "$(whelk export h | tar -tvf - --numeric-owner f | awk '{ print $2 }')" 3/4
    whelk rm h
}

@test "processes keep who they are over fork and exec, and get back only what they may" {
    debian_only
    cat >"$C/Dockerfile" <<'DOCKERFILE'
FROM debian
RUN apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*
COPY ids.py /
RUN python3 /ids.py
DOCKERFILE
    cat >"$C/ids.py" <<'PYTHON'
import os, subprocess
def refused(fn, *args):
    try:
        fn(*args)
    except PermissionError:
        return True
    return False
before = subprocess.Popen(["sh", "-c", "read x; id -u"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
os.setgroups([65534, 7])
os.setresgid(100, 100, 100)
os.setresuid(33, 33, 0)
assert os.getresuid() == (33, 33, 0) and os.getresgid() == (100, 100, 100) and os.getgroups() == [65534, 7]
assert refused(os.setuid, 1) and refused(os.setgroups, []) and refused(os.setresgid, 0, 0, 0)
assert before.communicate(b"\n")[0] == b"0\n", "a child that was there keeps what it was"
os.seteuid(0)
os.setresuid(33, 33, 33)
assert refused(os.setuid, 0)
assert subprocess.run(["id", "-u"], capture_output=True).stdout == b"33\n"
if os.fork() == 0:
    assert os.getuid() == 33
    open("/tmp/child", "w").close()
    assert os.stat("/tmp/child").st_uid == 33
    os._exit(7)
assert os.wait()[1] == 7 << 8
assert refused(os.chown, "/etc/passwd", 33, 33)
print("as it should be")
PYTHON
    run_whelk build --network host -t ids "$C"
    assert_success
    assert_stderr_line "as it should be"
}

@test "apt-get, useradd, gosu and pip as in everybody's Dockerfile" {
    debian_only
    cat >"$C/Dockerfile" <<'DOCKERFILE'
FROM debian
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install -y --no-install-recommends gosu python3-pip python3-wheel && rm -rf /var/lib/apt/lists/*
RUN useradd --system --create-home app && gosu app sh -c 'touch ~/by-gosu; id -un'
COPY --chown=app:app . /home/app/demo/
RUN pip3 install --break-system-packages --no-build-isolation --no-index /home/app/demo && stat -c %U:%G /usr/local/lib/python3*/dist-packages/demo.py
USER app
RUN python3 -c 'import demo' && find /home/app -maxdepth 1 ! -user app | wc -l
USER root
RUN dpkg --verify && su app -s /bin/sh -c 'id -un' && stat -c %U:%G /home/app/by-gosu
DOCKERFILE
    printf '[project]\nname = "demo"\nversion = "1"\n' >"$C/pyproject.toml"
    echo 'print("pip works")' >"$C/demo.py"
    run_whelk build --network host -t app "$C"
    assert_success
    assert_stderr_line "root:root"
    assert_stderr_line "pip works"
    assert_stderr_line "0"
    assert_stderr_line "app:app"
}
