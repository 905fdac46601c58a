# The Dockerfiles of the users' notes (test/data/seeds) build, on stand-ins for node, python and ubuntu.

load ../lib/common

setup_file() {
    base_image
    build_image node <<'DOCKERFILE'
FROM base
RUN printf '#!/bin/sh\n[ "$1" = install ] && [ -f package.json ] || exit 1\nmkdir -p node_modules && echo installed >node_modules/done\n' >/usr/local/bin/npm \
 && printf '#!/bin/sh\n[ -f "$1" ] || exit 1\necho "node $1 in $PWD: $(cat node_modules/done)"\n' >/usr/local/bin/node \
 && chmod 0755 /usr/local/bin/*
CMD ["node"]
DOCKERFILE
    build_image python <<'DOCKERFILE'
FROM base
RUN printf '#!/bin/sh\n[ -f "$1" ] || exit 1\necho "python $1 in $PWD"\n' >/usr/local/bin/python && chmod 0755 /usr/local/bin/python
CMD ["python3"]
DOCKERFILE
    # apt-get takes only plain package names: the notes' \git must arrive as git.
    build_image ubuntu -t ubuntu:18.04 <<'DOCKERFILE'
FROM base
RUN printf '#!/bin/sh\nfor a; do case $a in *[!a-z0-9-]*) echo "no package $a" >&2; exit 100 ;; esac; done\necho "$@" >>/var/apt\n' >/usr/bin/apt-get \
 && printf '#!/bin/sh\ngrep -q python3-pip /var/apt || exit 1\n[ "$1" = install ] || exit 1\nshift\n[ "$1" != -r ] || set -- $(cat "$2")\necho "$@" >>/var/pip\n' >/usr/bin/pip3 \
 && printf '#!/bin/sh\n[ -f "$1" ] || exit 1\necho "python3 $1 in $PWD with $(cat /var/pip | tr "\\n" " ")"\n' >/usr/bin/python3 \
 && chmod 0755 /usr/bin/apt-get /usr/bin/pip3 /usr/bin/python3
CMD ["sh"]
DOCKERFILE
}

seed() {
    run_whelk build -t "seed-$1" "$DATA/seeds/$1"
    assert_success
    assert_id "${lines[-1]}"
}

@test "node without a working directory" {
    seed node-no-workdir
    assert_equal "$(whelk run --rm seed-node-no-workdir)" "node app.js in /: installed"
    assert_equal "$(inspect_field seed-node-no-workdir '.Config.ExposedPorts | keys[]')" "3000/tcp"
}

@test "node with a working directory" {
    seed node-workdir
    assert_equal "$(whelk run --rm seed-node-workdir)" "node server.js in /app: installed"
}

@test "node with package.json first: npm install stays cached when only a source changes" {
    seed node-package-first
    assert_equal "$(whelk run --rm seed-node-package-first)" "node server.js in /app: installed"
    cp -r "$DATA/seeds/node-package-first" "$BATS_TEST_TMPDIR/context"
    echo '// changed' >>"$BATS_TEST_TMPDIR/context/server.js"
    run_whelk build -t seed-node-package-first "$BATS_TEST_TMPDIR/context"
    assert_success
    # WORKDIR, COPY package.json and RUN are cached, the COPY of everything is not.
    assert_equal "$(grep -c 'Using cache' <<<"$stderr")" 3
    assert_equal "$(whelk run --rm seed-node-package-first tail -n 1 server.js)" "// changed"
}

@test "python with a random number" {
    seed python-rng
    assert_equal "$(whelk run --rm seed-python-rng)" "python rng.py in /app"
}

@test "flask with requirements: entry point and command are joined" {
    seed flask-requirements
    assert_equal "$(whelk run --rm seed-flask-requirements)" "python3 myAPI.py in /app with flask "
    assert_equal "$(inspect_field seed-flask-requirements .Author)" "Adam Angell"
}

@test "flask out of the notes, without their remarks" {
    seed flask-clean
    run_whelk run --rm seed-flask-clean and these words are ignored
    assert_output "python3 /home/api_results/api_results.py in / with flask flask_cors flask_restful pandas numpy networkx WSGIserver sqlalchemy psycopg2-binary gevent "
    assert_equal "$(whelk run --rm --entrypoint cat seed-flask-clean /var/apt)" $'update -yq\ninstall -yqq git python3 python3-pip'
}

@test "flask as it stands in the notes: remarks on instruction lines are refused, with line and caret" {
    run_whelk build -t seed-flask-notes "$DATA/seeds/flask-notes"
    assert_status 125
    assert_output ""
    assert_stderr --partial "FROM ubuntu ##-> uses ubuntu as root image"
    assert_stderr --regexp $'\n *(1 *\\|)?[ |]*\\^'
    assert_stderr --partial "comment"
}
