#!/usr/bin/env bats
# whelk run --device VENDOR/CLASS=NAME, --gpus: the Container Device Interface (R-071, R-072)

load ../lib/common
load ../lib/container
load ../lib/tidy

setup() {
    cd "$BATS_TEST_TMPDIR"
    mkdir cdi more lib
    echo driver >lib/driver
    jq -n --arg lib "$PWD/lib" '{
        cdiVersion: "0.6.0",
        kind: "example.com/thing",
        containerEdits: {
            env: ["THING=common"],
            mounts: [{hostPath: $lib, containerPath: "/opt/thing", options: ["ro", "nosuid", "nodev", "rbind"]}]
        },
        devices: [
            {name: "null", containerEdits: {deviceNodes: [{path: "/dev/thing0", hostPath: "/dev/null", permissions: "rw"}], env: ["FIRST=1"]}},
            {name: "zero", containerEdits: {deviceNodes: [{path: "/dev/zero"}, {path: "/dev/thing1", hostPath: "/dev/zero"}], env: ["SECOND=a=b"]}},
            {name: "hooked", containerEdits: {hooks: [{hookName: "createContainer", path: "/bin/true"}]}},
            {name: "odd", containerEdits: {netDevices: [{hostInterfaceName: "eth9"}]}},
            {name: "gone", containerEdits: {deviceNodes: [{path: "/dev/no-such-thing"}]}},
            {name: "file", containerEdits: {deviceNodes: [{path: "/dev/x", hostPath: ($lib + "/driver")}]}},
            {name: "broken", containerEdits: {env: ["NAME"]}}
        ]}' >cdi/thing.json
    cdi="--cdi-spec-dir $PWD/cdi"
}

@test "nodes, mounts and variables of a device" {
    answers $'common 1\n1:3\ndriver' run --rm $cdi --device example.com/thing=null base \
        sh -c 'echo $THING $FIRST; stat -c %t:%T /dev/thing0; cat /opt/thing/driver'
    run_whelk run --rm $cdi --device example.com/thing=null base touch /opt/thing/new
    assert_status 1
    assert_stderr "touch: /opt/thing/new: Read-only file system"
    whelk create --name c $cdi --device example.com/thing=null base true >/dev/null
    whelk inspect c | jq -e '.[0].Config.Env | index("THING=common") and index("FIRST=1")'
}

@test "two devices of one file, beside others" {
    run_whelk run --rm $cdi --device example.com/thing=null --device example.com/thing=zero --device /dev/full:/dev/mine base \
        sh -c 'echo $FIRST $SECOND; stat -c %t:%T /dev/thing0 /dev/thing1 /dev/mine; grep -c " /opt/thing " /proc/mounts'
    assert_success
    assert_output $'1 a=b\n1:3\n1:5\n1:7\n1'
}

@test "later directories come first, and one directory may have a device once" {
    jq '.containerEdits.env = ["THING=other"]' cdi/thing.json >more/thing.json
    answers other run --rm $cdi --cdi-spec-dir "$PWD/more" --device example.com/thing=null base sh -c 'echo $THING'
    answers common run --rm --cdi-spec-dir "$PWD/more" $cdi --device example.com/thing=null base sh -c 'echo $THING'
    cp cdi/thing.json cdi/twice.json
    refused 125 "--device example.com/thing=null: both $PWD/cdi/thing.json and $PWD/cdi/twice.json have it" \
        create $cdi --device example.com/thing=null base true
}

@test "--gpus" {
    jq '.kind = "nvidia.com/gpu" | .devices[0].name = "0" | .devices[1].name = "1" | .devices[2] = (.devices[0] | .name = "all" | .containerEdits.env = ["ALL=1"])' \
        cdi/thing.json >cdi/gpu.json
    answers 1 run --rm $cdi --gpus all base sh -c 'echo $ALL'
    answers "1 a=b" run --rm $cdi --gpus 2 base sh -c 'echo $FIRST $SECOND'
    answers "1 " run --rm $cdi --gpus count=1 base sh -c 'echo "$FIRST $SECOND"'
    answers " a=b" run --rm $cdi --gpus device=1 base sh -c 'echo "$FIRST $SECOND"'
    answers "1 a=b" run --rm $cdi --gpus device=0,1 base sh -c 'echo "$FIRST $SECOND"'
    refused 125 "--gpus many: write all, a number, or device=NAME" create $cdi --gpus many base true
    refused 125 "--gpus nvidia.com/gpu=2: no CDI file in $PWD/cdi has such a device" create $cdi --gpus 3 base true
}

@test "what is refused" {
    local d=example.com/thing
    refused 125 "--device $d=none: no CDI file in $PWD/cdi has such a device" create $cdi --device $d=none base true
    refused 125 "--device $d=x: no CDI file in $PWD/nowhere has such a device" create --cdi-spec-dir "$PWD/nowhere" --device $d=x base true
    refused 125 "--device $d=hooked: $PWD/cdi/thing.json wants hooks, programs that run on the host with the container's start; whelk runs none. Take them out of a copy in another directory, and give that with --cdi-spec-dir" \
        create $cdi --device $d=hooked base true
    refused 125 "--device $d=odd: $PWD/cdi/thing.json wants \"netDevices\", which whelk does not do" create $cdi --device $d=odd base true
    refused 125 "--device $d=gone: cannot look at /dev/no-such-thing, which $PWD/cdi/thing.json names: No such file or directory" \
        create $cdi --device $d=gone base true
    refused 125 "--device $d=file: $PWD/lib/driver, which $PWD/cdi/thing.json names, is not a device" create $cdi --device $d=file base true
    refused 125 "--device $d=broken: a variable in $PWD/cdi/thing.json cannot be understood" create $cdi --device $d=broken base true
    touch cdi/other.yaml
    refused 125 "--device $d=none: no CDI file in JSON has it, and whelk does not read YAML as in $PWD/cdi/other.yaml; write that as JSON" \
        create $cdi --device $d=none base true
    echo '{' >cdi/bad.json
    run_whelk create $cdi --device $d=null base true
    assert_status 125
    assert_one_error
    assert_stderr --partial "$PWD/cdi/bad.json"
    refused 125 "--device thing: write HOST[:CONTAINER[:rwm]] or VENDOR/CLASS=NAME" create --device thing base true
}
