"""Socket activation as by a systemd .socket unit:  activate.py PORTFILE NAMES COMMAND...
Listens on as many ports of the loopback interface as there are NAMES (with colons), writes the ports to PORTFILE, and
executes COMMAND with the sockets from descriptor 3 on."""
import os, socket, sys

port_file, names, *command = sys.argv[1:]
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names.split(":")]
with open(port_file, "w") as f:
    print(*[s.getsockname()[1] for s in sockets], sep="\n", file=f)
spare = [os.dup2(s.fileno(), 100 + i) for i, s in enumerate(sockets)]
for i, fd in enumerate(spare):
    os.dup2(fd, 3 + i)
os.closerange(3 + len(spare), 200)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(sockets)), LISTEN_FDNAMES=names)
os.execvp(command[0], command)
