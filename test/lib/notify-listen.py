"""Stands in for systemd's notification socket:  notify-listen.py SOCKET FILE
Writes each line of each message to FILE, as "PID LINE" with the sender's pid. As with NotifyAccess=main, only the main
process is heard: the first who speaks, then whom it names with MAINPID=; what others say is written as "refused PID
LINE"."""
import os, socket, struct, sys

path, out = sys.argv[1:]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind(path)
main = 0


def alive(pid):
    return os.path.exists(f"/proc/{pid}")


with open(out, "a", buffering=1) as f:
    while True:
        data, extra, _, _ = s.recvmsg(65536, 64)
        pid = [struct.unpack("3i", c)[0] for level, kind, c in extra if kind == socket.SCM_CREDENTIALS][0]
        if not main or not alive(main):
            main = pid
        heard = "" if pid == main else "refused "
        for line in data.decode(errors="backslashreplace").splitlines():
            f.write(f"{heard}{pid} {line}\n")
            if line.startswith("MAINPID=") and not heard:
                main = int(line[8:])
