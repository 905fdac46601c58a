# A changed range of subordinate ids, and the command that shifts the store (whelk-system-migrate(1)).
load ../lib/common

setup() {
    [ "$WHELK_LANE" = root ] || skip "only in the lanes: root (it changes /etc/subuid)"
    user=whelk-shift-$$
    home=$BATS_TEST_TMPDIR/home
    useradd --system --no-create-home --home-dir "$home" "$user"
    mkdir -p "$home/run"
    chown -R "$user:" "$home"
    chmod -R 0700 "$home"
    chmod a+x "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$BATS_SUITE_TMPDIR" 2>/dev/null || :
}

teardown() {
    [ "$WHELK_LANE" = root ] || return 0
    sed -i "/^$user:/d" /etc/subuid /etc/subgid
    userdel "$user"
}

set_range() {
    sed -i "/^$user:/d" /etc/subuid /etc/subgid
    echo "$user:$1:65536" >>/etc/subuid
    echo "$user:$1:65536" >>/etc/subgid
}

as_user() {
    setpriv --reuid "$user" --regid "$user" --clear-groups env -i PATH="$PATH" HOME="$home" XDG_RUNTIME_DIR="$home/run" "$@"
}

@test "after a change of the range, system migrate gives every file its owner again" {
    store=$home/.local/share/whelk
    set_range 2000000000
    as_user "$WHELK" import "$WHELK_TOOLS/base.tar" base
    as_user "$WHELK" run --name keep base sh -c 'echo kept > /home/user/f && chown user:user /home/user/f && chmod 4755 /home/user/f'
    set_range 2100000000
    run as_user "$WHELK" run --rm base true
    [ "$status" = 125 ]
    [[ $output == *"whelk --root STORE system migrate"* ]]

    run "$WHELK" --root "$store" system migrate
    [ "$status" = 0 ]
    [[ $output == "Shifted $store"* ]]
    run as_user "$WHELK" run --rm base stat -c %u /home/user
    [ "$output" = 1000 ]
    as_user "$WHELK" start -a keep
    run as_user "$WHELK" unshare sh -c "stat -c '%u %a' $store/containers/*/upper/home/user/f"
    [ "$output" = "1000 4755" ]

    run "$WHELK" --root "$store" system migrate
    [ "$status" = 0 ]
    [[ $output == "Nothing to do"* ]]
    as_user "$WHELK" rm -af
    as_user "$WHELK" rmi -af
}

@test "system migrate refuses what is not a store, and overlapping ranges" {
    mkdir "$BATS_TEST_TMPDIR/other"
    run "$WHELK" --root "$BATS_TEST_TMPDIR/other" system migrate
    [ "$status" = 125 ]
    [[ $output == *"is not a store"* ]]

    set_range 2000000000
    as_user "$WHELK" images
    set_range 2000030000
    run "$WHELK" --root "$home/.local/share/whelk" system migrate
    [ "$status" = 125 ]
    [[ $output == *overlap* ]]
}
