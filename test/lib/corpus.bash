# The corpus of Dockerfiles, a folder a case (test/data/build):  load ../lib/common; load ../lib/corpus
#
# A case is a context with its Dockerfile, and beside it the folder expect:
#   options   words for "whelk build", read by the shell ($CONTEXT, $CASE)
#   context   a word to give instead of the context's directory;  stdin: commands whose output is the standard input
#   setup     a script that is run in the (copied) context before: for what git does not keep
#   lanes     where the case makes sense, if not everywhere
#   config    lines "JQ-FILTER = JSON": of "whelk inspect"
#   history   the last lines of the image's history ("created_by", and "(empty)" behind it for those without a layer)
#   files     "# PATH..." and what there is of these in the image, as test/lib/tree-list.py lists it
#   log       lines that standard error must hold;  nolog: lines that it must not hold
#   error     the build must fail: texts that standard error must hold;  status: with this status (125)
# One of config, history, files, log and error must be there.

CORPUS=$DATA/build

corpus_copy() { # CASE: a copy of its context, in $CONTEXT
    CASE=$CORPUS/$1
    CONTEXT=$BATS_TEST_TMPDIR/context
    cp -r "$CASE" "$CONTEXT"
    rm -rf "$CONTEXT/expect"
    chmod -R u=rwX,go=rX "$CONTEXT"
    [ ! -f "$CASE/expect/setup" ] || (cd "$CONTEXT" && sh -eu "$CASE/expect/setup")
}

corpus_build() { # builds $CONTEXT as img with the options of $CASE, as run_whelk does
    local words=()
    [ ! -f "$CASE/expect/options" ] || eval "words=($(cat "$CASE/expect/options"))"
    local context=$CONTEXT
    [ ! -f "$CASE/expect/context" ] || eval "context=$(cat "$CASE/expect/context")"
    cd "$CONTEXT"
    if [ -f "$CASE/expect/stdin" ]; then
        eval "$(cat "$CASE/expect/stdin")" >"$BATS_TEST_TMPDIR/stdin"
        run_whelk build -t img "${words[@]}" "$context" <"$BATS_TEST_TMPDIR/stdin"
    else
        run_whelk build -t img "${words[@]}" "$context"
    fi
}

# IMAGE PATH...
corpus_files() {
    local id image=$1
    shift
    id=$(whelk create --network none "$image" true)
    whelk export "$id" | python3 "$WHELK_TREE/test/lib/tree-list.py" "$@"
    whelk rm "$id" >/dev/null
}

corpus_history() { # N: the last N entries, line ends as \n
    inspect_field img ".History[-$1:][] | (.created_by | gsub(\"\n\"; \"\\\\n\")) + (if .empty_layer then \" (empty)\" else \"\" end)"
}

corpus_check() {
    local line filter want
    if [ -f "$CASE/expect/error" ]; then
        assert_status "$(cat "$CASE/expect/status" 2>/dev/null || echo 125)"
        while IFS= read -r line; do
            assert_stderr --partial "$line"
        done <"$CASE/expect/error"
        return 0
    fi
    assert_success
    while IFS= read -r line; do
        filter=${line% = *} want=${line##* = }
        assert_equal "$filter = $(whelk inspect img | jq -cS ".[0] | $filter")" "$filter = $want"
    done < <(cat "$CASE/expect/config" 2>/dev/null)
    while IFS= read -r line; do
        assert_stderr --partial "$line"
    done < <(cat "$CASE/expect/log" 2>/dev/null)
    while IFS= read -r line; do
        refute_stderr "$line"
    done < <(cat "$CASE/expect/nolog" 2>/dev/null)
    if [ -f "$CASE/expect/files" ]; then
        read -r _ filter <"$CASE/expect/files"
        # shellcheck disable=SC2086 # a list of paths
        diff -u <(tail -n +2 "$CASE/expect/files") <(corpus_files img $filter)
    fi
    if [ -f "$CASE/expect/history" ]; then
        diff -u "$CASE/expect/history" <(corpus_history "$(wc -l <"$CASE/expect/history")")
    fi
}

corpus_case() { # CASE
    local what any=
    corpus_copy "$1"
    for what in config history files log error; do
        [ ! -f "$CASE/expect/$what" ] || any=1
    done
    [ -n "$any" ] || {
        echo "$1: nothing is expected of it" >&2
        return 1
    }
    # shellcheck disable=SC2046 # a list of words
    [ ! -f "$CASE/expect/lanes" ] || skip_unless_lane $(cat "$CASE/expect/lanes")
    corpus_build
    corpus_check
}
