"""Stands in for systemd's notification socket:  notify-listen.py SOCKET FILE
Writes each line of each message to FILE, as "PID LINE" with the sender's pid. Ends when FILE's directory is removed or
it is killed."""
import os, socket, struct, sys

path, out = sys.argv[1:]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind(path)
with open(out, "a", buffering=1) as f:
    while True:
        data, extra, _, _ = s.recvmsg(65536, 64)
        pid = [struct.unpack("3i", c)[0] for level, kind, c in extra if kind == socket.SCM_CREDENTIALS][0]
        for line in data.decode(errors="backslashreplace").splitlines():
            f.write(f"{pid} {line}\n")
