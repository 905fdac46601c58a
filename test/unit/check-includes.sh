#!/bin/sh
# The layers, read from the #include lines: a folder includes only lower ones, image and run not each other, nobody "../",
# and each outside library has its one file. Usage: check-includes.sh SOURCE_ROOT
set -eu
cd "$1"

# "FACE FOLDER" of each face: the folder of its own name, or the one with the source file of its name.
faces() {
    for folder in src/*/; do
        echo "$(basename "$folder") $(basename "$folder")"
    done
    echo "auto base" # without a source file of its name
    echo "limits kernel"
    echo "refused-options run"
    for face in include/whelk/*; do
        name=$(basename "$face" | sed 's/\.[^.]*$//')
        for source in src/*/"$name".c; do
            folder=${source#src/}
            [ -e "$source" ] && echo "$name ${folder%%/*}"
        done
    done
    return 0
}

{
    faces | sed 's/^/FACE /'
    grep -rnE '^[[:space:]]*#[[:space:]]*include' include src test --include='*.[ch]' --include='*.def' |
        sed -E 's/^([^:]*):([0-9]+):[^<"]*([<"])([^>"]*).*/INCLUDE \1 \2 \3 \4/'
} | awk '
function fail(text) { print where ": " text; failed = 1 }

# library header (a pattern) and the files that may name it (a pattern)
function library(header, files) { lib_header[++n_libs] = header; lib_files[n_libs] = files }

BEGIN {
    n = split("base:0 kernel:1 oci:1 store:2 registry:2 net:2 image:3 run:3 build:4 cmd:5", pairs, " ")
    for (i = 1; i <= n; i++) {
        split(pairs[i], pair, ":")
        rank[pair[1]] = pair[2]
    }
    library("^curl/", "^src/registry/http\\.c$")
    library("^seccomp\\.h$", "^src/kernel/seccomp[a-z-]*\\.c$")
    library("^cap-ng\\.h$", "^src/kernel/caps\\.c$")
    library("^(mbedtls|psa)/", "^src/base/(digest|pubkey)\\.c$")
    library("^openssl/", "^src/base/digest[a-z-]*\\.c$")
    library("^zlib\\.h$", "^src/base/gzip[a-z-]*\\.c$")
    library("^isa-l/|^igzip_lib\\.h$", "^src/base/gzip[a-z-]*\\.c$")
    library("^zstd[a-z_]*\\.h$", "^src/base/codec-zstd\\.c$")
    library("^lzma\\.h$", "^src/base/codec-xz\\.c$")
    library("^bzlib\\.h$", "^src/base/codec-bzip2\\.c$")
    library("^libmnl/|^nftables/|^slirp/", "^src/net/[a-z-]+\\.c$")
    library("^systemd/", "^src/[a-z]+/[a-z-]+\\.c$")
    library("^jansson\\.h$", "^include/whelk/json\\.h$")
}

$1 == "FACE" { layer[$2] = $3; next }

{
    file = $2; where = file ":" $3; quote = $4; header = $5
    if (header ~ /(^|\/)\.\.\//)
        fail("includes " header ": no way up by ../")
    if (file !~ /^(src|include)\//)
        next

    for (i = 1; i <= n_libs; i++) {
        if (quote != "<" || header !~ lib_header[i])
            continue
        if (file !~ lib_files[i])
            fail("names " header ", which is the matter of " lib_files[i])
        else if (seen[i, header] && seen[i, header] != file)
            fail("names " header ", which " seen[i, header] " does already")
        seen[i, header] = file
    }

    if (header !~ /^whelk\//)
        next
    from = file
    if (file ~ /^include\//) {
        sub(/.*\//, "", from); sub(/\.[^.]*$/, "", from)
        from = layer[from]
    } else if (file ~ /^src\/[^\/]*$/) {
        from = "cmd" # main.c
    } else {
        sub(/^src\//, "", from); sub(/\/.*/, "", from)
    }
    to = header
    sub(/^whelk\//, "", to); sub(/\.[^.]*$/, "", to)
    to = layer[to]
    if (to == "")
        fail("which folder does " header " belong to? there is no src/*/ file of its name")
    else if (from == "" || !(from in rank))
        fail("which layer is this?")
    else if (rank[to] > rank[from])
        fail(from " includes " header " of " to ", a higher layer")
    else if ((from == "image" && to == "run") || (from == "run" && to == "image"))
        fail(from " includes " header " of " to ": these two do not know each other")
}

END { exit failed }
'
