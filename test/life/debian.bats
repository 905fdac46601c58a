# lanes: subuid root
# time-limit: 600
# A real distribution: a base made with debootstrap, and its package manager at work in a RUN step.

load ../lib/common

setup_file() {
    local tar
    if tar=$(sh "$WHELK_TREE/test/lib/mkdebian"); then
        whelk import "$tar" debian
        export have_base=1
    fi
}

setup() {
    [ -n "${have_base-}" ] || skip "no Debian base: sh test/lib/mkdebian, as root"
}

teardown_file() {
    whelk rm -af >/dev/null 2>&1 || :
    whelk rmi -af >/dev/null 2>&1 || :
}

@test "the imported base runs and has its owners and modes" {
    run_whelk run --rm debian sh -c '. /etc/os-release; echo $ID; stat -c "%U %G %a" /tmp /etc/shadow /var/mail /usr/bin/passwd'
    assert_success
    assert_output $'debian\nroot root 1777\nroot shadow 640\nroot mail 2775\nroot root 4755'
}

@test "dpkg finds every file of the base as it should be" {
    run_whelk run --rm debian dpkg --verify
    assert_success
    assert_output ""
}

@test "RUN apt-get install python3, and a script that runs in it" {
    mkdir "$BATS_TEST_TMPDIR/context"
    cat >"$BATS_TEST_TMPDIR/context/Dockerfile" <<'DOCKERFILE'
FROM debian
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*
WORKDIR /srv/app
COPY primes.py .
RUN python3 primes.py 30 >primes
RUN useradd --system --create-home app && chown app: primes
USER app
ENTRYPOINT ["python3", "primes.py"]
CMD ["10"]
DOCKERFILE
    cat >"$BATS_TEST_TMPDIR/context/primes.py" <<'PYTHON'
import sys
print(*[n for n in range(2, int(sys.argv[1])) if all(n % d for d in range(2, n))])
PYTHON
    whelk build --network host -t primes "$BATS_TEST_TMPDIR/context" 2>&1
    run_whelk run --rm primes
    assert_success
    assert_output "2 3 5 7"
    run_whelk run --rm --entrypoint sh primes -c 'cat primes; stat -c %U primes; id -un'
    assert_output $'2 3 5 7 11 13 17 19 23 29\napp\napp'
    run_whelk run --rm --user root --entrypoint dpkg primes --verify python3-minimal
    assert_success
    assert_output ""
    # All steps come out of the cache the second time.
    run_whelk build --network host -t primes "$BATS_TEST_TMPDIR/context"
    assert_success
    refute_stderr "Setting up"
    [ "$(grep -c 'Using cache' <<<"$stderr")" -ge 9 ]
}

@test "a failing apt-get says so with its own status, and tags nothing" {
    mkdir "$BATS_TEST_TMPDIR/context"
    printf 'FROM debian\nRUN apt-get install -y no-such-package-here\n' >"$BATS_TEST_TMPDIR/context/Dockerfile"
    run_whelk build -t failed "$BATS_TEST_TMPDIR/context"
    assert_status 100
    assert_output ""
    assert_stderr --partial "no-such-package-here"
    run_whelk images -q failed
    assert_output ""
}
