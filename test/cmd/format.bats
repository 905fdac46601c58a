#!/usr/bin/env bats
# --format, --filter, --sort and the prune commands (CV-24, CV-50 to CV-53, CV-F01 to CV-F11), with expressions that kind, VS Code and Jenkins use

load ../lib/common
load ../lib/container

setup() {
    base_image
}

teardown() {
    whelk rm -af >/dev/null
    no_containers_left
}

# names OPTION...: what ps lists, on one line
names() {
    whelk ps "$@" --format '{{.Names}}' | xargs
}

# three containers: runs (role=node), done (exit status 3), made
three() {
    whelk run -d --name runs --label cluster=kind --label role=node --env A=b base sleep 300 >/dev/null
    whelk run --name done --label cluster=kind base sh -c 'exit 3' || true
    whelk create --name made --restart always base true >/dev/null
}

@test "ps: fields with docker's types" {
    id=$(whelk run -d --name runs --label b=2 --label a=1 --volume vol:/v --tmpfs /t base sleep 300)
    answers "${id:0:12} runs localhost/base:latest \"sleep 300\" running" ps --format '{{.ID}} {{.Names}} {{.Image}} {{.Command}} {{.State}}'
    run_whelk ps --format '{{.Labels}}'
    [[ $output == "b=2,a=1" || $output == "a=1,b=2" ]]
    answers "2|" ps --format '{{.Label "b"}}|{{.Label "none"}}'
    answers "vol 1" ps --format '{{.Mounts}} {{.LocalVolumes}}'
    run_whelk ps --format '{{.CreatedAt}}'
    assert_output --regexp '^20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9:]{8} [+-][0-9]{4} [A-Z+-]'
    run_whelk ps --format '{{.RunningFor}}|{{.Status}}'
    assert_output --regexp '^[A-Za-z0-9 ]+ ago\|Up '
    answers "$id" ps --no-trunc --format '{{.ID}}'
    assert_equal "$(whelk ps --format '{{json .}}' | jq -r '[.Names, .State, .Size, .LocalVolumes] | join(" ")')" "runs running 0B 1"
    assert_equal "$(whelk ps --format json | jq -r '.[0].Names')" runs
    answers $'NAMES   STATE\nruns    running' ps --format 'table {{.Names}}\t{{.State}}'
    answers "runs   running" ps --noheading --format 'table {{.Names}}\t{{.State}}'
    whelk rm -f runs >/dev/null
    whelk volume rm vol >/dev/null
}

@test "ps: unknown fields, broken templates, unknown filters and orders are told" {
    three
    run_whelk ps --format '{{.Nope}}'
    assert_status 125
    assert_stderr --partial 'there is no field "Nope"; there are: AutoRemove,'
    run_whelk ps --format '{{.Names'
    assert_status 125
    assert_stderr --partial "not closed"
    run_whelk ps --filter nmae=x
    assert_status 125
    assert_stderr --partial 'there is no filter "nmae"; did you mean name? Known: ancestor,'
    for bad in status=lost exited=x before=nobody name='('; do
        run_whelk ps -a --filter "$bad"
        assert_status 125
        assert_one_error
    done
    refused 125 '--sort mood is not known; known: command, created, id, image, names, runningfor, size, status' ps --sort mood
    refused 125 '--latest and --last cannot be used together' ps -l -n 2
}

@test "ps: filters (CV-50)" {
    three
    printf 'FROM base\nRUN echo >/more\n' | build_image other
    while read -r wanted filters; do
        echo "$filters"
        assert_equal "$(names -a ${filters//,/ } --sort names)" "${wanted//+/ }"
    done < <(sed 's/\([ ,]\)/\1--filter=/g' <<END
runs name=run
runs name=^/runs\$
done+made name=^(done|made)\$
done+made name=done,name=made
done+runs label=cluster
runs label=cluster=kind,label=role=node
done+made label!=role
done exited=3
done+made status=exited,status=created
runs status=running,ancestor=base
done+made+runs ancestor=localhost/base:latest
made since=done
runs before=done
made restart-policy=always
done+made+runs health=none
runs id=$(whelk ps -q)
done+made+runs network=private
runs command=^sleep
END
    )
    assert_equal "$(names --filter status=exited)" "done"
    assert_equal "$(names -a --filter until=1h)" ""
    assert_equal "$(names -a --filter until=2099-01-01 --filter name=runs)" runs
    whelk create --name upper other true >/dev/null
    assert_equal "$(names -a --filter ancestor=other)" upper
    assert_equal "$(names -a --filter ancestor=base --filter name=upper)" upper
    whelk rm upper >/dev/null
    whelk rmi other >/dev/null
}

@test "ps: last, latest, size, order" {
    three
    assert_equal "$(names -l)" made
    assert_equal "$(names -n 2)" "made done"
    assert_equal "$(names -a --sort names)" "done made runs"
    assert_equal "$(names -aq)" "made done runs"
    run_whelk ps -s
    assert_line --regexp 'NAMES +SIZE$'
    assert_line --regexp 'runs +[0-9.]+k?B \(virtual [0-9.]+MB\)$'
    whelk exec runs sh -c 'head -c 3000000 /dev/zero >/big'
    assert_equal "$(names -a --sort size | awk '{ print $3 }')" runs
    run_whelk ps --format '{{.Size}}'
    assert_output --regexp '^3(\.[0-9]+)?MB \(virtual [5-9]'
}

@test "ps: health and pause are seen" {
    whelk run -d --name sick --health-cmd false --health-interval 100ms --health-retries 1 base sleep 300 >/dev/null
    is_sick() { [ "$(names --filter health=unhealthy)" = sick ]; }
    wait_for 10 is_sick
    run_whelk ps --format '{{.Status}}|{{.HealthStatus}}'
    assert_output --regexp '^Up .* \(unhealthy\)\|unhealthy$'
    answers unhealthy inspect --format '{{.State.Health.Status}}' sick
    answers 1 inspect -f '{{(index .State.Health.Log 0).ExitCode}}' sick
    whelk pause sick 2>/dev/null || skip "no control group that can be frozen"
    run_whelk ps --format '{{.State}} {{.Status}}'
    assert_output --regexp '^paused Up .* \(Paused\)$'
    answers "true paused" inspect -f '{{.State.Paused}} {{.State.Status}}' sick
    whelk unpause sick >/dev/null
}

@test "inspect: what kind, VS Code and Jenkins ask" {
    three
    id=$(whelk ps -q --no-trunc)
    answers node inspect --format '{{ index .Config.Labels "role"}}' runs
    answers "kind" ps -a --filter name=runs --format '{{.Label "cluster"}}'
    run_whelk inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}},{{.GlobalIPv6Address}}{{end}}' runs
    assert_output --regexp '^[0-9.]*,[0-9a-f:]*$'
    answers "" inspect --format '{{ with (index .NetworkSettings.Ports "6443/tcp") }}{{ printf "%s\t%s" .HostIp .HostPort }}{{ end }}' runs
    answers . inspect -f . runs
    answers "$id" inspect -f '{{.Id}}' runs
    answers true inspect -f '{{.State.Running}}' runs
    answers "/runs" container inspect -f '{{.Name}}' runs
    run_whelk inspect -f '{{range .Config.Env}}{{println .}}{{end}}' runs
    assert_line A=b
    answers "$id" ps -q -a --no-trunc --filter label=cluster=kind --filter label=role=node
    assert_equal "$(whelk inspect --type container runs | jq -r '.[0].Config.Labels.role')" node
    assert_equal "$(whelk inspect -f '{{json .HostConfig.RestartPolicy}}' made)" '{"Name":"always","MaximumRetryCount":0}'
    answers "linux" image inspect -f '{{.Os}}' base
    answers "[localhost/base:latest] map[]" image inspect -f '{{.RepoTags}} {{.Config.Labels}}' base
    answers "true" version -f '{{eq .Server.Version .Client.Version}}'
    assert_equal "$(whelk version --format '{{json .Server}}' | jq -r .Os)" linux
    run_whelk inspect -f '{{.Nope}}' runs
    assert_status 125
    assert_stderr --partial 'there is no field "Nope"'
    run_whelk inspect -f '{{.Id}}' runs gone
    assert_status 125
    assert_output "$id"
    assert_stderr "Error: no such container or image: gone"
}

@test "inspect: what run was told, and sizes" {
    whelk create --name c --restart on-failure:3 --ulimit nofile=100:200 --shm-size 32m --group-add 5 \
        --health-cmd 'true' --health-retries 7 base true >/dev/null
    answers "on-failure 3" inspect -f '{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}' c
    answers "[nofile 100 200]" inspect -f '{{range .HostConfig.Ulimits}}[{{.Name}} {{.Soft}} {{.Hard}}]{{end}}' c
    answers "33554432 [5] private" inspect -f '{{.HostConfig.ShmSize}} {{.HostConfig.GroupAdd}} {{.HostConfig.IpcMode}}' c
    answers "[CMD-SHELL true] 7" inspect -f '{{.Config.Healthcheck.Test}} {{.Config.Healthcheck.Retries}}' c
    answers "false 0" inspect -f '{{.State.OOMKilled}} {{.RestartCount}}' c
    run_whelk inspect -s -f '{{.SizeRw}} {{.SizeRootFs}}' c
    assert_output --regexp '^[0-9]+ [0-9]{7}$'
    assert_equal "$(whelk inspect c | jq '.[0] | has("SizeRw")')" false
}

@test "images: formats, patterns, filters and order (CV-F02, CV-51)" {
    whelk tag base web:v1
    whelk tag base docker.io/library/busybox:1
    id=$(whelk images -q base)
    list() {
        whelk images "$@" --format '{{.Repository}}:{{.Tag}}' | xargs
    }
    assert_equal "$(list web)" localhost/web:v1
    assert_equal "$(list 'w*')" localhost/web:v1
    assert_equal "$(list web:v2)" ""
    assert_equal "$(list busybox)" docker.io/library/busybox:1
    assert_equal "$(list 'localhost/*')" "localhost/base:latest localhost/web:v1"
    assert_equal "$(list '**/b*' --sort tag)" "docker.io/library/busybox:1 localhost/base:latest"
    assert_equal "$(list -f reference=web -f reference=busybox --sort repository)" "docker.io/library/busybox:1 localhost/web:v1"
    assert_equal "$(list -f dangling=true)" ""
    assert_equal "$(list web -f until=1h)" ""
    assert_equal "$(list web -f until=2099-01-01)" localhost/web:v1
    assert_equal "$(list web -f containers=true)" ""
    assert_equal "$(list web -f label=x)" ""
    assert_equal "$(list web -f id="$id")" localhost/web:v1
    assert_equal "$(list -f before=web)" ""
    answers "$id" images -q 'w*'
    answers "$id web" images --format '{{.ID}} web' web
    run_whelk images --format 'table {{.Repository}}\t{{.ID}}' web
    assert_line "REPOSITORY      IMAGE ID"
    assert_equal "$(whelk images web -n | wc -l)" 1
    assert_equal "$(whelk images --format json web | jq -r '.[0].Tag')" v1
    refused 125 '"maybe" is neither true nor false' images -f dangling=maybe
    run_whelk images -f colour=red
    assert_status 125
    assert_stderr --partial 'there is no filter "colour"; known: after,'
    whelk rmi web:v1 docker.io/library/busybox:1 >/dev/null
}

@test "events: docker's JSON and single fields" {
    whelk run --name short base sh -c 'exit 4' || true
    run_whelk events --since 1m --stream=false -f container=short -f event=die --format '{{json .}}'
    assert_success
    assert_equal "$(jq -r '[.Type, .Actor.Attributes.name, .Actor.Attributes.exitCode, .scope] | join(" ")' <<<"$output")" "container short 4 local"
    answers "died short 4" events --since 1m --stream=false -f container=short -f event=die --format '{{.Status}} {{.Name}} {{.ContainerExitCode}}'
    run_whelk events --format '{{'
    assert_status 125
    assert_stderr --partial 'not closed'
}

@test "container prune: filters (CV-53)" {
    three
    whelk container prune -f --filter until=1h
    assert_equal "$(names -a)" "made done runs"
    whelk container prune -f --filter label=cluster=kind
    assert_equal "$(names -a)" "made runs"
    run_whelk container prune -f --filter age=1
    assert_status 125
    assert_one_error
    assert_stderr --partial "known: label, label!, until"
    whelk container prune -f --filter 'label!=cluster'
    assert_equal "$(names -a)" runs
}

@test "image prune: what has no name, with --all what no container uses (CV-52)" {
    fresh_store
    whelk import "$WHELK_TOOLS/base.tar" base >/dev/null
    "$WHELK_TOOLS/hostile-tar" 0 file one | whelk import - >/dev/null
    "$WHELK_TOOLS/hostile-tar" 0 file two | whelk import - two >/dev/null
    whelk create --name user base true >/dev/null
    refused 125 "This will remove all images without a name. Nobody can be asked here; use --force" image prune </dev/null
    run_whelk image prune -f --filter until=1h
    assert_output "Total reclaimed space: 0B"
    none=$(whelk images -q --no-trunc -f dangling=true)
    run_whelk image prune -f
    assert_success
    assert_line "Deleted: $none"
    assert_equal "$(whelk images --format '{{.Repository}}' --sort repository | xargs)" "localhost/base localhost/two"
    run_whelk image prune -af
    assert_line "Untagged: localhost/two:latest"
    assert_line --regexp '^Total reclaimed space: [0-9]'
    assert_equal "$(whelk images --format '{{.Repository}}' | xargs)" localhost/base
    whelk rm user >/dev/null
    whelk image prune -f --filter dangling=false >/dev/null
    assert_equal "$(whelk images -q)" ""
    no_leftovers
    [ "$WHELK_LANE" != root ] || base_image
}
