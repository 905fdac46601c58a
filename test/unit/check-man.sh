#!/bin/sh
# Every command has a man page that names all its options. Usage: check-man.sh WHELK SOURCE_ROOT
set -eu
whelk=$1
man=$2/man
failed=0

fail() {
    echo "$*"
    failed=1
}

commands=$("$whelk" __commands)
[ -n "$commands" ] || fail "whelk __commands prints nothing"

while read -r name options; do
    page=$man/whelk-$name.1.scd
    if [ ! -f "$page" ]; then
        fail "whelk-$name(1): there is no man/whelk-$name.1.scd"
        continue
    fi
    for option in $options; do
        grep -qF -e "*$option*" "$page" || fail "whelk-$name(1) does not tell of *$option*"
    done
    for section in NAME SYNOPSIS DESCRIPTION "EXIT STATUS" EXAMPLES; do
        grep -qx "# $section" "$page" || fail "whelk-$name(1) has no section $section"
    done
done <<END
$commands
END

for page in "$man"/*.scd; do
    name=$(basename "$page" .scd)
    grep -qF "'$name'" "$man/meson.build" || fail "$name.scd is not in man/meson.build"
done
exit $failed
