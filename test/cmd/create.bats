#!/usr/bin/env bats
# whelk create (S-016): as run, but nothing starts.

load ../lib/common
load ../lib/container
load ../lib/tidy

@test "it prints the id, and the container is created and does not run" {
    local id
    run_whelk create --name c base sh -c 'echo ran; exit 3'
    assert_success
    assert_stderr ""
    assert_id "$output"
    id=$output
    assert_equal "$(whelk ps -q)" ""
    assert_equal "$(whelk ps -aq --no-trunc)" "$id"
    assert_equal "$(inspect_field c .State.Status)" created
    assert_equal "$(inspect_field c .State.StartedAt)" 0001-01-01T00:00:00Z
    answers "" logs c
    run_whelk start -a c
    assert_status 3
    assert_output ran
    id=$(whelk container create base true)
    assert_id "$id"
}

@test "it keeps what it was told until the start" {
    mkdir d
    echo hello >d/f
    echo FILE=1 >vars
    whelk create --name c -e A=1 --env-file vars -w /work -u root -h name -l k=v -v ./d:/d:ro --tmpfs /t --read-only --init \
        --entrypoint '["sh", "-c"]' --stop-signal USR1 --stop-timeout 3 --network none --cap-drop ALL --cidfile cid base \
        'echo $A $FILE $PWD $(id -u) $(hostname) $(cat /d/f) $(cat /proc/1/comm); touch /x' >/dev/null
    # What the caller has changed since does not matter.
    cd /
    A=2 run_whelk start -a c
    assert_status 1
    assert_output "1 1 /work 0 name hello whelk-init"
    assert_stderr --partial "Read-only file system"
    assert_equal "$(inspect_field c '.Config | [.Hostname, .WorkingDir, .User, .StopTimeout, .Labels.k] | tojson')" \
        '["name","/work","root",3,"v"]'
    assert_equal "$(inspect_field c '.HostConfig | [.NetworkMode, .ReadonlyRootfs, .Init, .Privileged] | tojson')" \
        '["none",true,true,false]'
    assert_equal "$(inspect_field c .Id)" "$(cat "$BATS_TEST_TMPDIR/cid")"
}

@test "-i and -t hold for every start" {
    whelk create -i --name c base cat >/dev/null
    run bash -c 'echo one | "$WHELK" start -ai c'
    assert_output one
    run bash -c 'echo two | "$WHELK" start -ai c'
    assert_output two
    whelk create -t --name t base tty >/dev/null
    answers $'/dev/pts/0\r' start -a t
}

@test "--rm removes it after its first run" {
    whelk create --rm --name c base true >/dev/null
    assert_equal "$(whelk ps -aq | wc -l)" 1
    answers "" start -a c
    assert_equal "$(whelk ps -aq)" ""
}

@test "what is wrong is said now, and leaves nothing" {
    local args
    refused 125 '"whelk create" needs at least one IMAGE argument; see whelk create --help' create
    refused 125 'unknown option "--detach" for "whelk create"; see whelk create --help' create --detach base true
    refused 125 "image localhost/base:latest says no command to run; give one after the image's name" create base
    for args in "--name -x" "--network bogus" "--cap-add bogus" "--security-opt bogus" "-v ./no/such:/x" "-v ./:/x:bogus" \
        "--tmpfs x" "--stop-signal bogus" "--stop-timeout=-3" "-w rel" "-h a_b" "--env-file no/such" "-e =x" "--label =x" \
        "--entrypoint [1]" "--pull sometimes" "--cidfile no/such"; do
        run_whelk create --cidfile cid $args base true
        echo "create $args" >&2
        assert_status 125
        assert_one_error
    done
    assert_equal "$(whelk ps -aq)" ""
    [ ! -e cid ]
}

@test "a name that is taken" {
    local id
    id=$(whelk create --name c base true)
    refused 125 "the container name \"c\" is already in use by $id: remove that container or choose another name" \
        create --name c base true
    whelk rm c >/dev/null
    whelk create --name c base true >/dev/null
}

@test "many at once get ids and names of their own" {
    local n pids=()
    for n in {1..20}; do
        "$WHELK" create base true >"id$n" 3>&- &
        pids+=($!)
    done
    wait "${pids[@]}"
    assert_equal "$(cat id* | sort -u | grep -cE '^[0-9a-f]{64}$')" 20
    assert_equal "$(whelk ps -aq --no-trunc | sort)" "$(cat id* | sort)"
    assert_equal "$(whelk inspect $(cat id*) | jq -r '.[].Name' | sort -u | wc -l)" 20
}

@test "--cgroups" {
    for mode in enabled disabled no-conmon split; do
        run_whelk create --cgroups "$mode" base true
        assert_success
    done
    refused 125 "--cgroups some is not known; known: enabled, disabled, no-conmon, split" create --cgroups some base true
    refused 125 "--cgroups disabled and a limit contradict each other" create --cgroups disabled --pids-limit 5 base true
    run_whelk run --rm --cgroups disabled base cat /proc/self/cgroup
    assert_success
    [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || refused 125 "--cgroups split needs control groups version 2, which this host has not" run --rm --cgroups split base true
    whelk rm -af >/dev/null
}
