#!/usr/bin/env bats
# whelk info (C-143, CV-F08)

load ../lib/common
load ../lib/container

setup_file() {
    base_image
}

teardown() {
    whelk rm -af >/dev/null
}

@test "facts with podman's names, as YAML and JSON" {
    run_whelk info
    assert_success
    assert_stderr ""
    assert_line "host:"
    assert_line --regexp '^  kernel: "?'"$(uname -r | sed 's/[.]/[.]/g')"
    assert_line "  graphDriverName: overlay"
    run_whelk system info --format json
    assert_success
    assert_equal "$(jq -r '.host.cpus, .host.os, .host.kernel, .host.hostname' <<<"$output")" "$(nproc)"$'\nlinux\n'"$(uname -r)"$'\n'"$(uname -n)"
    assert_equal "$(jq -r .store.graphRoot <<<"$output")" "$STORE"
    assert_equal "$(jq -r .host.security.rootless <<<"$output")" "$([ "$WHELK_LANE" = root ] && echo false || echo true)"
    assert_equal "$(jq -r '.host.memTotal / 1024' <<<"$output")" "$(awk '/^MemTotal/ { print $2 }' /proc/meminfo)"
}

@test "what is in the store is counted" {
    whelk create base true >/dev/null
    whelk run base true
    whelk run -d base sleep 100 >/dev/null
    answers "3 1 2 1" info -f '{{.Store.ContainerStore.Number}} {{.Store.ContainerStore.Running}} {{.Store.ContainerStore.Stopped}} {{.Store.ImageStore.Number}}'
    answers "3 1 0 2 1" info -f '{{.Containers}} {{.ContainersRunning}} {{.ContainersPaused}} {{.ContainersStopped}} {{.Images}}'
}

@test "every field of docker and podman (CV-F08)" {
    for field in ID Containers ContainersRunning Images Driver LoggingDriver CgroupDriver CgroupVersion KernelVersion \
        OperatingSystem OSType Architecture NCPU MemTotal DockerRootDir Name ServerVersion SecurityOptions \
        Host.Arch Host.BuildahVersion Host.CgroupControllers Host.CgroupManager Host.CgroupVersion Host.Conmon Host.Cpus \
        Host.DatabaseBackend Host.Distribution Host.EventLogger Host.Hostname Host.IDMappings Host.Kernel Host.LogDriver \
        Host.MemFree Host.MemTotal Host.NetworkBackend Host.OCIRuntime Host.OS Host.Pasta Host.RemoteSocket \
        Host.Security.Rootless Host.ServiceIsRemote Host.SwapFree Host.SwapTotal Host.Uptime Plugins Registries \
        Store.ConfigFile Store.ContainerStore Store.GraphDriverName Store.GraphOptions Store.GraphRoot Store.GraphStatus \
        Store.ImageCopyTmpDir Store.ImageStore Store.RunRoot Store.VolumePath Version.Version; do
        run_whelk info -f "{{.$field}}"
        assert_success
        [ "$output" != "<no value>" ] || _fail "$field is missing"
    done
}

@test "mistakes" {
    run_whelk info -f '{{.Nosuch}}'
    assert_status 125
    run_whelk info x
    assert_status 125
}
