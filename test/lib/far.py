#!/usr/bin/env python3
"""The host on the other side of a test's network (netlab):
far.py serve SOCKET           runs commands there
far.py run SOCKET WORDS...    has it run one, with this input, output and status"""
import json
import os
import socket
import subprocess
import sys

how, path = sys.argv[1], sys.argv[2]


def answer(conn):
    with conn, conn.makefile("r") as f:
        ask = json.loads(f.readline())
        done = subprocess.run(ask["argv"], input=ask["input"], capture_output=True, text=True, timeout=300)
        conn.sendall(json.dumps([done.returncode, done.stdout, done.stderr]).encode())


if how == "serve":
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen(64)
        while True:
            conn, _ = s.accept()
            if os.fork() == 0:
                if os.fork() == 0:
                    answer(conn)
                os._exit(0)
            os.wait()
            conn.close()
with socket.socket(socket.AF_UNIX) as s:
    s.connect(path)
    words = "" if sys.stdin.isatty() else sys.stdin.read()
    s.sendall(json.dumps({"argv": sys.argv[3:], "input": words}).encode() + b"\n")
    with s.makefile("r") as f:
        status, out, err = json.loads(f.read())
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(status)
