#!/usr/bin/env bats
# whelk search (C-054): a registry's catalog, tags by pages, docker.io's own search.

load ../lib/common
load ../lib/container
load ../lib/registry

setup_file() {
    load ../lib/common
    load ../lib/registry
    needs_registry
    start_registry open
    export REGISTRY_open
    base_image
    local name
    for name in app team/app other; do
        whelk push -q base "$REGISTRY_open/$name:v1"
    done
    whelk push -q base "$REGISTRY_open/app:v2"
}

teardown_file() {
    stop_registries
}

setup() {
    needs_registry
    cd "$BATS_TEST_TMPDIR"
}

@test "the catalog of a registry, by a part of the name" {
    run_whelk search "$REGISTRY_open/app"
    assert_success
    assert_line --regexp '^NAME +DESCRIPTION +STARS +OFFICIAL$'
    assert_line --partial "$REGISTRY_open/team/app"
    refute_output "/other"
    answers "$REGISTRY_open/app"$'\n'"$REGISTRY_open/team/app" search --format '{{.Name}}' "$REGISTRY_open/app"
    answers "$REGISTRY_open/app" search --limit 1 --format '{{.Name}}' "$REGISTRY_open/app"
    answers "" search --filter stars=1 --format '{{.Name}}' "$REGISTRY_open/app"
    answers "$REGISTRY_open/other" search -f is-official=false --no-trunc --format '{{.Name}}' "$REGISTRY_open/oth"
    answers "[]" search --format json "$REGISTRY_open/nosuch"
}

@test "tags" {
    answers v1$'\n'v2 search --list-tags --format '{{.Tag}}' "$REGISTRY_open/app"
    run_whelk search --list-tags "$REGISTRY_open/app"
    assert_equal "${#lines[@]}" 3
    answers v1 search --list-tags --limit 1 --format '{{.Tag}}' "$REGISTRY_open/app"
    run_whelk search --list-tags "$REGISTRY_open/nosuch"
    assert_status 125
    assert_one_error
    assert_stderr --partial "repository name not known to registry"
}

@test "docker.io is asked in its own way" {
    python3 -c '
import http.server, json, sys
class H(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_GET(self):
        ok = self.path == "/v1/search?q=busy%2Dbox&n=25"
        body = json.dumps({"results": [{"name": "busybox", "description": "x" * 60, "star_count": 7, "is_official": True},
                                       {"name": "u/b", "description": "\u001b[31m", "star_count": 1}]}).encode()
        self.send_response(200 if ok else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
s = http.server.HTTPServer(("127.0.0.1", 0), H)
open("port", "w").write(str(s.server_port))
s.serve_forever()' 3>&- </dev/null >/dev/null 2>&1 &
    registry_pids+=("$!")
    wait_for 10 test -s port
    printf '[[registry]]\nprefix = "index.docker.io"\nlocation = "127.0.0.1:%s"\n' "$(cat port)" >conf
    export CONTAINERS_REGISTRIES_CONF=$PWD/conf
    run_whelk search busy-box
    assert_success
    assert_line --regexp '^docker.io/library/busybox +x{41}\.\.\. +7 +\[OK\]$'
    refute_output $'\e'
    answers "docker.io/library/busybox" search --filter is-official=true --format '{{.Name}}' busy-box
    run_whelk search --no-trunc busy-box
    assert_line --regexp 'x{60}'
    stop_registries
}

@test "what is refused" {
    refused 125 "--limit is a number from 1 to 100, not 101" search --limit 101 x
    refused 125 "--filter is not for tags" search --list-tags -f stars=1 x
    refused 125 "cannot search for x:1: --list-tags wants a name without a tag or digest" search --list-tags x:1
    run_whelk search --filter nosuch=1 "$REGISTRY_open/app"
    assert_status 125
    assert_one_error
}
