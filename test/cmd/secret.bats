#!/usr/bin/env bats
# whelk secret create, ls, inspect, rm, exists (C-160, C-161), and --secret of run and create (R-070)

load ../lib/common
load ../lib/container

SECRET=hush-hush-9c1f

setup_file() {
    base_image
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    printf %s "$SECRET" >file
}

teardown() {
    whelk rm -af >/dev/null
    whelk secret rm -a >/dev/null
    no_containers_left
}

# --- the commands

@test "create from a file, a pipe and a variable; only the owner may read it" {
    local id
    id=$(whelk secret create one file)
    assert_id "$id"
    whelk secret create two - <file
    TOKEN=$SECRET whelk secret create --env -l who=me three TOKEN
    for name in one two three; do
        assert_equal "$(whelk secret inspect --showsecret -f '{{.SecretData}}' "$name")" "$SECRET"
        assert_equal "$(stat -c %a "$STORE/secrets/$name" "$STORE/secrets/$name/data" | tr '\n' ' ')" "700 600 "
    done
    answers '["me"]' secret inspect -f '[{{json .Spec.Labels.who}}]' three
    run_whelk secret inspect one
    refute_output "$SECRET"
    assert_equal "$(jq -r '.[0].ID, .[0].Spec.Name, .[0].Spec.Driver.Name' <<<"$output")" "$id"$'\none\nfile'
}

@test "ls, its filters and fields" {
    local id
    id=$(whelk secret create -l a=b one file)
    whelk secret create two file
    run_whelk secret ls
    assert_success
    assert_equal "${#lines[@]}" 3
    assert_line --regexp '^ID +NAME +DRIVER +CREATED +UPDATED$'
    assert_line --regexp "^${id:0:12} +one +file +Less than a second ago +Less than a second ago$"
    answers "$id" secret list -q -f name=^one
    answers one secret ls -f "id=${id:0:8}" --format '{{.Name}}'
    answers one secret ls -f label=a=b --format '{{.Name}}'
    for field in ID Name Driver CreatedAt UpdatedAt Labels; do
        run_whelk secret ls --format "{{.$field}}"
        assert_success
    done
    run_whelk secret ls -n -f name=two
    assert_equal "${#lines[@]}" 1
    run_whelk secret ls -f nosuch=1
    assert_status 125
    assert_stderr --partial "id, label, name"
}

@test "a name that is taken" {
    local id
    id=$(whelk secret create one file)
    refused 125 "there is a secret one already; give --replace, or remove it: whelk secret rm one" secret create one file
    answers "$id" secret create --ignore one file
    echo new >other
    answers "$id" secret create --replace one other
    assert_equal "$(whelk secret inspect --showsecret -f '{{.SecretData}}' "${id:0:10}")" new
    refused 125 "--ignore and --replace contradict each other" secret create --ignore --replace one file
}

@test "rm and exists" {
    local id
    id=$(whelk secret create one file)
    answers "" secret exists one
    answers "$id" secret rm one
    run_whelk secret exists one
    assert_status 1
    assert_stderr ""
    refused 1 "no such secret: one" secret rm one
    answers "" secret rm -i one
    whelk secret create one file
    whelk secret create two file
    run_whelk secret remove -a
    assert_equal "${#lines[@]}" 2
    answers "" secret ls -q
    refused 125 "--all takes no secrets besides" secret rm -a one
    refused 125 "name at least one secret, or give --all" secret rm
}

@test "inspect for people" {
    whelk secret create -l a=b one file
    run_whelk secret inspect --pretty one
    assert_line --regexp '^Name: +one$'
    assert_line " - a=b"
    refute_output "$SECRET"
    run_whelk secret inspect --pretty --showsecret one
    assert_line --regexp "^Secret: +$SECRET\$"
    run_whelk secret inspect one nosuch
    assert_status 125
    assert_equal "$(jq -r '.[].Spec.Name' <<<"$output")" one
    assert_stderr "Error: no such secret: nosuch"
    refused 125 "--pretty and --format cannot be used together" secret inspect --pretty -f x one
}

@test "what is no secret" {
    refused 125 "the secret is empty" secret create one /dev/null
    refused 125 "cannot read nosuch: No such file or directory" secret create one nosuch
    refused 125 "the variable NOSUCH_VARIABLE is not set" secret create --env one NOSUCH_VARIABLE
    refused 125 "--driver pass is not known; known: file" secret create -d pass one file
    refused 125 "--label =x has no key; write KEY=VALUE" secret create -l =x one file
    head -c 512001 /dev/zero >big
    refused 125 "a secret has at most 512000 bytes" secret create one big
    head -c 512000 /dev/zero >big
    whelk secret create one big >/dev/null
    run_whelk secret create ../x file
    assert_status 125
    answers "$(whelk secret ls -q)" secret ls -q -f name=one
    terminal 'wait:Error' -- secret create two -
    assert_output --partial "standard input is a terminal; give the secret in a pipe or a file"
}

# --- in containers

@test "a file below /run/secrets, read-only, and elsewhere" {
    whelk secret create one file >/dev/null
    answers "$SECRET" run --rm --secret one base cat /run/secrets/one
    answers "$SECRET 444 0" run --rm --secret one,target=other base sh -c 'echo $(cat /run/secrets/other) $(stat -c "%a %u" /run/secrets/other)'
    answers "$SECRET 400" run --rm --secret one,target=/etc/deep/er,mode=0400 base sh -c 'echo $(cat /etc/deep/er) $(stat -c %a /etc/deep/er); ls -A /run/secrets'
    run_whelk run --rm --secret one base sh -c 'echo x >/run/secrets/one'
    assert_status 1
    run_whelk run --rm --secret one --read-only base cat /run/secrets/one
    assert_output "$SECRET"
    needs_ids
    answers "7 8" run --rm --secret one,uid=7,gid=8 base stat -c '%u %g' /run/secrets/one
}

@test "a variable, for exec and health checks too" {
    whelk secret create one file >/dev/null
    answers "$SECRET" run --rm --secret one,type=env base sh -c 'echo "$one"'
    whelk run -d --name c --secret one,type=env,target=TOKEN --health-cmd "test \"\$TOKEN\" = $SECRET" --health-interval 100ms base sleep 300 >/dev/null
    answers "$SECRET" exec c sh -c 'echo "$TOKEN"'
    wait_for 10 prints healthy inspect_field c .State.Health.Status
}

@test "it is nowhere but in the container" {
    whelk secret create one file >/dev/null
    whelk run -d --name c --secret one --secret one,type=env base sleep 300 >/dev/null
    for command in "inspect c" "diff c" "export c" "events --stream=false" "logs c"; do
        ! whelk $command 2>&1 | grep -qaF "$SECRET"
    done
    whelk commit c img >/dev/null
    ! whelk inspect img | grep -qF "$SECRET"
    assert_equal "$(whelk run --rm img sh -c 'ls -A /run/secrets 2>/dev/null; echo "[$one]"')" "[]"
    ! tr '\0' '\n' <"/proc/$(supervisor_pid c)/cmdline" | grep -qF "$SECRET"
    assert_equal "$(grep -rlF "$SECRET" "$STORE")" "$STORE/secrets/one/data"
}

@test "a new start reads it anew; one that is gone is an error" {
    whelk secret create one file >/dev/null
    whelk run --name c --secret one base cat /run/secrets/one
    echo changed >other
    whelk secret create --replace one other >/dev/null
    answers changed start -a c
    whelk secret rm one >/dev/null
    run_whelk start c
    assert_status 125
    assert_stderr --partial "there is no secret one any more; make it again: whelk secret create one FILE"
}

@test "mistakes of --secret" {
    whelk secret create one file >/dev/null
    refused 125 "--secret nosuch: no such secret: nosuch" create --secret nosuch base true
    refused 125 '--secret one,x=y: "x=y" is not known; known: type, target, uid, gid, mode' create --secret one,x=y base true
    for word in type=x uid=x gid=-1 mode=9 target=; do
        refused 125 "--secret one,$word: $word is no value; write type=mount|env, target=PATH or NAME, uid=N, gid=N, mode=OCTAL" create --secret "one,$word" base true
    done
    refused 125 "--secret one,target=/: the target must be the path of a file" create --secret one,target=/ base true
    refused 125 "--secret one,type=env,target=A=B: a variable's name has no =" create --secret one,type=env,target=A=B base true
    run_whelk run --rm --secret one,target=/proc/x base true
    assert_status 125
    run_whelk run --rm --secret one --secret one base true
    assert_success
}
