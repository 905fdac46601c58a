#!/usr/bin/env python3
"""Lists a tar archive from standard input, what is below the paths given:  tree-list.py PATH...

A line an entry, sorted: TYPE MODE UID:GID PATH, and behind it -> TARGET of a link, = FIRST-NAME of a hard link, or the
contents of a small file as a JSON string, else size and SHA-256."""
import hashlib
import json
import sys
import tarfile

KINDS = {tarfile.DIRTYPE: "d", tarfile.REGTYPE: "f", tarfile.AREGTYPE: "f", tarfile.SYMTYPE: "l", tarfile.LNKTYPE: "f",
         tarfile.FIFOTYPE: "p", tarfile.CHRTYPE: "c", tarfile.BLKTYPE: "b"}
SMALL = 200


def name(path):
    return "/" + path.removeprefix("./").strip("/")


def tail(tar, entry):
    if entry.issym():
        return " -> " + entry.linkname
    if entry.islnk():
        return " = " + name(entry.linkname)
    if not entry.isreg():
        return ""
    data = tar.extractfile(entry).read()
    try:
        text = data.decode() if len(data) <= SMALL else None
    except UnicodeDecodeError:
        text = None
    return f" {json.dumps(text)}" if text is not None else f" {len(data)} {hashlib.sha256(data).hexdigest()}"


def main():
    wanted = [p.rstrip("/") for p in sys.argv[1:]]
    lines = []
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as tar:
        for entry in tar:
            path = name(entry.name)
            if any(path == w or path.startswith(w + "/") for w in wanted):
                mode = f"{entry.mode & 0o7777:04o}"
                lines.append((path, f"{KINDS[entry.type]} {mode} {entry.uid}:{entry.gid} {path}{tail(tar, entry)}"))
    for _, line in sorted(lines):
        print(line)


main()
