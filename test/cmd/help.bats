#!/usr/bin/env bats
# whelk, whelk --help, whelk help, whelk GROUP, whelk COMMAND --help

load ../lib/common

@test "bare whelk, --help, -h and help print all commands on stdout" {
    run --separate-stderr "$WHELK"
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [ "${lines[0]}" = "Usage: whelk [OPTIONS] COMMAND" ]
    [[ $output == *$'\nCommands:\n'*$'\n  version  '* ]]
    [[ $output == *$'\nOptions:\n'*$'\n      --root DIR '* ]]
    overview=$output
    for words in --help -h help "--debug --help" "--help version"; do
        run --separate-stderr "$WHELK" $words
        [ "$status" -eq 0 ]
        [ "$output" = "$overview" ]
    done
}

@test "hidden commands and refused options are not listed" {
    run --separate-stderr "$WHELK"
    [[ $output != *__comp* && $output != *context* && $output != *--host* ]]
}

@test "commands and options are sorted" {
    run --separate-stderr "$WHELK"
    commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p' <<<"$output")
    [ "$(wc -l <<<"$commands")" -ge 3 ]
    [ "$commands" = "$(LC_ALL=C sort <<<"$commands")" ]
    options=$(sed -n '/^Options:/,/^$/s/^  .\{4\}\(--[a-z-]*\) .*/\1/p' <<<"$output")
    [ "$(wc -l <<<"$options")" -ge 5 ]
    [ "$options" = "$(LC_ALL=C sort <<<"$options")" ]
}

@test "help of a command: usage, paragraph, options, examples" {
    run --separate-stderr "$WHELK" completion --help
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [ "${lines[0]}" = "Usage: whelk completion bash|zsh|fish" ]
    [[ ${lines[1]} == "Prints the completion script for a shell "* ]]
    [[ $output == *$'\nOptions:\n  -h, --help  print this help\n'* ]]
    [[ $output == *$'\nExamples:\n  source <(whelk completion bash)\n'* ]]
}

@test "help COMMAND, COMMAND --help and COMMAND -h say the same" {
    for command in $("$WHELK" __commands | cut -d' ' -f1 | grep -v -); do
        run --separate-stderr "$WHELK" help "$command"
        [ "$status" -eq 0 ]
        [[ ${lines[0]} == "Usage: whelk $command"* ]]
        long=$output
        run --separate-stderr "$WHELK" "$command" --help
        [ "$status" -eq 0 ]
        [ "$output" = "$long" ]
    done
    run --separate-stderr "$WHELK" version -h
    [ "${lines[0]}" = "Usage: whelk version [OPTIONS]" ]
}

@test "every command has a description and three examples" {
    while read -r command; do
        text=$("$WHELK" help $command)
        examples=$(sed '1,/^Examples:/d' <<<"$text" | grep -c '^  whelk\|^  .* whelk\|^  .*(whelk')
        [ "$examples" -ge 3 ] || { echo "$command: $examples examples"; false; }
        [[ $(sed -n 3p <<<"$text") == [A-Z]* ]] || { echo "$command: no paragraph"; false; }
        awk 'length > 120 { print "too wide: " $0; bad = 1 } END { exit bad }' <<<"$text"
    done < <("$WHELK" __commands | cut -d' ' -f1 | grep -v -)
}

@test "--help wins over other mistakes" {
    run --separate-stderr "$WHELK" version --bogus one two --help
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "Usage: whelk version [OPTIONS]" ]
}

@test "help of what does not exist" {
    run --separate-stderr "$WHELK" help versoin
    [ "$status" -eq 125 ]
    [ -z "$output" ]
    [ "$stderr" = 'Error: unknown command "versoin"; did you mean "version"? see whelk --help' ]
    run --separate-stderr "$WHELK" help swarm
    [ "$status" -eq 125 ]
    [[ $stderr == 'Error: there is no "whelk swarm": '* ]]
}

@test "a group alone lists its commands, after a hint to its ls (S-030)" {
    run --separate-stderr "$WHELK" image
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [ "${lines[0]}" = "did you mean: whelk image ls" ]
    [ "${lines[1]}" = "Usage: whelk image COMMAND" ]
    [[ $output == *$'\n  ls '* ]]
    run --separate-stderr "$WHELK" image --help
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "Usage: whelk image COMMAND" ]
    asked=$output
    run --separate-stderr "$WHELK" help image
    [ "$output" = "$asked" ]
}

@test "a misspelled command of a group" {
    run --separate-stderr "$WHELK" image lss
    [ "$status" -eq 125 ]
    [ "$stderr" = 'Error: unknown command "image lss"; did you mean "image ls"? see whelk image --help' ]
    run --separate-stderr "$WHELK" image frobnicate
    [ "$status" -eq 125 ]
    [ "$stderr" = 'Error: unknown command "image frobnicate"; see whelk image --help' ]
}
