# Helpers of all bats tests:  load ../lib/common
#
# The environment comes from test/lib/job: an own home, store and runtime directory for each file; WHELK is the program,
# WHELK_LANE is subuid, plain or root, WHELK_TOOLS the directory of the test programs, WHELK_TREE the sources.

bats_require_minimum_version 1.5.0
: "${WHELK:?run the tests with: sh test/run [LANE] FILE.bats}"

DATA=$WHELK_TREE/test/data
if [ "$WHELK_LANE" = root ]; then
    STORE=/var/lib/whelk
else
    STORE=$HOME/.local/share/whelk
fi

whelk() {
    "$WHELK" "$@"
}

# Runs whelk with stdout in $output ($lines), stderr in $stderr ($stderr_lines), and $status.
run_whelk() {
    run --separate-stderr "$WHELK" "$@"
}

# Rounds of a long test: a tenth under --quick, a fifth with sanitizers.
rounds() {
    local n=$1
    [ -z "${WHELK_QUICK-}" ] || n=$((n / 10))
    [ "${WHELK_BUILD-}" != asan ] || n=$((n / 5))
    echo $((n > 0 ? n : 1))
}

# Names without a registry are looked for at an address where nobody answers: no test goes outside.
export CONTAINERS_REGISTRIES_CONF=$DATA/registries.conf

# --- stores and images

# The base image localhost/base (static busybox; chuser and fdprobe in /bin), once for each store.
base_image() {
    local found
    found=$(whelk images -q base 2>/dev/null) || found=
    [ -n "$found" ] || whelk import "$WHELK_TOOLS/base.tar" base >/dev/null
}

# From here on, this test uses a new and empty store (not in the lane root, where it removes all instead).
fresh_store() {
    if [ "$WHELK_LANE" = root ]; then
        remove_all
        return
    fi
    export XDG_DATA_HOME=$BATS_TEST_TMPDIR/data
    mkdir -p "$XDG_DATA_HOME"
    STORE=$XDG_DATA_HOME/whelk
}

remove_all() {
    whelk rm -af >/dev/null
    whelk rmi -af >/dev/null
}

# build_image NAME [OPTION...] <Dockerfile: builds with an empty context; prints the id.
build_image() {
    local name=$1 context
    shift
    context=$(mktemp -d "$TMPDIR/context.XXXX")
    cat >"$context/Dockerfile"
    whelk build "$@" -t "$name" "$context" 2>"$context.log" || {
        cat "$context.log" >&2
        return 1
    }
}

# inspect_field OBJECT JQ-FILTER
inspect_field() {
    whelk inspect "$1" | jq -r ".[0]$2"
}
supervisor_pid() {
    inspect_field "$1" .State.SupervisorPid
}
container_pid() {
    inspect_field "$1" .State.Pid
}

# --- background jobs
#
# Never "wait" without a pid: it waits for whatever else there is. Start with "in_background COMMAND...", then "wait_all".

jobs_pids=()
in_background() {
    # bats holds its output open on 3 until all who have it are gone.
    "$@" 3>&- </dev/null &
    jobs_pids+=("$!")
}
wait_all() {
    local pid failed=0
    for pid in "${jobs_pids[@]}"; do
        wait "$pid" || failed=$?
    done
    jobs_pids=()
    return "$failed"
}

# --- waiting

# wait_for SECONDS COMMAND...: until the command succeeds. Slow machines (test/vm) have more patience.
wait_for() {
    local deadline=$((SECONDS + $1 * ${WHELK_PATIENCE:-1} + 1))
    shift
    until "$@"; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "waited in vain for: $*" >&2
            return 1
        fi
        sleep 0.02
    done
}
# For wait_for: COMMAND, asked each time, prints just EXPECTED.
prints() { # EXPECTED COMMAND...
    local expected=$1
    shift
    [ "$("$@" 2>/dev/null)" = "$expected" ]
}

is_gone() { # PID
    ! kill -0 "$1" 2>/dev/null && [ ! -e "/proc/$1" ]
}

# --- assertions: print what was there and what was wanted

_fail() {
    {
        printf '%s\n' "$@"
        echo "status: $status"
        printf 'stdout: %s\n' "$output"
        [ -z "${stderr-}" ] || printf 'stderr: %s\n' "$stderr"
    } >&2
    return 1
}

# _compare WHAT TEXT [--partial|--regexp] EXPECTED
_compare() {
    local what=$1 text=$2
    shift 2
    case $1 in
    --partial) [[ $text == *"$2"* ]] || _fail "$what lacks: $2" ;;
    --regexp) [[ $text =~ $2 ]] || _fail "$what does not match: $2" ;;
    *) [ "$text" = "$1" ] || _fail "$what is not: $1" ;;
    esac
}
# _has_line WHAT TEXT [--partial|--regexp] EXPECTED: one line of it
_has_line() {
    local what=$1 text=$2 line
    shift 2
    while IFS= read -r line; do
        case $1 in
        --partial) [[ $line == *"$2"* ]] && return 0 ;;
        --regexp) [[ $line =~ $2 ]] && return 0 ;;
        *) [ "$line" = "$1" ] && return 0 ;;
        esac
    done <<<"$text"
    _fail "$what has no line: $*"
}

assert_status() {
    [ "$status" = "$1" ] || _fail "status is not $1"
}
assert_success() {
    assert_status 0
}
assert_output() {
    _compare stdout "$output" "$@"
}
assert_stderr() {
    _compare stderr "${stderr-}" "$@"
}
assert_line() {
    _has_line stdout "$output" "$@"
}
assert_stderr_line() {
    _has_line stderr "${stderr-}" "$@"
}
refute_output() {
    [[ $output != *"${*: -1}"* ]] || _fail "stdout has: ${*: -1}"
}
refute_stderr() {
    [[ ${stderr-} != *"${*: -1}"* ]] || _fail "stderr has: ${*: -1}"
}
# An error is one line on stderr, and nothing on stdout.
assert_one_error() {
    [ -z "$output" ] || _fail "stdout is not empty"
    [ "${#stderr_lines[@]}" = 1 ] && [[ $stderr == Error:\ * ]] || _fail "stderr is not one line 'Error: ...'"
}
assert_equal() {
    [ "$1" = "$2" ] || {
        printf 'is:       %s\nexpected: %s\n' "$1" "$2" >&2
        return 1
    }
}
assert_id() { # 64 lower-case hex digits
    [[ $1 =~ ^[0-9a-f]{64}$ ]] || {
        echo "not an id: $1" >&2
        return 1
    }
}

# not COMMAND...: it must fail. (A plain "!" does not end a test.)
not() {
    if "$@"; then
        echo "should not be so: $*" >&2
        return 1
    fi
}

# --- lanes

# skip_unless_lane LANE... : for what depends on the kind of user. The reason is part of the call where it is not plain.
skip_unless_lane() {
    local lane
    for lane; do
        [ "$WHELK_LANE" != "$lane" ] || return 0
    done
    skip "only in the lanes: $*"
}

# --- what is left

# Processes that were started below this job and have lost their parent: supervisors and helpers.
orphans() {
    local stat
    for stat in /proc/[0-9]*/stat; do
        { read -r line <"$stat"; } 2>/dev/null || continue
        # pid (name) state parent ...; the name may hold anything
        local rest=${line##*) }
        set -- $rest
        [ "$2" = "$WITHIN_PID" ] && [ "$1" != Z ] && [ "${line%% *}" != "$WITHIN_MAIN" ] && echo "${line%%)*})"
    done
    return 0
}
no_orphans() {
    [ -z "$(orphans)" ]
}

store_entries() { # SUBDIRECTORY
    # Names with a dot are locks, which stay.
    [ ! -d "$STORE/$1" ] || find "$STORE/$1" -mindepth 1 -maxdepth 1 ! -name '.*'
}

# After "whelk rm -af": no process, no mount, no container, nothing half-done.
no_containers_left() {
    local left bad=0
    wait_for 10 no_orphans || {
        orphans >&2
        bad=1
    }
    left=$(awk -v s="$STORE/" 'index($5, s) == 1 { print $5 }' /proc/self/mountinfo)
    [ -z "$left" ] || {
        echo "mounts: $left" >&2
        bad=1
    }
    for dir in containers container-names tmp; do
        left=$(store_entries "$dir")
        [ -z "$left" ] || {
            echo "left in the store: $left" >&2
            bad=1
        }
    done
    [ "$(whelk ps -aq)" = "" ] || bad=1
    return $bad
}

# After "whelk rm -af" and "whelk rmi -af": nothing at all, but for the build cache and the layers that it names.
no_leftovers() {
    local left bad=0 layer
    no_containers_left || bad=1
    for dir in images names; do
        left=$(store_entries "$dir")
        [ -z "$left" ] || {
            echo "left in the store: $left" >&2
            bad=1
        }
    done
    for layer in $(store_entries layers); do
        [ "${layer##*/}" != empty ] || continue # stands for a stack of nothing
        grep -rqsF "$(basename "$layer")" "$STORE/cache" || {
            echo "a layer that nobody names: $layer" >&2
            bad=1
        }
    done
    return $bad
}
