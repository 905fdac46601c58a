#!/usr/bin/env bats
# The fields of docker and podman that --format answers (CV-F01, F06, F07, F09, F10, F11)

load ../lib/common
load ../lib/container

setup_file() {
    base_image
    whelk run -d --name c -p 127.0.0.1::80 -v data:/data --health-cmd true base sleep 300 >/dev/null 2>&1 ||
        whelk run -d --name c -v data:/data --health-cmd true base sleep 300 >/dev/null
    whelk commit c img >/dev/null
}

teardown_file() {
    whelk rm -af >/dev/null
    whelk volume rm -af >/dev/null
}

# asks FIELD... -- WORDS...: each field alone, with --format
asks() {
    local fields=()
    while [ "$1" != -- ]; do
        fields+=("$1")
        shift
    done
    shift
    for field in "${fields[@]}"; do
        run_whelk "$@" --format "{{.$field}}"
        assert_success
        [[ $output != *"<no value>"* ]] || _fail "$* has no $field"
    done
}

@test "ps (CV-F01)" {
    asks ID Names Image Command CreatedAt RunningFor Platform Ports State Status HealthStatus Size Labels Mounts LocalVolumes \
        Networks AutoRemove CIDFile Created CreatedHuman ExitCode Exited ExitedAt ExposedPorts ImageID IsInfra Pid Pod PodName \
        Restarts StartedAt -- ps
    answers "" ps --format '{{.Label "nosuch"}}'
}

@test "volume ls (CV-F06)" {
    asks Name Driver Scope Mountpoint Labels Links Size Group Availability Status Anonymous CreatedAt MountCount NeedsCopyUp \
        Options -- volume ls
}

@test "events (CV-F07)" {
    asks Status ID From Type Action Actor.ID Actor.Attributes Time TimeNano Scope Attributes HealthStatus Image Name \
        -- events --stream=false -f event=start -f container=c
    answers 0 events --stream=false -f event=exec_died -f container=c --format '{{.ContainerExitCode}}' || true
}

@test "version (CV-F09)" {
    for part in Client Server; do
        asks $part.Version $part.APIVersion $part.GitCommit $part.Os $part.Arch $part.BuildTime $part.GoVersion $part.Built \
            $part.BuiltTime $part.OsArch -- version
    done
}

@test "inspect of a container (CV-F10)" {
    asks Id Created Path Args State.Status State.Running State.Paused State.Restarting State.OOMKilled State.Dead State.Pid \
        State.ExitCode State.Error State.StartedAt State.FinishedAt State.Health.Status State.Health.FailingStreak \
        State.Health.Log State.OciVersion State.ConmonPid State.CgroupPath State.Checkpointed Image ResolvConfPath HostnamePath \
        HostsPath LogPath Name RestartCount Driver Platform MountLabel ProcessLabel AppArmorProfile \
        HostConfig.Binds HostConfig.ContainerIDFile HostConfig.LogConfig HostConfig.NetworkMode HostConfig.PortBindings \
        HostConfig.RestartPolicy HostConfig.AutoRemove HostConfig.VolumesFrom HostConfig.CapAdd HostConfig.CapDrop \
        HostConfig.CgroupnsMode HostConfig.Dns HostConfig.ExtraHosts HostConfig.GroupAdd HostConfig.IpcMode HostConfig.PidMode \
        HostConfig.Privileged HostConfig.ReadonlyRootfs HostConfig.SecurityOpt HostConfig.Tmpfs HostConfig.UTSMode \
        HostConfig.UsernsMode HostConfig.ShmSize HostConfig.Sysctls HostConfig.Runtime HostConfig.CpuShares HostConfig.Memory \
        HostConfig.NanoCpus HostConfig.Ulimits HostConfig.Init HostConfig.MaskedPaths HostConfig.ReadonlyPaths GraphDriver \
        Mounts Config.Hostname Config.Domainname Config.User Config.AttachStdin Config.AttachStdout Config.AttachStderr \
        Config.ExposedPorts Config.Tty Config.OpenStdin Config.StdinOnce Config.Env Config.Cmd Config.Image Config.WorkingDir \
        Config.Labels Config.StopSignal Config.Healthcheck Config.Secrets NetworkSettings.SandboxKey \
        NetworkSettings.Ports NetworkSettings.Networks ImageName ImageDigest Rootfs Pod OCIConfigPath OCIRuntime ConmonPidFile \
        PidFile EffectiveCaps BoundingCaps Dependencies IsInfra lockNumber -- inspect c
    answers "volume data /data true" inspect c -f '{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}}{{end}}'
    assert_equal "$(whelk inspect c -f '{{len .EffectiveCaps}}')" 11
    whelk inspect c -f '{{json .HostConfig.MaskedPaths}}' | jq -e 'index("/proc/kcore")'
}

@test "inspect of an image (CV-F11)" {
    asks Id RepoTags RepoDigests Parent Comment Created Author Config Architecture Os Size GraphDriver RootFS.Type \
        RootFS.Layers -- image inspect img
}
