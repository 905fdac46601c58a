#!/usr/bin/env bats
# What whelk says to a command line that it does not understand: one line on stderr, 125, nothing on stdout (CV-12, CV-23).

load ../lib/common

# refused "text" WORDS...
refused() {
    local text=$1
    shift
    run --separate-stderr "$WHELK" "$@"
    echo "whelk $*: $status: $output$stderr"
    [ "$status" -eq 125 ]
    [ -z "$output" ]
    [ "$stderr" = "Error: $text" ]
}

@test "unknown commands" {
    refused 'unknown command "versoin"; did you mean "version"? see whelk --help' versoin
    refused 'unknown command "frobnicate"; see whelk --help' frobnicate
    refused 'unknown command "frobnicate"; see whelk --help' --debug frobnicate --all
    refused 'unknown command ""; see whelk --help' ""
}

@test "unknown options" {
    refused 'unknown option "--verison" for "whelk"; did you mean "--version"?' --verison
    refused 'unknown option "--bogus" for "whelk"; see whelk --help' --bogus version
    refused 'unknown option "-x" for "whelk"; see whelk --help' -Dx
    refused 'unknown option "--hepl" for "whelk version"; did you mean "--help"?' version --hepl
}

@test "values of options" {
    refused 'option "--root" of "whelk" needs a value: --root DIR' --root
    refused 'option "--debug" is either true or false, not "maybe"' --debug=maybe version
    refused 'option "--storage-driver": whelk has one storage driver, overlay, not "vfs"' --storage-driver vfs version
    run --separate-stderr "$WHELK" --log-level loud version
    [ "$status" -eq 125 ]
    [[ $stderr == 'Error: option "--log-level": '*loud* ]]
    [ "${#stderr_lines[@]}" -eq 1 ]
}

@test "the ways to write options" {
    for words in "--log-level error" "--log-level=error" "-D" "-D=false" "--debug=true" "--storage-driver overlay" \
        "--root=/nowhere --runroot /nowhere" "--"; do
        run --separate-stderr "$WHELK" $words version
        [ "$status" -eq 0 ]
        [ "${lines[0]}" = Client: ]
    done
}

@test "control characters of a name do not reach the terminal" {
    refused 'unknown command "a\x1b[31m\x0ab"; see whelk --help' $'a\e[31m\nb'
}

@test "servers are refused in one line that says what to do (S-100)" {
    remote='whelk has no server to connect to; run it on the other machine: ssh HOST whelk ...'
    refused "option \"-H\": $remote" -H tcp://example.org version
    refused "option \"--host\": $remote" --host=ssh://example.org version
    refused "option \"-c\": $remote" -c there version
    refused "option \"--context\": $remote" --context there version
    refused "option \"--connection\": $remote" --connection there version
    refused "option \"--url\": $remote" --url unix:///x version
    refused "option \"-r\": $remote" -r version
    refused "option \"--remote\": $remote" --remote version
    refused "there is no \"whelk system connection\": $remote" system connection ls
    refused "there is no \"whelk context use\": $remote" context use there
    run --separate-stderr "$WHELK" --context default version
    [ "$status" -eq 0 ]
}

@test "what whelk does not do gets an answer (C-151)" {
    for command in swarm service stack node config plugin trust machine farm; do
        run --separate-stderr "$WHELK" $command ls
        [ "$status" -eq 125 ]
        [ -z "$output" ]
        [[ $stderr == "Error: there is no \"whelk $command\": "* ]]
        [ "${#stderr_lines[@]}" -eq 1 ]
    done
}

@test "names of two words are named whole" {
    while IFS='|' read -r command text; do
        run --separate-stderr "$WHELK" $command x
        [ "$status" -eq 125 ]
        [ "$stderr" = "Error: there is no \"whelk $command\": $text" ]
    done <<'END'
image scp|pipe it: whelk save IMAGE | ssh HOST whelk load
volume reload|the only volume driver is local, whose volumes are always looked at anew
container clone|make another like it with whelk run; whelk inspect tells what it was made with
container init|a container is set up when it starts; whelk create checks it, whelk start starts it
END
    for command in pod quadlet generate auto-update kube play artifact; do
        run --separate-stderr "$WHELK" $command ls
        [ "$status" -eq 125 ]
        [[ $stderr == "Error: there is no \"whelk $command\": "* ]]
    done
}

@test "context ls and show know the one that there is (C-151)" {
    run --separate-stderr "$WHELK" context show
    [ "$status" -eq 0 ]
    [ "$output" = default ]
    run --separate-stderr "$WHELK" context ls
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "NAME        DESCRIPTION" ]
    [[ ${lines[1]} == "default *   "* ]]
    run --separate-stderr "$WHELK" context ls -q
    [ "$output" = default ]
}
