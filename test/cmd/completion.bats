#!/usr/bin/env bats
# whelk completion, and what the scripts get from whelk __complete

load ../lib/common

setup() {
    bin=$BATS_TEST_TMPDIR/bin
    mkdir "$bin"
    ln -s "$(realpath "$(command -v "$WHELK")")" "$bin/whelk"
    PATH=$bin:$PATH
}

# The words that __complete offers, in one line.
offers() {
    whelk __complete "$@" | cut -f1 | tr '\n' ' '
}

@test "the scripts are those of completions/" {
    scripts=$BATS_TEST_DIRNAME/../../completions
    diff <(whelk completion bash) "$scripts/whelk.bash"
    diff <(whelk completion zsh) "$scripts/_whelk"
    diff <(whelk completion fish) "$scripts/whelk.fish"
}

@test "an unknown shell" {
    run --separate-stderr whelk completion tcsh
    [ "$status" -eq 125 ]
    [ "$stderr" = 'Error: no completion for the shell "tcsh"; there is one for bash, zsh and fish' ]
    run --separate-stderr whelk completion
    [ "$status" -eq 125 ]
    [ "$stderr" = 'Error: "whelk completion" needs one bash|zsh|fish argument; see whelk completion --help' ]
}

@test "__complete: commands with their summaries" {
    [ "$(offers versi)" = "version " ]
    [ "$(whelk __complete versi)" = $'version\tprint the version and what it runs on' ]
    [[ " $(offers "")" == *" completion "*" version "* ]]
    [ -z "$(offers __)" ]
    [ -z "$(offers nosuch "")" ]
    [ "$(offers help versi)" = "version " ]
}

@test "__complete: options" {
    [ "$(offers --vers)" = "--version " ]
    [[ " $(offers --)" == *" --root "* ]]
    [[ " $(offers --)" != *" --host "* ]]
    [ "$(offers version --h)" = "--help " ]
    [ -z "$(offers version -- --h)" ]
}

@test "__complete: values of options and arguments" {
    [ "$(offers --log-level "")" = "debug info warn error " ]
    [ "$(offers --log-level w)" = "warn " ]
    [ "$(offers --log-level=w)" = "--log-level=warn " ]
    [ "$(offers --root "")" = ":dir " ]
    [ "$(offers --debug --log-level warn versi)" = "version " ]
    [ "$(offers completion "")" = "bash zsh fish " ]
    [ -z "$(offers completion bash "")" ]
    [ -z "$(offers version "")" ]
}

@test "__complete: names of containers and images (C-153)" {
    base_image
    whelk create --name made base true >/dev/null
    whelk run -d --name runs base sleep 300 >/dev/null
    [ "$(offers inspect ma)" = "made " ]
    [ "$(offers logs "")" = "made runs " ] || [ "$(offers logs "")" = "runs made " ]
    [ "$(offers exec "")" = "runs " ]
    [ "$(offers stop r)" = "runs " ]
    [ "$(offers rmi ba)" = "base:latest " ]
    [ "$(offers run --rm local)" = "localhost/base:latest " ]
    [ "$(offers run base "")" = "" ]
    [ "$(offers run --name x ba)" = "base:latest " ]
    [[ " $(offers inspect "")" == *" made "* && " $(offers inspect "")" == *" base:latest "* ]]
    [ "$(offers image inspect m)" = "" ]
    [ "$(offers container inspect base)" = "" ]
    [ "$(offers tag base:)" = "base:latest " ]
    whelk rm -af >/dev/null
    [ -z "$(offers logs "")" ]
}

@test "__complete: what options take, and files" {
    [ "$(offers inspect --type "")" = "container image all " ] || [[ "$(offers inspect --type "")" == *"container"*"image"* ]]
    [ "$(offers kill --signal SIGTE)" = "SIGTERM " ]
    [ "$(offers kill -s TE)" = "TERM " ]
    [ "$(offers run --cap-add NET_B)" = "NET_BIND_SERVICE NET_BROADCAST " ]
    [ "$(offers run --cap-drop=CAP_CHO)" = "--cap-drop=CAP_CHOWN " ]
    [ "$(offers import "")" = ":file " ]
    [ "$(offers unshare "")" = ":file " ]
    [ "$(offers ps --no)" = "--no-trunc " ] || [[ " $(offers ps --no)" == *" --no-trunc "* ]]
    [ "$(offers image l)" = "ls list " ] || [[ " $(offers image l)" == *" ls "* ]]
}

@test "__complete of names is quiet where there is no store (C-153)" {
    run --separate-stderr whelk --root /proc/nosuch __complete rmi ""
    [ "$status" -eq 0 ]
    [ -z "$output$stderr" ]
    run --separate-stderr whelk __complete --root /proc/nosuch rmi ""
    [ "$status" -eq 0 ]
    [ -z "$output$stderr" ]
}

@test "__complete: names of the store that the line names" {
    base_image
    other=$BATS_TEST_TMPDIR/other
    "$WHELK_TOOLS/hostile-tar" 0 file x | whelk --root "$other" import - elsewhere >/dev/null
    for words in "--root $other" "--root=$other" "--debug --root $other"; do
        [ "$(offers $words rmi "")" = "localhost/elsewhere:latest elsewhere:latest " ]
    done
    [[ "$(offers rmi "")" == *base:latest* ]]
    [[ "$(offers rmi "")" != *elsewhere* ]]
}

@test "__complete never fails" {
    for words in "" "--" "-" "--log-level" "--=x" "--nope=x" "-H x y" "image" "context x"; do
        run --separate-stderr whelk __complete $words
        [ "$status" -eq 0 ]
        [ -z "$stderr" ]
    done
}

@test "bash" {
    run bash -c '
        source <(whelk completion bash)
        COMP_WORDS=(whelk completion f) COMP_CWORD=2
        _whelk
        echo "${COMPREPLY[@]}"'
    [ "$status" -eq 0 ]
    [ "$output" = fish ]
}

@test "bash: what stands before an equals sign is not repeated" {
    [ -e /usr/share/bash-completion/bash_completion ] || skip "needs bash-completion"
    run bash -c '
        source /usr/share/bash-completion/bash_completion
        source <(whelk completion bash)
        COMP_WORDS=(whelk --log-level = de) COMP_CWORD=3 COMP_LINE="whelk --log-level=de" COMP_POINT=20
        _whelk
        echo "${COMPREPLY[@]}"'
    [ "$status" -eq 0 ]
    [ "$output" = debug ]
}

@test "fish" {
    command -v fish >/dev/null || skip "needs fish"
    export HOME=$BATS_TEST_TMPDIR
    run fish --no-config -c 'whelk completion fish | source; complete -C "whelk versi"'
    [ "$output" = $'version\tprint the version and what it runs on' ]
    run fish --no-config -c 'whelk completion fish | source; complete -C "whelk --log-level=de"'
    [ "$output" = --log-level=debug ]
    mkdir "$BATS_TEST_TMPDIR/store-here"
    cd "$BATS_TEST_TMPDIR"
    run fish --no-config -c 'whelk completion fish | source; complete -C "whelk --root store-h"'
    [[ $output == store-here/* ]]
}

@test "zsh" {
    command -v zsh >/dev/null || skip "needs zsh"
    whelk completion zsh >"$BATS_TEST_TMPDIR/_whelk"
    zsh -n "$BATS_TEST_TMPDIR/_whelk"
    cat >"$BATS_TEST_TMPDIR/session" <<'END'
zmodload zsh/zpty
zpty -b shell zsh -f -i
zpty -w shell "autoload -Uz compinit; compinit -u -D; source $1; echo rea''dy"
zpty -r shell text '*ready*' || exit 1
zpty -n -w shell $'whelk --log-level=de\t'
zpty -r -m shell text '*--log-level=debug*' && echo completed
zpty -d shell
END
    run timeout 20 zsh "$BATS_TEST_TMPDIR/session" "$BATS_TEST_TMPDIR/_whelk"
    [[ $output == *completed* ]]
}
