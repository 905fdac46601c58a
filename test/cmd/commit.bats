#!/usr/bin/env bats
# whelk commit (C-029, S-043), and --change of import

load ../lib/common
load ../lib/container
load ../lib/tidy

teardown() {
    whelk rm -af >/dev/null
    whelk volume prune -af >/dev/null
    no_containers_left
}

config() { # IMAGE JQ-FILTER
    whelk image inspect "$1" | jq -c ".[0]$2"
}

@test "stopped: the image has the files, the command and the environment; prints the id (CV-21)" {
    whelk run --name c -e A=b --workdir /tmp base sh -c 'echo new >/new; rm /etc/passwd; echo hi'
    run_whelk commit c made
    assert_success
    assert_stderr ""
    assert_id "$output"
    assert_equal "$(config made .Id)" "\"sha256:$output\""
    answers "new
/tmp b" run --rm made sh -c 'cat /new; echo $PWD $A; ls /etc/passwd 2>/dev/null || true'
    assert_equal "$(config made .Config.Cmd[0:2])" '["sh","-c"]'
    assert_equal "$(config made .Config.Env | jq -c 'map(split("=")[0])')" '["PATH","A"]'
    assert_equal "$(config made '.RootFS.Layers|length')" 2
    answers "C /etc
D /etc/passwd
A /new" diff c # it keeps its own
    whelk rmi made >/dev/null
}

@test "running: it goes on; hard links, modes, links and pipes are kept, volumes and mount points are not" {
    whelk run -d --name c -v /vol base sh -c 'mkdir /d; echo x >/d/x; chmod 2750 /d; ln /d/x /d/y; ln -s x /d/l; mkfifo /d/p; echo v >/vol/v
        touch /ready; exec sleep 300'
    wait_for 5 whelk exec c test -e /ready
    whelk commit c made >/dev/null
    assert_equal "$(inspect_field c .State.Status)" running
    answers 42 exec c echo 42
    run_whelk run --rm made sh -c 'stat -c "%n %F %a %h" /d /d/*; readlink /d/l; ls -d /vol'
    assert_line "/d directory 2750 2"
    assert_line "/d/x regular file 644 2"
    assert_line "/d/l symbolic link 777 1"
    assert_line "/d/p fifo 644 1"
    assert_stderr --partial "/vol"
    whelk rmi made >/dev/null
}

@test "owners are kept" {
    needs_ids
    whelk run --name c base sh -c 'touch /f; chown 1000:1001 /f; ln -s f /l; chown -h 7:8 /l'
    whelk commit c made >/dev/null
    answers "1000:1001 7:8" run --rm made sh -c 'echo $(stat -c %u:%g /f /l)'
    whelk rmi made >/dev/null
}

@test "a directory that was made anew stays so" {
    printf 'FROM base\nRUN mkdir /d && touch /d/old\n' | build_image two >/dev/null
    whelk run --name c two sh -c 'rm -r /d; mkdir /d; touch /d/new'
    whelk commit c made >/dev/null
    answers new run --rm made ls /d
    whelk rm c >/dev/null
    whelk rmi made two >/dev/null
}

@test "--squash: one layer of all files" {
    whelk run --name c -v /vol base sh -c 'rm /etc/passwd; echo 1 >/one; ln /one /two; chmod 700 /tmp; echo x >/vol/x'
    whelk commit --squash -m all c one >/dev/null
    whelk commit c many >/dev/null
    assert_equal "$(inspect_field one '.RootFS.Layers | length')" 1
    assert_equal "$(inspect_field one '.History | length')" 1
    assert_equal "$(inspect_field one '.History[0].comment')" all
    assert_equal "$(inspect_field many '.RootFS.Layers | length')" 2
    assert_equal "$(whelk run --rm one stat -c '%h %a %n' /one /two /tmp)" "2 644 /one
2 644 /two
2 700 /tmp"
    local list='find / -xdev ! -path "/etc/hosts" ! -path "/etc/resolv.conf" ! -path "/etc/hostname" | sort'
    assert_equal "$(whelk run --rm one sh -c "$list")" "$(whelk run --rm many sh -c "$list")"
    run ! whelk run --rm one test -e /etc/passwd
    whelk save one | whelk load -q >/dev/null # its tar is whole
    whelk rmi one many >/dev/null
}

@test "--format and --include-volumes say what to do" {
    whelk create --name c base true >/dev/null
    refused 125 "--format docker: an image gets its form when it leaves: whelk push --format, whelk save --format" \
        commit --format docker c
    refused 125 "--include-volumes: what is in volumes does not go into images; copy it into the container first: whelk cp" \
        commit --include-volumes c
    refused 125 "--config x.json: change settings one by one: --change 'CMD [\"httpd\"]'" commit --config x.json c
    whelk commit --no-pause c >/dev/null
    whelk commit -f oci -c 'STOPSIGNAL SIGINT' -c 'HEALTHCHECK CMD true' -c 'VOLUME /v' -c 'ONBUILD RUN x' -c 'SHELL ["a"]' c form >/dev/null
    assert_equal "$(inspect_field form '.Config | [.StopSignal, .Healthcheck.Test[1], (.Volumes | keys[0]), .OnBuild[0], .Shell[0]] | join(" ")')" \
        "SIGINT true /v RUN x a"
    whelk rmi form >/dev/null
}

@test "nothing has changed: no layer is added" {
    whelk run --name c -v /vol base true
    whelk commit c made >/dev/null
    assert_equal "$(config made '.RootFS.Layers|length')" 1
    assert_equal "$(jq -c '[.history[].empty_layer]' "$STORE/images/$(config made .Id | tr -d '"' | sed s/sha256://)/config")" '[null,true]'
    whelk rmi made >/dev/null
}

@test "-m, -a, -c and --iidfile" {
    whelk create --name c base true
    id=$(whelk commit -m 'the message' -a 'Ada <ada@example.org>' -c 'CMD ["echo", "hello"]' -c 'ENV X=1 Y="two words"' -c 'ENV Z=$X' \
        -c 'LABEL l=m' -c 'EXPOSE 80' -c 'USER 0' -c 'WORKDIR /srv' -c 'ENTRYPOINT ["env"]' -c 'CMD echo shell' --iidfile iid c made)
    assert_equal "$(cat iid)" "$id"
    assert_equal "$(config made .Author)" '"Ada <ada@example.org>"'
    assert_equal "$(config made '.History[-1].comment')" '"the message"'
    assert_equal "$(config made .Config.Cmd)" '["/bin/sh","-c","echo shell"]'
    assert_equal "$(config made .Config.Entrypoint)" '["env"]'
    assert_equal "$(config made .Config.Env | jq -c '.[1:]')" '["X=1","Y=two words","Z=1"]'
    assert_equal "$(config made .Config.WorkingDir)" '"/srv"'
    assert_equal "$(config made .Config.Labels)" '{"l":"m"}'
    assert_equal "$(config made .Config.ExposedPorts)" '{"80/tcp":{}}'
    whelk rmi made >/dev/null
}

@test "-c refuses what changes no settings, and says what is wrong; nothing is left" {
    whelk create --name c base true
    for change in 'RUN true' 'COPY a b' 'ARG a=b' 'FROM base'; do
        run_whelk commit -c "$change" c made
        assert_status 125
        assert_one_error
        assert_stderr --partial "cannot commit container c: --change \"$change\": "
    done
    run_whelk commit -c 'CDM true' c made
    assert_stderr --partial 'did you mean "CMD"?'
    run_whelk commit -c 'EXPOSE x' c made
    assert_stderr --partial '"x" is no port'
    run_whelk images -q made
    assert_output ""
    refused 125 "no such container: none" commit none
    run_whelk commit c 'Bad Name'
    assert_status 125
    assert_one_error
}

@test "the image of the container is gone" {
    whelk tag base other
    printf 'FROM base\nRUN echo two >/two\n' | build_image two >/dev/null
    whelk run --name c two sh -c 'echo three >/three'
    whelk rmi -f two >/dev/null
    whelk commit c made >/dev/null
    answers "two three" run --rm made sh -c 'echo $(cat /two /three)'
    whelk rmi made other >/dev/null
}

@test "one that is frozen stays so; one that is not goes on" {
    whelk run -d --name c base sleep 300 >/dev/null
    whelk pause c >/dev/null 2>&1 || skip "this user may not freeze processes here"
    whelk commit c made >/dev/null
    state_is c paused
    whelk unpause c >/dev/null
    whelk commit c made >/dev/null
    state_is c running
    answers x exec c echo x
    whelk rm -f -t 0 c >/dev/null
    whelk rmi -af >/dev/null
    base_image
}

@test "a container that writes all the time" {
    whelk run -d --name c base sh -c 'i=0; mkdir /w; while :; do i=$((i+1)); echo $i >/w/$((i % 50)); rm -f /w/$(((i + 25) % 50)); done'
    wait_for 5 whelk exec c test -d /w
    for round in 1 2 3; do
        whelk commit -p=false c "made:$round" >/dev/null
        answers /w run --rm "made:$round" sh -c 'ls -d /w'
    done
    whelk rmi made:1 made:2 made:3 >/dev/null
}

@test "import -c (C-047)" {
    whelk import -c 'CMD ["echo", "imported"]' -c 'ENV A=b' "$WHELK_TOOLS/base.tar" made >/dev/null
    answers imported run --rm made
    assert_equal "$(config made .Config.Env)" '["A=b"]'
    run_whelk import -c 'RUN x' "$WHELK_TOOLS/base.tar" made2
    assert_status 125
    assert_one_error
    whelk rmi made >/dev/null
}
