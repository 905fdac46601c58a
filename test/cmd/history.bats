#!/usr/bin/env bats
# whelk history (S-039, C-048)

load ../lib/common
load ../lib/archives

setup() {
    fresh_store
    base_image
    build_image made:v1 <<'END'
FROM base
RUN printf 12345 > /five
ENV LONG="a value that is long enough to make the text of this step longer than what a column shows"
CMD ["true"]
END
    id=$(whelk images -q --no-trunc made)
}

teardown() {
    remove_all
    no_leftovers
}

@test "a row for each step, newest first (S-039)" {
    run_whelk history made:v1
    assert_success
    assert_equal "${#lines[@]}" 5
    assert_output --regexp '^IMAGE +CREATED +CREATED BY +SIZE +COMMENT'
    [[ ${lines[1]} =~ ^"${id:7:12}"\ .*CMD.*\ 0B ]] || _fail "first row"
    [[ ${lines[2]} =~ ^"<missing>"\ .*ENV.*…\ +0B ]] || _fail "second row"
    [[ ${lines[3]} =~ ^"<missing>"\ .*RUN.*five.*\ 5B ]] || _fail "third row"
    [[ ${lines[4]} =~ ^"<missing>"\ .*"whelk import".*MB ]] || _fail "fourth row"
    run_whelk image history made:v1
    assert_success
    assert_equal "${#lines[@]}" 5
}

@test "-q, --no-trunc, -H, --format" {
    run_whelk history -q made:v1
    assert_output "${id:7:12}
<missing>
<missing>
<missing>"
    run_whelk history -q --no-trunc made:v1
    assert_line "$id"
    run_whelk history --no-trunc made:v1
    assert_output --partial "longer than what a column shows"
    run_whelk history --human=false --format '{{.Size}} {{.CreatedSince}}' made:v1
    [[ ${lines[2]} =~ ^5\ 20..-..-..T.*Z$ ]] || _fail "third row"
    run_whelk history --format json made:v1
    assert_equal "$(jq -c '[.[] | (.ID != "<missing>")]' <<<"$output")" "[true,false,false,false]"
    assert_equal "$(jq -c '.[0].Tags' <<<"$output")" '["localhost/made:v1"]'
    assert_equal "$(whelk history --format '{{.Comment}}|{{.CreatedBy}}' made:v1 | head -n 1 | cut -d '|' -f 1)" ""
    assert_equal "$(whelk history -H --format 'table {{.Size}}' made:v1 | head -n 1)" SIZE
}

@test "layers without a history" {
    cd "$BATS_TEST_TMPDIR"
    archive_parts parts
    docker_archive parts bare:latest | whelk load >/dev/null
    run_whelk history bare
    assert_equal "${#lines[@]}" 3
    [[ ${lines[1]} =~ ^[0-9a-f]{12}\ +N/A\ +2B ]] || _fail "first row"
    [[ ${lines[2]} =~ ^"<missing>"\ +N/A\ +1B ]] || _fail "second row"
}

@test "errors" {
    run_whelk history absent
    assert_status 125
    assert_one_error
    assert_stderr --partial "no such image: absent"
    run_whelk history --platform linux/s390x made:v1
    assert_status 125
    assert_stderr --partial "not for linux/s390x"
    run_whelk history --format '{{.Nothing}}' made:v1
    assert_status 125
    run_whelk history
    assert_status 125
}
