#!/usr/bin/env bats
# whelk version, whelk --version

load ../lib/common

@test "--version and -v print one line" {
    for option in --version -v; do
        run --separate-stderr "$WHELK" $option
        [ "$status" -eq 0 ]
        [ -z "$stderr" ]
        [[ $output =~ ^whelk\ version\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
    done
}

@test "--version touches no store" {
    HOME=/nonexistent XDG_DATA_HOME=$BATS_TEST_TMPDIR/data run "$WHELK" --root "$BATS_TEST_TMPDIR/root" --version
    [ "$status" -eq 0 ]
    [ -z "$(ls -A "$BATS_TEST_TMPDIR")" ]
}

@test "version prints a part for the client and one for the server" {
    number=$("$WHELK" --version)
    number=${number##* }
    run --separate-stderr "$WHELK" version
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [ "${lines[0]}" = "Client:" ]
    [ "$(grep -c "^ Version:   $number\$" <<<"$output")" -eq 2 ]
    [[ $output == *$'\nServer: none'* ]]
    [[ $output == *$'\n Kernel:    '"$(uname -r)"$'\n'* ]]
    [[ $output =~ \ OS/Arch:\ +linux/[a-z0-9]+ ]]
}

@test "version takes no arguments and no options" {
    run --separate-stderr "$WHELK" version now
    [ "$status" -eq 125 ]
    [ -z "$output" ]
    [ "$stderr" = 'Error: "whelk version" takes no arguments, but got "now"; see whelk version --help' ]
    run --separate-stderr "$WHELK" version --now
    [ "$status" -eq 125 ]
    [ "$stderr" = 'Error: unknown option "--now" for "whelk version"; see whelk version --help' ]
}

@test "a full disk behind standard output is an error" {
    run --separate-stderr bash -c '"$1" version >/dev/full' - "$WHELK"
    [ "$status" -eq 125 ]
    [ "$stderr" = "Error: cannot write to standard output: No space left on device" ]
}

@test "a reader that went away is none" {
    # The pipe is read-closed before whelk starts, so its write must fail.
    run --separate-stderr bash -c '{ sleep 0.2; "$1" version; echo $? >&2; } | true' - "$WHELK"
    [ "$stderr" = 0 ]
}

@test "closed standard descriptors do no harm" {
    run --separate-stderr bash -c '"$1" --version <&- >&- 2>&-' - "$WHELK"
    [ "$status" -eq 0 ]
}
