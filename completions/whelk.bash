# bash completion for whelk: whelk itself knows what may follow.

_whelk() {
    local cur=${COMP_WORDS[COMP_CWORD]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD line kept=""
    # bash breaks words at = and :, whelk wants them whole.
    if declare -F _get_comp_words_by_ref >/dev/null; then
        _get_comp_words_by_ref -n =: cur words cword
    fi
    # What stands before the last of these in the word stays on the line and is not to be repeated.
    if [[ $cur == *[=:]* ]]; then
        kept=${cur%"${cur##*[=:]}"}
    fi
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
        :file) compopt -o default ;;
        :dir) compopt -o dirnames ;;
        *)
            line=${line%%$'\t'*}
            COMPREPLY+=("${line#"$kept"}")
            ;;
        esac
    done < <("${words[0]}" __complete "${words[@]:1:cword}" 2>/dev/null)
}

complete -F _whelk whelk
