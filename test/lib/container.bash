# Helpers of the tests of run, create, start, exec, wait, stop, kill and rm:  load ../lib/container  (after common)

# refused STATUS "TEXT" WORDS...: one line "Error: TEXT" on stderr, nothing on stdout.
refused() {
    local wanted=$1 text=$2
    shift 2
    if [ "$wanted" = 127 ]; then
        not_found "$@"
    else
        run_whelk "$@"
    fi
    echo "whelk $*" >&2
    assert_status "$wanted"
    assert_one_error
    assert_stderr "Error: $text"
}

# run_whelk for what ends with 127, which bats else takes for a slip of the test.
not_found() {
    run -127 --separate-stderr "$WHELK" "$@"
}

# answers "OUTPUT" WORDS...: success, with just this on stdout and nothing on stderr.
answers() {
    local wanted=$1
    shift
    run_whelk "$@"
    echo "whelk $*" >&2
    assert_success
    assert_output "$wanted"
    assert_stderr ""
}

# terminal STEP... -- WORDS...: whelk on a pseudo-terminal (terminal.py says more).
terminal() {
    local steps=()
    while [ "$1" != -- ]; do
        steps+=("$1")
        shift
    done
    shift
    run python3 "$WHELK_TREE/test/lib/terminal.py" "${steps[@]}" -- "$WHELK" "$@"
}

# Has the container printed a line?
printed() { # CONTAINER LINE
    whelk logs "$1" 2>&1 | grep -qxF -e "$2"
}
state_is() { # CONTAINER STATUS
    [ "$(inspect_field "$1" .State.Status)" = "$2" ]
}
file_has() { # FILE LINE
    grep -qsxF -e "$2" "$1"
}

# A set of capabilities out of /proc/self/status of a new container.
caps_of() { # FIELD RUN-OPTION...
    local field=$1
    shift
    whelk run --rm "$@" base sed -n "s/^$field:\t//p" /proc/self/status
}

# Only the user's own id is mapped in the lane plain.
has_ids() {
    [ "$WHELK_LANE" != plain ]
}
needs_ids() {
    has_ids || skip "no subordinate ids (/etc/subuid): only user 0 is there"
}
needs_build() {
    whelk build --help >/dev/null 2>&1 || skip "this whelk has no build"
}
