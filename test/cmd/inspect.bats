#!/usr/bin/env bats
# whelk inspect, container inspect, image inspect (S-040, C-049, C-142, CV-06, CV-F10, CV-F11)

load ../lib/common

setup() {
    base_image
}

teardown() {
    whelk rm -af >/dev/null
    no_containers_left
}

# has JQ-EXPRESSION: it holds for $output.
has() {
    jq -e "$1" <<<"$output" >/dev/null || _fail "it does not hold: $1"
}
time_form='^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{9}Z$'

@test "a container in docker's shape (CV-F10)" {
    mkdir "$BATS_TEST_TMPDIR/data"
    id=$(whelk create --name c -e A=b -e EMPTY= -l role=web -w /tmp -u 33 --entrypoint echo \
        -v "$BATS_TEST_TMPDIR/data:/data:ro" --hostname box base one "two words")
    run_whelk inspect c
    assert_success
    assert_stderr ""
    has 'type == "array" and length == 1'
    has ".[0].Id == \"$id\""
    has '.[0].Name == "/c"'
    has '.[0].Path == "echo" and .[0].Args == ["one", "two words"]'
    has ".[0].Created | test(\"$time_form\")"
    has '.[0].Image | test("^sha256:[0-9a-f]{64}$")'
    has '.[0].ImageName == "localhost/base:latest"'
    has '.[0].State | .Status == "created" and .Running == false and .Pid == 0 and .ExitCode == 0'
    has '.[0].State | .StartedAt == "0001-01-01T00:00:00Z" and .FinishedAt == "0001-01-01T00:00:00Z"'
    has '.[0].State | (.Paused, .Restarting, .OOMKilled, .Dead) == false'
    has '.[0].Config | .Hostname == "box" and .User == "33" and .WorkingDir == "/tmp" and .Tty == false'
    has '.[0].Config | .Entrypoint == ["echo"] and .Cmd == ["one", "two words"] and .Image == "localhost/base:latest"'
    has '.[0].Config | (.Env | index("A=b") and index("EMPTY=")) and .Labels == {"role": "web"}'
    has '.[0].Config | .StopSignal == "SIGTERM" and .OpenStdin == false'
    has '.[0].HostConfig | .AutoRemove == false and .Privileged == false and .ReadonlyRootfs == false and .Init == false'
    has ".[0].HostConfig.Binds[0] | startswith(\"$BATS_TEST_TMPDIR/data:/data:ro\")"
    has ".[0].Mounts == [.[0].Mounts[0]] and (.[0].Mounts[0] | .Type == \"bind\" and .RW == false)"
    has ".[0].Mounts[0] | .Source == \"$BATS_TEST_TMPDIR/data\" and .Destination == \"/data\""
    has '.[0].GraphDriver.Name == "overlay" and .[0].Driver == "overlay" and .[0].Platform == "linux"'
    has '.[0] | .RestartCount == 0'
    for file in LogPath HostsPath ResolvConfPath HostnamePath; do
        has ".[0].$file | startswith(\"$STORE/containers/$id/\")"
    done
    [ -e "$(jq -r '.[0].HostsPath' <<<"$output")" ]
}

@test "what it does at the moment" {
    id=$(whelk run -d -it --rm --privileged --read-only --init --name c base sleep 300)
    run_whelk container inspect c
    assert_success
    has '.[0].State | .Status == "running" and .Running == true and .Pid > 1 and .SupervisorPid > 1'
    has ".[0].State | (.StartedAt | test(\"$time_form\")) and .FinishedAt == \"0001-01-01T00:00:00Z\""
    has '.[0].Config | .Tty == true and .OpenStdin == true'
    has '.[0].HostConfig | .AutoRemove == true and .Privileged == true and .ReadonlyRootfs == true and .Init == true'
    [ -d "/proc/$(container_pid c)" ]
    whelk run --name ended base sh -c 'exit 7' || true
    run_whelk inspect ended
    has '.[0].State | .Status == "exited" and .Running == false and .Pid == 0 and .ExitCode == 7 and .Error == ""'
    has ".[0].State.FinishedAt | test(\"$time_form\")"
    has '.[0].State | .FinishedAt > .StartedAt'
    whelk run --name lost -d base sleep 300
    kill -9 "$(supervisor_pid lost)"
    wait_for 10 bash -c '[ "$("$1" inspect lost | jq -r ".[0].State.Status")" = exited ]' - "$WHELK"
    run_whelk inspect lost
    has '.[0].State | .ExitCode == 137 and .Error == "supervisor lost"'
    whelk run --name failed base /nosuch || true
    run_whelk inspect failed
    has '.[0].State | .ExitCode == 127 and (.Error | test("/nosuch"))'
}

@test "who wanted the end, and how often it was started again, are known after the end too" {
    whelk run -d --name asked base sleep 300 >/dev/null
    assert_equal "$(inspect_field asked .State.StoppedByUser)" false
    whelk stop -t 0 asked >/dev/null
    assert_equal "$(inspect_field asked .State.StoppedByUser)" true
    whelk start asked >/dev/null
    assert_equal "$(inspect_field asked .State.StoppedByUser)" false
    whelk kill asked >/dev/null
    whelk wait asked >/dev/null
    assert_equal "$(inspect_field asked .State.StoppedByUser)" true
    whelk run --name late --timeout 1 base sleep 300 || true
    assert_equal "$(inspect_field late .State.TimedOut)" true
    assert_equal "$(inspect_field late .State.StoppedByUser)" false
    whelk run --name again --restart on-failure:2 base false || true
    assert_equal "$(inspect_field again .RestartCount)" 2
    assert_equal "$(inspect_field again .State.StoppedByUser)" false
    assert_equal "$(whelk ps -a -f name=again --format '{{.Restarts}}')" 2
    whelk start again >/dev/null
    whelk wait again >/dev/null
}

@test "what it was made with: the words, devices, and docker's keys for what was not asked for" {
    whelk create --name c --device /dev/null:/dev/nix -e 'A=b c' --pidfile "$BATS_TEST_TMPDIR/pid" base echo "two words"
    run_whelk inspect c
    has '.[0].Config.CreateCommand[1:] | .[0] == "create" and .[-3:] == ["base", "echo", "two words"] and index("A=b c")'
    has '.[0].HostConfig.Devices == [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/nix", "CgroupPermissions": "rwm"}]'
    has '.[0].HostConfig | .BlkioDeviceReadBps == [] and .ConsoleSize == [0, 0] and .OomKillDisable == false and .StorageOpt == null'
    has '.[0].HostConfig | .DeviceRequests == [] and .VolumeDriver == "" and .Annotations == {} and .CgroupParent == ""'
    has ".[0].PidFile == \"$BATS_TEST_TMPDIR/pid\""
    has '.[0].GraphDriver.Data | (.LowerDir, .UpperDir, .WorkDir) | startswith("/")'
    [ -d "$(jq -r '.[0].GraphDriver.Data.LowerDir' <<<"$output")" ]
}

@test "capabilities that were added and dropped" {
    whelk create --name c --cap-add SYS_TIME --cap-drop CHOWN base true
    run_whelk inspect c
    has '.[0].HostConfig | .CapAdd == ["CAP_SYS_TIME"] and .CapDrop == ["CAP_CHOWN"]'
}

@test "an image, with its layers (S-040, CV-F11)" {
    id=$(whelk images -q --no-trunc base 2>/dev/null) || id=$(whelk image inspect base | jq -r '.[0].Id')
    whelk tag base extra:v2
    for command in inspect "image inspect" "inspect --type image" "inspect --type=all"; do
        run_whelk $command base
        assert_success
        assert_stderr ""
        has ".[0].Id == \"$id\""
        has '.[0].RepoTags == ["localhost/base:latest", "localhost/extra:v2"] and .[0].RepoDigests == []'
        has '.[0].RootFS | .Type == "layers" and (.Layers | length == 1 and (.[0] | test("^sha256:[0-9a-f]{64}$")))'
        has ".[0].Created | test(\"$time_form\")"
        has '.[0] | .Os == "linux" and .Architecture != "" and .Size > 100000 and .Parent == "" and .Author == ""'
        has '.[0].Config | type == "object"'
        has '.[0].History[0].created_by == "whelk import"'
        has ".[0].Metadata.LastTagTime | test(\"$time_form\")"
    done
    whelk rmi extra:v2
}

@test "containers come before images, and --type chooses (C-142)" {
    id=$(whelk create --name base base true)
    assert_equal "$(inspect_field base .Id)" "$id"
    assert_equal "$(inspect_field base:latest .Os)" linux
    run_whelk inspect --type image base
    has '.[0].RepoTags | index("localhost/base:latest")'
    run_whelk inspect --type container base
    has ".[0].Id == \"$id\""
    run_whelk image inspect base
    has '.[0].Os == "linux"'
}

@test "what is found is printed, what is not is told: 125 and still an array (CV-06)" {
    whelk create --name web base true
    run_whelk inspect nosuch web base nosuch2
    assert_status 125
    has 'length == 2 and .[0].Name == "/web" and .[1].Os == "linux"'
    assert_equal "$stderr" "Error: no such container or image: nosuch
Error: no such container or image: nosuch2"
    run_whelk inspect nosuch
    assert_status 125
    assert_output '[]'
    assert_stderr "Error: no such container or image: nosuch"
    run_whelk container inspect base
    assert_status 125
    assert_output '[]'
    assert_stderr "Error: no such container: base"
    run_whelk inspect --type image web
    assert_status 125
    assert_output '[]'
    assert_stderr --partial "Error: no such image: web ("
}

@test "objects by id and by the start of an id; an exact name wins (S-044, CV-22)" {
    id=$(whelk create --name c base true)
    assert_equal "$(inspect_field "$id" .Name)" /c
    assert_equal "$(inspect_field "${id:0:12}" .Name)" /c
    whelk create --name "${id:0:12}" base true
    assert_equal "$(inspect_field "${id:0:12}" .Name)" "/${id:0:12}"
    for i in {1..17}; do whelk create base true >/dev/null; done
    digit=$(whelk ps -aq | cut -c1 | sort | uniq -d | head -n 1)
    run_whelk inspect "$digit"
    assert_status 125
    assert_stderr --partial "Error: \"$digit\" is the start of more than one container id: "
}

@test "the last container" {
    whelk create --name first base true >/dev/null
    whelk create --name last base true >/dev/null
    assert_equal "$(whelk inspect --latest -f '{{.Name}}')" /last
    assert_equal "$(whelk inspect -l --type container | jq length)" 1
}

@test "usage errors" {
    while IFS='|' read -r words text; do
        run_whelk $words
        assert_status 125
        assert_one_error
        assert_stderr "Error: $text"
    done <<'END'
inspect|"whelk inspect" needs at least one NAME|ID argument; see whelk inspect --help
container inspect|"whelk container inspect" needs at least one CONTAINER argument; see whelk container inspect --help
image inspect|"whelk image inspect" needs at least one IMAGE argument; see whelk image inspect --help
inspect --type pod x|--type pod: whelk has no pods; known: container, image, network, volume, all
inspect --latest x|--latest is a container, and takes no names besides
inspect --latest --type image|--latest is a container, and takes no names besides
inspect --type pot x|--type pot is not known; known: container, image, network, volume, all
inspect --type|option "--type" of "whelk inspect" needs a value: --type KIND
inspect --typ image x|unknown option "--typ" for "whelk inspect"; did you mean "--type"?
END
}

@test "under the name docker a missing object is status 1 (CV-06)" {
    ln -s "$WHELK" "$BATS_TEST_TMPDIR/docker"
    run "$BATS_TEST_TMPDIR/docker" inspect nothing
    [ "$status" = 1 ]
    run "$WHELK" inspect nothing
    [ "$status" = 125 ]
}

@test "volumes too, after containers and images" {
    whelk volume create -l a=b data >/dev/null
    assert_equal "$(whelk inspect --type volume -f '{{.Name}} {{.Driver}}' data)" "data local"
    assert_equal "$(whelk inspect data | jq -r '.[0].Labels.a')" b
    run_whelk inspect --type volume nosuch
    assert_status 125
    assert_stderr "Error: no such volume: nosuch"
    whelk volume rm data >/dev/null
}
