#!/usr/bin/env bats
# whelk import (C-047): what it takes, and that no archive can do harm.

load ../lib/common

setup() {
    fresh_store
    whelk images >/dev/null # makes the store
    mkdir "$BATS_TEST_TMPDIR/outside"
    echo secret >"$BATS_TEST_TMPDIR/outside/file"
    cd "$BATS_TEST_TMPDIR"
    outside_before=$(outside)
}

teardown() {
    assert_equal "$(outside)" "$outside_before"
    remove_all
    no_leftovers
}

# All about the directory that no archive may touch, and about what lies beside the store.
outside() {
    find "$BATS_TEST_TMPDIR/outside" -printf '%p %y %m %U %s %T@ %n\n' | sort
    cat "$BATS_TEST_TMPDIR/outside/file"
    ls -A "$(dirname "$STORE")" "$STORE"
}

archive() {
    "$WHELK_TOOLS/hostile-tar" "$@"
}

# refused TEXT <archive: one line that says so, and nothing of it is in the store.
refused() {
    run --separate-stderr "$WHELK" import - evil
    assert_status 125
    assert_one_error
    assert_stderr --partial "Error: cannot import standard input: "
    assert_stderr --partial "$1"
    assert_equal "$(store_entries layers; store_entries tmp; store_entries images; store_entries names)" ""
}

# harmless <archive: is taken; prints the directory with its files.
harmless() {
    local id layer
    id=$(whelk import - evil) || return 1
    layer=$(whelk image inspect "$id" | jq -r '.[0].RootFS.Layers[0]')
    echo "$STORE/layers/${layer#sha256:}/diff"
}

# --- what it takes

@test "from a file, from standard input, plain and gzip; prints the id (CV-21)" {
    gzip -1 <"$WHELK_TOOLS/base.tar" >base.tar.gz
    number=0 # not i, which belongs to bats' run
    for words in "$WHELK_TOOLS/base.tar" base.tar.gz ./base.tar.gz; do
        number=$((number + 1))
        run_whelk import "$words" "image:$number"
        assert_success
        assert_stderr ""
        assert_id "$output"
        assert_equal "$(inspect_field "image:$number" .Id)" "sha256:$output"
    done
    for file in "$WHELK_TOOLS/base.tar" base.tar.gz; do
        run --separate-stderr "$WHELK" import - <"$file"
        assert_success
        assert_id "$output"
    done
    id=$(cat base.tar.gz | whelk image import - piped)
    assert_equal "$(whelk run --rm piped echo works)" works
    # One archive is one layer, however it came.
    assert_equal "$(store_entries layers | wc -l)" 1
}

@test "compressed by zstd, xz, bzip2; damaged ones" {
    for tool in zstd xz bzip2; do
        command -v $tool >/dev/null || skip "$tool is not installed"
        archive 0 a "$tool" >a.tar
        $tool -c <a.tar >packed
        id=$(whelk import packed)
        assert_equal "$(inspect_field "$id" '.RootFS.Layers[0]')" "sha256:$(sha256sum <a.tar | cut -d ' ' -f 1)"
        remove_all
        head -c 60 packed >cut
        refused "the $tool stream is" <cut
    done
}

@test "several gzip members, one after the other" {
    archive 0 a 1 5 d - >a.tar
    { head -c 700 a.tar | gzip; tail -c +701 a.tar | gzip; } >a.tar.gz
    whelk import a.tar.gz a
    assert_equal "$(store_entries layers | wc -l)" 1
}

@test "the name is made local, and moves" {
    one=$(archive 0 a 1 | whelk import - some/name:v1)
    assert_equal "$(inspect_field some/name:v1 '.RepoTags[0]')" localhost/some/name:v1
    two=$(archive 0 a 2 | whelk import - some/name:v1)
    assert_equal "$(inspect_field some/name:v1 .Id)" "sha256:$two"
    whelk rmi "$one"
}

@test "the comment of its history entry" {
    for option in "-m" "--message"; do
        archive 0 a 1 | whelk import "$option" "first try" - a
        assert_equal "$(inspect_field a '.History[0].comment')" "first try"
    done
    archive 0 a 1 | whelk import - b
    assert_equal "$(inspect_field b '.History[0].comment')" null
}

@test "what tar makes comes back: modes, links, times, long names" {
    mkdir -p t/dir "t/$(printf 'n%.0s' {1..200})"
    echo hello >t/dir/file
    ln t/dir/file t/hard
    ln -s dir/file t/soft
    chmod 640 t/dir/file
    touch -d @1234567890 t/dir/file
    for format in gnu pax ustar; do
        tar --format=$format --owner=0 --group=0 -C t -cf t.tar dir hard soft $([ $format = ustar ] || ls t | grep nnn)
        whelk import t.tar t
        key=$(inspect_field t '.RootFS.Layers[0]')
        diff=$STORE/layers/${key#sha256:}/diff
        assert_equal "$(stat -c '%a %h %Y' "$diff/dir/file")" "640 2 1234567890"
        assert_equal "$(readlink "$diff/soft")" dir/file
        [ $format = ustar ] || ls "$diff" | grep -q '^n\{200\}$'
    done
}

# --- errors of usage

@test "errors" {
    mkdir dir
    : >empty
    while IFS='|' read -r words text; do
        run_whelk import $words
        assert_status 125
        assert_one_error
        assert_stderr "Error: $text"
    done <<'END'
|"whelk import" needs at least one FILE|- argument; see whelk import --help
a b c|"whelk import" takes at most 2 arguments, but got 3; see whelk import --help
--bogus a|unknown option "--bogus" for "whelk import"; see whelk import --help
-m|option "-m" of "whelk import" needs a value: -m TEXT
nosuch.tar|cannot open nosuch.tar: No such file or directory
dir|cannot import dir: cannot read the archive: Is a directory
empty|cannot import empty: the archive is empty
empty Bad|invalid image name "Bad": the name must be lower case
END
    run --separate-stderr "$WHELK" import - </dev/null
    assert_stderr "Error: cannot import standard input: the archive is empty"
    run --separate-stderr bash -c '"$1" import - <&-' - "$WHELK"
    assert_status 125
    assert_one_error
}

@test "a terminal is not taken for an archive" {
    run script -qec "'$WHELK' import -" /dev/null </dev/null
    [[ $output == *"Error: standard input is a terminal; give an archive: whelk import - NAME < base.tar"* ]]
}

# --- hostile archives

@test "names that lead out" {
    archive 0 ../x 1 | refused "archive entry ../x: has '..' in its path"
    archive 0 a/../../x 1 | refused "archive entry a/../../x: has '..' in its path"
    archive 5 .. - | refused "archive entry ..: has '..' in its path"
    archive 0 "outside/../../outside/file" 1 | refused "has '..' in its path"
    archive x pax $'27 path=../../outside/file\n' 0 x 1 | refused "archive entry ../../outside/file: has '..'"
    archive L ././@LongLink ../../outside/file 0 x 1 | refused "archive entry ../../outside/file: has '..'"
}

@test "absolute names stay inside" {
    diff=$(archive 0 "$BATS_TEST_TMPDIR/outside/file" evil | harmless)
    assert_equal "$(cat "$diff$BATS_TEST_TMPDIR/outside/file")" evil
}

@test "a symbolic link, and then something behind it" {
    archive 2 d "$BATS_TEST_TMPDIR/outside" 0 d/file evil |
        refused "archive entry d/file: goes through d, a symbolic link of the same layer"
    archive 2 d ../../../outside 5 d/dir - | refused "archive entry d/dir: goes through d, a symbolic link"
    archive 2 d / 2 d/tmp/x y | refused "archive entry d/tmp/x: goes through d, a symbolic link"
    archive 5 a - 2 a/d "$BATS_TEST_TMPDIR/outside" 0 a/d/.wh.file "" | refused "goes through a/d, a symbolic link"
    archive 2 d "$BATS_TEST_TMPDIR/outside" 0 d/.wh..wh..opq "" | refused "goes through d, a symbolic link"
}

@test "a file in the place of a symbolic link replaces the link, not what it points to" {
    diff=$(archive 2 l "$BATS_TEST_TMPDIR/outside/file" 0 l evil | harmless)
    [ -f "$diff/l" ] && [ ! -L "$diff/l" ]
}

@test "hard links to what is not in the archive" {
    archive 1 x "$BATS_TEST_TMPDIR/outside/file" | refused "archive entry x: is a hard link to "
    archive 1 x ../../../outside/file | refused "archive entry x: is a hard link to ../../../outside/file, which is not"
    archive 1 x /etc/passwd | refused "archive entry x: is a hard link to /etc/passwd, which is not a file of this layer"
    archive 2 d "$BATS_TEST_TMPDIR/outside" 1 x d/file | refused "is a hard link to d/file"
    archive 1 x ../recipe | refused "is a hard link to ../recipe"
    archive 5 d - 1 x d | refused "is a hard link to d"
}

@test "device nodes are not made" {
    diff=$(archive 3 null 1,3 4 disk 8,0 3 whiteout 0,0 | harmless)
    for file in null disk whiteout; do
        assert_equal "$(stat -c '%F %a' "$diff/$file")" "regular empty file 0"
    done
}

@test "the same name twice: the last one wins; a directory that is not empty stays" {
    diff=$(archive 0 a one 0 ./a two 0 a three | harmless)
    assert_equal "$(cat "$diff/a")" three
    whelk rmi evil
    diff=$(archive 5 d - 0 d three | harmless)
    assert_equal "$(cat "$diff/d")" three
    whelk rmi evil
    archive 5 d - 0 d/x 1 0 d evil |
        refused "archive entry d: would replace a directory of the same layer that is not empty"
    archive 0 d evil 0 d/x 1 | refused "archive entry d/x: lies below d, which is not a directory"
}

@test "names of whiteouts" {
    archive 0 .wh. "" | refused "archive entry .wh.: is a whiteout of nothing"
    archive 0 .wh... "" | refused "archive entry .wh...: is a whiteout of nothing"
    archive 0 .wh.d/x 1 | refused "archive entry .wh.d/x: lies below a whiteout"
    diff=$(archive 5 d - 0 d/.wh.gone "" 0 d/.wh..wh..opq "" 0 .wh..wh.plnk "" | harmless)
    assert_equal "$(stat -c '%F %t,%T' "$diff/d/gone")" "character special file 0,0"
    [ -z "$(find "$diff" -name '.wh.*')" ]
}

@test "the root directory as something else" {
    archive 0 . evil | refused "archive entry .: the root directory is not a directory"
    archive 2 ./ /etc | refused "the root directory is not a directory"
}

@test "huge names" {
    archive L ././@LongLink "$(printf 'n%.0s' {1..300})" 0 n 1 | refused "File name too long"
    archive L ././@LongLink "$(printf 'd/%.0s' {1..3000})" 0 n 1 | refused "a name is too long"
    archive --size 5000000000 L ././@LongLink x | refused "an extended header is too large"
    archive --size 9000000000000000000 x pax x | refused "an extended header is too large"
}

@test "control characters of a name do not reach the terminal" {
    archive 0 $'a\e[31m\nb/../c' 1 | refused 'archive entry a\x1b[31m\x0ab/../c: '
}

@test "truncated, garbage, wrong sums" {
    archive --no-end --size 10000 0 x short | refused "the archive is cut short"
    archive 0 x 1 | head -c 300 | refused "the archive is cut short"
    archive --bad-sum 0 x 1 | refused "tar archive, byte 512: not a tar header (wrong checksum)"
    archive 0 a 1 --bad-sum 0 x 1 | refused "tar archive, byte 1536: not a tar header (wrong checksum)"
    head -c 5000 /dev/zero | tr '\0' x | refused "not a tar header"
    archive x pax garbage 0 x 1 | refused "the extended header is damaged"
    archive x pax $'30 mtime=99999999999999999999\n' 0 x 1 | refused 'the extended header has a bad "mtime"'
    archive 0 "" 1 | refused "an entry without a name"
    head -c 20000 "$WHELK_TOOLS/base.tar" | gzip | head -c 3000 | refused "the gzip stream is cut short"
    { gzip <"$WHELK_TOOLS/base.tar" | head -c 5000; head -c 5000 /dev/zero | tr '\0' x; } | refused "the gzip stream is "
    { archive 0 x 1 | gzip; echo more; } | refused "the gzip stream is followed by other data"
}

@test "an end that is missing is no matter" {
    diff=$(archive --no-end 0 x 1 | harmless)
    [ -f "$diff/x" ]
}

@test "bombs: what says that it is larger than the disk" {
    archive --no-end --size 9000000000000000 0 big 1 | refused "archive entry big: the archive's files are larger than the limit"
    archive --no-end --size 9000000000000000 0 big 1 | gzip | refused "archive entry big: the archive's files are larger"
    archive x pax $'22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n40 GNU.sparse.realsize=9000000000000000\n21 GNU.sparse.name=x\n' \
        0 x $'1\n0\n1\n' | refused ""
}

@test "bombs: zeros behind the archive cost next to nothing" {
    { archive 0 x 1; head -c 50000000 /dev/zero; } | gzip -1 >bomb.gz
    whelk import bomb.gz evil
    [ "$(du -sk "$STORE/layers" | cut -f1)" -lt 1000 ]
}

@test "bombs: a store that is full" {
    skip_unless_lane root # to mount a small file system
    mkdir small
    mount -t tmpfs -o size=4m small small
    { archive --no-end --size 30000000 0 big ""; head -c 30000000 /dev/zero; } | gzip -1 >bomb.gz
    run_whelk --root "$PWD/small/store" import bomb.gz evil
    assert_status 125
    assert_one_error
    assert_stderr --partial "cannot import bomb.gz: "
    left=$(find small/store/layers small/store/tmp small/store/images -mindepth 1)
    umount small
    assert_equal "$left" ""
}

@test "owners that this user does not have" {
    archive --owner 2000000000 0 x 1 >a.tar
    case $WHELK_LANE in
    subuid)
        refused "archive entry x: belongs to uid 2000000000, but this user may use " <a.tar
        assert_stderr --partial "usermod --add-subuids"
        ;;
    plain) harmless <a.tar ;;
    root)
        diff=$(harmless <a.tar)
        assert_equal "$(stat -c %u "$diff/x")" 2000000000
        ;;
    esac
}

@test "setuid bits are kept where they belong to nobody else" {
    diff=$(archive --mode 6755 0 x 1 | harmless)
    assert_equal "$(stat -c '%a %u' "$diff/x")" "6755 $(id -u)"
}

@test "an import that is killed leaves nothing behind the next command" {
    mkfifo pipe
    "$WHELK" import pipe evil 3>&- &
    pid=$!
    { # kept open, or the import would come to its end
        archive --no-end 0 a 1 0 b 2
        wait_for 10 import_is_busy
        kill -9 "$pid"
        wait "$pid" || true
    } >pipe
    wait_for 10 no_orphans
    whelk rmi -i nothing
    assert_equal "$(store_entries tmp)" ""
    assert_equal "$(whelk images -q)" ""
}
import_is_busy() {
    [ -n "$(find "$STORE/tmp" -mindepth 4 -name a)" ]
}
