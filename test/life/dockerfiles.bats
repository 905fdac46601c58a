# lanes: subuid root
# time-limit: 900
# Dockerfiles in the manner of the official images, on a Debian base, with packages from apt.

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
    C=$BATS_TEST_TMPDIR/context
    mkdir "$C"
}

teardown_file() {
    whelk rm -af >/dev/null 2>&1 || :
    whelk rmi -af >/dev/null 2>&1 || :
}

@test "a server with a user of its own, a volume and an entrypoint that steps down (redis, postgres)" {
    cat >"$C/docker-entrypoint.sh" <<'SCRIPT'
#!/bin/sh
set -e
if [ "${1#-}" != "$1" ]; then
    set -- server "$@"
fi
if [ "$1" = server ] && [ "$(id -u)" = 0 ]; then
    find . \! -user server -exec chown server '{}' +
    exec setpriv --reuid=server --regid=server --clear-groups "$0" "$@"
fi
[ "$1" != server ] || exec echo "$(id -un) serves $PWD: $*"
exec "$@"
SCRIPT
    cat >"$C/Dockerfile" <<'DOCKERFILE'
FROM debian
RUN set -eux; \
	groupadd -r -g 999 server; \
	useradd -r -g server -u 999 server
RUN set -eux; \
	savedAptMark="$(apt-mark showmanual)"; \
	apt-get update; \
	apt-get install -y --no-install-recommends bc; \
	rm -rf /var/lib/apt/lists/*; \
	echo '2 + 3' | bc >/sum; \
	apt-mark auto '.*' >/dev/null; \
	[ -z "$savedAptMark" ] || apt-mark manual $savedAptMark >/dev/null; \
	apt-get purge -y --auto-remove -o APT::AutoRemove::RecommendsImportant=false -o APT::AutoRemove::SuggestsImportant=false; \
	[ ! -e /usr/bin/bc ]
RUN mkdir /data && chown server:server /data
VOLUME /data
WORKDIR /data
COPY --chmod=0755 docker-entrypoint.sh /usr/local/bin/
ENTRYPOINT ["docker-entrypoint.sh"]
EXPOSE 6379
HEALTHCHECK --interval=5s CMD test -d /data
STOPSIGNAL SIGINT
CMD ["server"]
DOCKERFILE
    whelk build --network host -t server "$C" 2>&1
    run_whelk run --rm --network none server --port 1
    assert_success
    assert_output "server serves /data: server --port 1"
    assert_equal "$(whelk run --rm --network none server cat /sum)" 5
    assert_equal "$(inspect_field server '.Config | [.ExposedPorts, .Volumes, .StopSignal] | tojson')" '[{"6379/tcp":{}},{"/data":{}},"SIGINT"]'
    run_whelk build --network host -t server "$C"
    assert_success
    assert_equal "$(grep -c 'Using cache' <<<"$stderr")" 11
}

@test "a program that is compiled in one stage and stands alone in the next (go, nginx)" {
    printf '#include <stdio.h>\nint main(void) { puts(VERSION); return 0; }\n' >"$C/app.c"
    cat >"$C/Dockerfile" <<'DOCKERFILE'
# syntax=docker/dockerfile:1
FROM debian AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
ARG VERSION=unknown
COPY app.c ./
RUN <<EOF
set -e
gcc -static -O1 -DVERSION="\"$VERSION\"" -o app app.c
strip app
EOF
FROM debian AS unused
RUN exit 1
FROM scratch
COPY --link --from=build /src/app /app
USER 65534:65534
ENTRYPOINT ["/app"]
DOCKERFILE
    whelk build --network host --build-arg VERSION=1.2 -t app "$C" 2>&1
    assert_equal "$(whelk run --rm --network none app)" 1.2
    assert_equal "$(inspect_field app '.RootFS.Layers | length')" 1
    # Another version compiles again, and installs nothing again.
    run_whelk build --network host --build-arg VERSION=1.3 -t app "$C"
    assert_success
    refute_stderr "Setting up"
    assert_equal "$(whelk run --rm --network none app)" 1.3
}
