# fish completion for whelk: whelk itself knows what may follow.

function __whelk_complete
    set -l words (commandline -opc) (commandline -ct)
    # of --option=value only the value is a file name
    set -l before (string match -r -- '^--[^=]*=' $words[-1]; or echo)
    set -l begun (string replace -r -- '^--[^=]*=' '' $words[-1])
    for line in (whelk __complete $words[2..-1] 2>/dev/null)
        switch $line
            case :file
                printf '%s\n' $before(__fish_complete_path "$begun")
            case :dir
                printf '%s\n' $before(__fish_complete_directories "$begun")
            case '*'
                printf '%s\n' $line
        end
    end
end

complete -c whelk -f -a '(__whelk_complete)'
