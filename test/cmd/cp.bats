#!/usr/bin/env bats
# whelk cp (C-023)

load ../lib/common
load ../lib/container

setup_file() {
    base_image
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    echo content >file
    mkdir -p dir/sub
    echo 1 >dir/one
    echo 2 >dir/sub/two
    ln -s one dir/link
    whelk create --name stopped base true >/dev/null
    whelk run -d --name running -v /vol base sleep 300 >/dev/null
}

teardown() {
    whelk rm -af >/dev/null
    whelk volume prune -af >/dev/null
    no_containers_left
}

cat_in() { # CONTAINER PATH
    whelk cp "$1:$2" - | tar -xO
}
names_in() { # CONTAINER PATH
    whelk cp "$1:$2" - | tar -t | tr '\n' ' '
}

@test "a file to a name, into a directory, over a file; running and stopped" {
    for c in running stopped; do
        answers "" cp file $c:/new
        assert_equal "$(cat_in $c /new)" content
        answers "" cp file $c:/tmp
        answers "" cp "$PWD/file" $c:tmp/
        assert_equal "$(cat_in $c tmp/file)" content
        echo more >file2
        answers "" cp ./file2 $c:/new
        assert_equal "$(cat_in $c /new)" more
    done
    answers more exec running cat /new
}

@test "a directory to a name, into a directory, and what is in it (/.)" {
    for c in running stopped; do
        answers "" cp dir $c:/new
        assert_equal "$(names_in $c /new)" "new/ new/link new/one new/sub/ new/sub/two "
        answers "" cp dir $c:/new
        assert_equal "$(names_in $c /new/dir)" "dir/ dir/link dir/one dir/sub/ dir/sub/two "
        answers "" cp dir/. $c:/tmp
        assert_equal "$(names_in $c /tmp)" "tmp/ tmp/link tmp/one tmp/sub/ tmp/sub/two "
        answers "" cp dir/. $c:/other/
        assert_equal "$(cat_in $c /other/sub/two)" 2
    done
}

@test "to the host: the same rules, and the files are the caller's" {
    whelk exec running sh -c 'mkdir -p /d/e; echo x >/d/e/x; chmod 4755 /d/e/x; ln -s /etc/passwd /d/l; chown 0:0 /d/e/x'
    answers "" cp running:/d .
    assert_equal "$(find d | LC_ALL=C sort | tr '\n' ' ')" "d d/e d/e/x d/l "
    assert_equal "$(readlink d/l)" /etc/passwd
    assert_equal "$(stat -c '%a %u' d/e/x)" "755 $(id -u)"
    answers "" cp running:/d/. here
    assert_equal "$(cat here/e/x)" x
    answers "" cp running:/d/e/x dir/
    answers "" cp running:d/e/x file
    assert_equal "$(cat file dir/x)" "x
x"
    answers "" cp -L running:/d/l group
    assert_equal "$(head -c 5 group)" root:
}

@test "what is refused" {
    refused 125 "no such file or directory in the container: /none" cp stopped:/none .
    refused 125 "no such file or directory: $PWD/none" cp none stopped:/
    refused 125 "no such directory in the container: /none" cp file stopped:/none/
    refused 125 "no such file or directory in the container: /none/x" cp file stopped:/none/x
    refused 125 "/etc/group in the container is not a directory" cp dir stopped:/etc/group
    refused 125 "/etc/group in the container is not a directory" cp file stopped:/etc/group/
    refused 125 "/etc/group in the container: Not a directory" cp stopped:/etc/group/ .
    refused 125 "neither side is in a container; name one as CONTAINER:PATH" cp file other
    refused 125 "no such container: none" cp none:/x .
    mkdir -p x/file
    run_whelk cp file stopped:/made && run_whelk cp x stopped:/made
    assert_status 125
    whelk cp x/. stopped:/tmp
    run_whelk cp file stopped:/tmp
    assert_stderr --partial "a directory has its place"
}

@test "--overwrite: directories and other things in each other's place" {
    mkdir -p new/thing/deep
    echo x >new/file
    whelk cp new/. stopped:/over
    mkdir -p other/file/below
    echo y >other/thing
    run_whelk cp other/. stopped:/over
    assert_status 125
    assert_stderr --partial "has its place"
    whelk cp --overwrite other/. stopped:/over
    assert_equal "$(names_in stopped /over/.)" "./ ./file/ ./file/below/ ./thing "
    assert_equal "$(cat_in stopped /over/thing)" y
    refused 125 "/over/thing in the container is not a directory" cp other stopped:/over/thing
    whelk cp --overwrite new stopped:/over/thing
    assert_equal "$(names_in stopped /over/thing/.)" "./ ./file ./thing/ ./thing/deep/ "
    mkdir here
    mkdir here/hosts
    run_whelk cp stopped:/etc/group here/hosts
    assert_success # into it
    run_whelk cp --overwrite stopped:/over/. here
    assert_success
    [ -f here/thing/file ]
    ln -s /etc/group here/link
    mkdir -p withlink/link
    whelk cp withlink/. stopped:/over
    run_whelk cp stopped:/over/. here
    assert_status 125
    whelk cp --overwrite stopped:/over/. here # the link goes, not what it leads to
    [ -d here/link ] && [ ! -L here/link ]
    [ -f /etc/group ]
}

@test "archives on standard input and output" {
    tar --owner=0 --group=0 -c file dir | whelk cp - stopped:/tmp
    assert_equal "$(cat_in stopped /tmp/dir/sub/two)" 2
    assert_equal "$(names_in stopped /tmp/dir/.)" "./ ./link ./one ./sub/ ./sub/two "
    whelk cp stopped:/tmp/dir - | whelk cp - running:/
    answers 2 exec running cat /dir/sub/two
    run bash -c "tar --owner=0 --group=0 -c file | '$WHELK' cp - stopped:/none"
    assert_output --partial "no such file or directory in the container: /none"
    terminal -- cp running:/tmp -
    assert_line --partial "standard output is a terminal"
}

@test "owners: root's without -a, by number with it, the archive's own from standard input" {
    needs_ids
    whelk cp file stopped:/f
    assert_equal "$(whelk cp stopped:/f - | tar --numeric-owner -tv | cut -d ' ' -f 2)" 0/0
    tar --owner=5 --group=6 -c file | whelk cp - stopped:/
    assert_equal "$(whelk cp stopped:/file - | tar --numeric-owner -tv | cut -d ' ' -f 2)" 5/6
}

@test "between containers" {
    whelk cp dir running:/d
    answers "" cp running:/d stopped:/e
    assert_equal "$(cat_in stopped /e/sub/two)" 2
    answers "" cp running:/d running:/copy
    answers 2 exec running cat /copy/sub/two
    refused 125 "container stopped does not run, so nothing can be copied within it" cp stopped:/e stopped:/f
}

@test "volumes are reached while it runs, and not with what is around them" {
    whelk cp file running:/vol
    answers content exec running cat /vol/file
    assert_equal "$(names_in running /vol)" "vol/ vol/file "
    assert_equal "$(whelk cp running:/ - | tar -t | grep -c '^\./vol/')" 1
    assert_equal "$(whelk cp running:/ - | tar -t | grep -c '^\./proc/')" 1
    whelk stop -t 0 running >/dev/null
    refused 125 "/vol of container running is a mount (volume), which is not there while it does not run" cp file running:/vol/x
}

@test "a read-only container is not changed" {
    whelk run -d --name ro --read-only base sleep 300 >/dev/null
    run_whelk cp file ro:/x
    assert_status 125
    assert_stderr --partial "Read-only file system"
    answers "" cp ro:/etc/group g
}

@test "what was copied to a stopped container is there when it starts; none starts meanwhile" {
    whelk create --name c base cat /f >/dev/null
    whelk cp file c:/f
    answers content start -a c
}

@test "symbolic links lead nowhere but into the container (H1)" {
    mkdir outside
    echo secret >outside/secret
    whelk exec running sh -c "ln -s '$PWD/outside' /abs; ln -s ../../../../../../../../../..$PWD/outside /rel; ln -s '$PWD/outside/secret' /leaf"
    for link in abs rel; do
        run_whelk cp "running:/$link/secret" .
        assert_status 125
        run_whelk cp file "running:/$link/file"
        assert_status 125
    done
    run_whelk cp -L running:/leaf .
    assert_status 125
    run_whelk cp file running:/leaf # a link that leads nowhere
    assert_equal "$(ls outside; cat outside/secret)" "secret
secret"
}

@test "an archive that makes a link and goes through it is refused (H1)" {
    mkdir outside
    python3 - "$PWD/outside" >evil.tar <<'PYTHON'
import io, sys, tarfile
t = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
link = tarfile.TarInfo("l")
link.type, link.linkname = tarfile.SYMTYPE, sys.argv[1]
t.addfile(link)
through = tarfile.TarInfo("l/evil")
through.size = 1
t.addfile(through, io.BytesIO(b"x"))
t.close()
PYTHON
    run bash -c "'$WHELK' cp - running:/tmp <evil.tar"
    assert_status 125
    assert_output "Error: archive entry l/evil: its path goes through a symbolic link or a file"
    tar -P -c --transform 's,^,../,' file >up.tar
    run bash -c "'$WHELK' cp - running:/tmp <up.tar"
    assert_output "Error: archive entry ../file: has '..' in its path"
    assert_equal "$(ls -A outside)" ""
}

@test "a container that races with links leads no copy out of its root (H1)" {
    mkdir outside
    echo secret >outside/secret
    whelk exec running mkdir -p /swap /keep
    in_background whelk exec running sh -c "while :; do mv /swap /keep/dir; ln -s '$PWD/outside' /swap; rm /swap; mv /keep/dir /swap; done" 2>/dev/null
    for round in $(seq "$(rounds 100)"); do
        whelk cp file running:/swap/planted 2>/dev/null || true
        whelk cp dir running:/swap 2>/dev/null || true
        whelk cp running:/swap "got$round" 2>/dev/null || true
    done
    whelk kill running >/dev/null
    wait_all || true
    assert_equal "$(ls outside)" secret
    assert_equal "$(find . -path ./outside -prune -o -name secret -print)" ""
}
