# The log driver journald, with systemd's own journal.

setup_file() {
    load ../lib/common
    base_image
}

setup() {
    load ../lib/common
    load ../lib/container
}

teardown() {
    whelk rm -af >/dev/null
    no_containers_left
}

# entries MATCH... : as JSON, one a line
entries() {
    journalctl -q -o json "$@"
}

@test "lines, streams and fields" {
    local id
    id=$(whelk run -d --name one --log-driver journald base sh -c 'echo out; echo err >&2; printf "  blanks  \n\nlast\n"')
    whelk wait one
    run_whelk logs one
    assert_output $'out\n  blanks  \n\nlast'
    assert_stderr err
    wait_for 20 eval '[ "$(entries CONTAINER_NAME=one CONTAINER_ID_FULL='"$id"' | wc -l)" = 5 ]'
    entries CONTAINER_ID_FULL="$id" | jq -es --arg id "$id" 'all(.CONTAINER_ID_FULL == $id and .CONTAINER_ID == $id[:12] and .CONTAINER_TAG == $id[:12]
        and .CONTAINER_NAME == "one" and .SYSLOG_IDENTIFIER == "one" and .IMAGE_NAME == "localhost/base:latest" and .CONTAINER_PARTIAL_MESSAGE == null)'
    entries CONTAINER_ID_FULL="$id" | jq -es 'map(select(.MESSAGE == "err")) | length == 1 and .[0].PRIORITY == "3"'
    entries CONTAINER_ID_FULL="$id" | jq -es 'map(select(.MESSAGE == "out")) | length == 1 and .[0].PRIORITY == "6"'
    assert_equal "$(inspect_field one .HostConfig.LogConfig.Type)" journald
}

@test "what was written last is there at once, many times" {
    local i
    for i in 1 2 3 4 5; do
        whelk run --name "two$i" --log-driver journald base sh -c "seq 200; echo end $i" >/dev/null
        assert_equal "$(whelk logs "two$i" | tail -n 1)" "end $i"
        assert_equal "$(whelk logs "two$i" | wc -l)" 201
    done
}

@test "a long line, bytes that are no text, and an end without a newline" {
    whelk run --name three --log-driver journald base sh -c 'head -c 100000 /dev/zero | tr "\0" x; echo; printf "\001\377\n"; printf rest' >/dev/null
    assert_equal "$(whelk logs three | head -n 1 | wc -c)" 100001
    assert_equal "$(whelk logs three | sed -n 2p | od -An -tx1 | tr -d ' ')" 01ff0a
    assert_equal "$(whelk logs three | tail -c 4)" rest
    entries CONTAINER_NAME=three | jq -es 'map(select(.CONTAINER_PARTIAL_MESSAGE == "true")) | length >= 4'
}

@test "--tail, --timestamps, --since, --until" {
    whelk run --name four --log-driver journald base sh -c 'seq 5; sleep 1.5; seq 6 9' >/dev/null
    assert_equal "$(whelk logs --tail 2 four)" $'8\n9'
    assert_equal "$(whelk logs --tail 0 four)" ""
    assert_equal "$(whelk logs --tail 100 four | wc -l)" 9
    run_whelk logs -t four
    assert_line --regexp '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]*(Z|[+-][0-9:]*) 5$'
    local sixth fifth
    fifth=$(whelk logs -t four | sed -n 's/ 5$//p')
    sixth=$(whelk logs -t four | sed -n 's/ 6$//p')
    assert_equal "$(whelk logs --since "$sixth" four)" $'6\n7\n8\n9'
    assert_equal "$(whelk logs --until "$fifth" four)" $'1\n2\n3\n4\n5'
    assert_equal "$(whelk logs --since "$sixth" --tail 1 four)" 9
}

@test "--follow, to the end and with a restart" {
    whelk run -d --name five --log-driver journald --restart on-failure:1 base sh -c 'echo begin; sleep 1; echo end; exit 1' >/dev/null
    assert_equal "$(whelk logs -f five)" $'begin\nend\nbegin\nend'
    whelk run -d --rm --name six --log-driver journald base sh -c 'sleep 1; echo only' >/dev/null
    assert_equal "$(whelk logs -f six)" only
}

@test "a tag" {
    whelk run --name seven --log-driver journald --log-opt "tag=$WHELK_LANE/{{.Name}}" base echo tagged >/dev/null
    whelk logs seven >/dev/null
    assert_equal "$(journalctl -q -o cat CONTAINER_TAG="$WHELK_LANE/seven")" tagged
    assert_equal "$(journalctl -q -o cat -t "$WHELK_LANE/seven")" tagged
}
