# lanes: root subuid
# The benchmark still works; what it measures is not judged here.

load ../lib/common

@test "the benchmark runs" {
    run sh "$WHELK_TREE/test/bench/run" --smoke -w "$WHELK"
    assert_success
    assert_line --regexp '^run --rm +[0-9.]+ +[0-9.]+ +[0-9.]+ +10, 1.6x floor$'
    assert_line --regexp '^ps -a, 10 '
    refute_output "left over"
}

@test "the benchmark of networks runs" {
    skip_unless_lane root
    [ -c /dev/net/tun ] || skip "no /dev/net/tun"
    run sh "$WHELK_TREE/test/bench/network" --smoke -w "$WHELK"
    assert_success
    assert_line --regexp '^in by -p, connections a second +[1-9][0-9]* +[1-9][0-9]* '
    assert_line --regexp '^out to another host, MB/s +[1-9]'
}
