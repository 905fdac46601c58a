#!/usr/bin/env bats
# whelk system df, prune, reset (C-146, C-147, C-148, PAIN-07)

load ../lib/common
load ../lib/container

setup() {
    cd "$BATS_TEST_TMPDIR"
    fresh_store
    base_image
}

teardown() {
    whelk rm -af >/dev/null
    whelk volume rm -af >/dev/null
    no_containers_left
}

kind() { # KIND: its row
    whelk system df --format '{{.Type}}: {{.TotalCount}} {{.Active}} {{.Reclaimable}}' | grep "^$1: "
}

# --- df

@test "df counts images, containers, volumes and steps" {
    run_whelk system df
    assert_success
    assert_equal "${#lines[@]}" 5
    assert_line --regexp '^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE$'
    assert_line --regexp '^Images +1 +0 +[0-9.]+MB +[0-9.]+MB \(100%\)$'
    assert_line --regexp '^Build Cache +0 +0 +0B +0B$'
    whelk run -d --name c -v data:/data base sh -c 'head -c 300000 /dev/zero >/data/x; head -c 200000 /dev/zero >/x; exec sleep 300' >/dev/null
    whelk create --name d base true >/dev/null
    whelk volume create other >/dev/null
    assert_equal "$(kind Images)" "Images: 1 1 0B (0%)"
    [[ $(kind Containers) == "Containers: 2 1 "* ]]
    [[ $(kind "Local Volumes") == "Local Volumes: 2 1 "* ]]
    [ "$(whelk system df --format json | jq '.[2].RawSize')" -ge 300000 ]
    for field in Type TotalCount Total Active Size Reclaimable RawSize RawReclaimable; do
        run_whelk system df --format "{{.$field}}"
        assert_success
    done
}

@test "df -v tells of each object; a shared layer counts once" {
    needs_build
    build_image made <<<$'FROM base\nRUN echo x >/x'
    whelk create --name c made true >/dev/null
    whelk volume create data >/dev/null
    run_whelk system df -v
    assert_success
    assert_line --regexp '^localhost/base +latest +[0-9a-f]{12} .* 0$'
    assert_line --regexp '^localhost/made +latest +[0-9a-f]{12} .* [0-9.]+MB +[0-9.]+k?B +1$'
    assert_line --regexp '^[0-9a-f]{12} +localhost/made:latest .* created +c$'
    assert_line --regexp '^data +0 '
    assert_line --regexp '^Build cache usage: 0B$'
    refused 125 "--verbose and --format cannot be used together" system df -v --format json
}

# --- prune

@test "prune asks, and says what it will do" {
    refused 125 "This will remove all containers that do not run, all networks that no container has, all images without a name that no container uses, the unused build cache, and what broken pulls left. Nobody can be asked here; use --force" system prune
    refused 125 "This will remove all containers that do not run, all networks that no container has, all anonymous volumes that no container has, all images without a container that uses them, the whole build cache, and what broken pulls left. Nobody can be asked here; use --force" system prune -a --volumes
    whelk create --name c base true >/dev/null
    terminal 'wait:[y/N]' 'type:n\r' -- system prune
    whelk inspect c >/dev/null
    terminal 'wait:[y/N]' 'type:y\r' -- system prune
    assert_output --partial "Total reclaimed space: "
    no_containers_left
}

@test "prune takes what nobody needs, and no more" {
    local id volume
    whelk run -d --name runs base sleep 300 >/dev/null
    id=$(whelk create -v /anonymous base true)
    volume=$(whelk volume ls -q)
    whelk volume create kept >/dev/null
    answers "" secret ls -q
    run_whelk system prune -f
    assert_success
    assert_output --regexp "^Deleted Containers:"$'\n'"$id"$'\n\n'"Total reclaimed space: [0-9.]+k?B$"
    run_whelk system prune -f --volumes
    assert_output --regexp "^Deleted Volumes:"$'\n'"$volume"$'\n\n'"Total"
    assert_equal "$(whelk volume ls -q)" kept
    run_whelk system prune -af
    assert_output "Total reclaimed space: 0B"
    whelk rm -f runs >/dev/null
    run_whelk system prune -af
    assert_line "Untagged: localhost/base:latest"
    assert_equal "$(whelk images -q)" ""
    assert_equal "$(whelk events --stream=false -f event=prune --format '{{.Type}}' | sort -u | tr '\n' ' ')" "container image volume "
}

@test "prune and the build cache, and filters" {
    needs_build
    build_image made <<<$'FROM base\nRUN echo x >/x'
    whelk create --name a -l k base true >/dev/null
    whelk create --name b base true >/dev/null
    run_whelk system prune -f --filter label=k
    assert_success
    assert_equal "$(whelk ps -aq | wc -l)" 1
    assert_equal "$(kind "Build Cache" | cut -d ' ' -f 3)" 1
    whelk system prune -f >/dev/null
    assert_equal "$(kind "Build Cache" | cut -d ' ' -f 3)" 1 # an image has it
    run_whelk system prune -f --build
    assert_line "Deleted Build Cache:"
    assert_equal "$(kind "Build Cache" | cut -d ' ' -f 3)" 0
    run_whelk system prune -f --filter nosuch=1
    assert_status 125
}

# --- reset

@test "reset removes everything of the store, and says how much" {
    whelk run -d --name c -v data:/d base sh -c 'mkdir -m 700 /p; touch /d/x; exec sleep 300' >/dev/null
    whelk secret create s - <<<x >/dev/null
    run_whelk system reset
    assert_status 125
    assert_stderr --regexp "^Error: This will remove all containers, running ones too, images, volumes, secrets and the build cache: [0-9.]+MB in $STORE. Nobody can be asked here; use --force$"
    state_is c running
    run_whelk system reset -f
    assert_success
    assert_output ""
    [ ! -e "$STORE/whelk-store.json" ]
    [ "$WHELK_LANE" = root ] || [ ! -e "$STORE" ]
    assert_equal "$(whelk ps -aq)$(whelk images -q)$(whelk volume ls -q)$(whelk secret ls -q)" ""
}

@test "reset leaves what is not whelk's, and follows no link (PAIN-07)" {
    [ "$WHELK_LANE" != root ] || skip "the store is a mount of the test there"
    mkdir outside
    touch outside/precious "$STORE/mine"
    rmdir "$STORE/networks"
    ln -s "$PWD/outside" "$STORE/networks"
    whelk system reset -f
    [ -e outside/precious ]
    assert_equal "$(ls -A "$STORE")" mine
}

@test "reset refuses places that are no store, and the current directory" {
    mkdir other
    touch other/file
    run_whelk --root "$PWD/other" system reset -f
    assert_status 125
    assert_stderr --partial "$PWD/other is not a store of whelk and holds other things, as file: give an empty directory"
    [ -e other/file ]
    cd "$STORE"
    whelk create --name c base true >/dev/null
    refused 125 "$STORE is the current directory; call it from elsewhere" system reset -f
    whelk inspect c >/dev/null
    [ -e "$STORE/whelk-store.json" ]
    cd /
}
