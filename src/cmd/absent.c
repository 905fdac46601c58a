/* Commands of docker and podman that whelk does not have on purpose: each gets an answer, not "unknown command"
 * (C-151). */
#include "cmd.h"

#define REMOTE "whelk has no server to connect to; run it on the other machine: ssh HOST whelk ..."
#define CLUSTER "whelk runs containers on this machine and makes no clusters; systemd units keep services up"

static const struct {
    const char *names; /* as in struct cmd */
    const char *reason;
} absent[] = {
    {"swarm;service;stack;node", CLUSTER},
    {"config", "that belongs to swarm; mount a file with -v or give variables with --env-file"},
    {"context;connection;system connection", REMOTE},
    {"system service;system dial-stdio", "whelk has no daemon and no API socket; every command works by itself"},
    {"machine;desktop", "whelk runs on Linux itself and needs no virtual machine"},
    {"farm", "whelk builds on this machine; build on others with ssh HOST whelk build ..."},
    {"plugin", "whelk has no plugins; its networks, volumes and logs are built in"},
    {"trust;image trust;image sign",
     "whelk does not sign images; pull by digest (NAME@sha256:...) to get what you checked"},
    {"checkpoint;container checkpoint;container restore", "whelk cannot freeze processes to disk"},
    {"init;container init", "a container is set up when it starts; whelk create checks it, whelk start starts it"},
    {"runlabel;container runlabel", "labels of an image run nothing; type the command that the label has"},
    {"container cleanup",
     "nothing is left to clean: a container's supervisor does it, and after a crash the next command"},
    {"container clone", "make another like it with whelk run; whelk inspect tells what it was made with"},
    {"buildx;builder build", "the builder is part of whelk; use whelk build"},
    {"pod",
     "whelk has no pods; containers share namespaces by whelk run --network container:NAME --ipc container:NAME"},
    {"quadlet;generate",
     "a unit that runs whelk run is enough; whelk-run(1) says how, examples/systemd has units to copy"},
    {"auto-update", "pull and start anew: whelk pull IMAGE, then systemctl restart UNIT"},
    {"kube;play", "whelk does not read Kubernetes files; start each container with whelk run or a systemd unit"},
    {"artifact", "whelk keeps images only; whelk image copy moves what registries have"},
    {"image scp", "pipe it: whelk save IMAGE | ssh HOST whelk load"},
    {"image encrypt;image decrypt;image convert",
     "whelk has no encrypted or converted images; whelk push --compression-format "
     "chooses how layers are packed"},
    {"volume reload", "the only volume driver is local, whose volumes are always looked at anew"},
    {"compose", "whelk does not read compose files; start each service with whelk run or a systemd unit"},
};

const char *cmd_absent(int argc, char *const argv[], int *ret_used)
{
    for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
        int used = cmd_match(absent[i].names, argc, argv);
        if (used && ret_used)
            *ret_used = used;
        if (used)
            return absent[i].reason;
    }
    return NULL;
}
