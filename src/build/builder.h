/* A build under way. Private to src/build.
 *
 * context.c      the directory, the ignore file, the Dockerfile
 * scope.c        build arguments
 * plan.c         which stages are needed
 * build.c        walks the stages and names the result
 * side.c         stages side by side, in workers
 * step.c         one instruction: cached or not
 * builder.c      records of steps, staging, the way into the user namespace
 * instructions.c the table: what each instruction changes and what its key covers
 * explain.c      --explain: why a step was cached or not
 * squash.c       --squash: the layers of the target as one
 * trigger.c      ONBUILD of a base
 * step-run.c, step-copy.c and step-add.c (with copy-source.c, copy-put.c, layer-tree.c), step-workdir.c   those that
 *                make layers
 *
 * Theory of operation. A build begins as an ordinary process that only reads: it holds the store (gc.lock shared) so
 * that what it finds stays, and each step that is cached costs the reading of one record. If all are, the image's
 * config comes out the same to the byte and nothing is written. At the first step that is not cached the process
 * becomes the BUILDER: it lets go of the store, goes on in a child that is root in the store's user namespace with a
 * mount namespace of its own, begins a staging directory, pins what it has used so far and looks that it is still
 * there.
 *
 * A step's record makes its layer trusted, so it is published only after a syncfs; until then it lies in the staging
 * directory. That is done when the work that
 * would be lost is worth it, and at the end of the build, also of one that fails: a build that is killed loses the
 * steps of its last second, and never leaves a record whose layer is torn. */
#ifndef BUILD_BUILDER_H
#define BUILD_BUILDER_H

#include "cache-key.h"
#include "context.h"
#include "plan.h"

#include "whelk/cache.h"
#include "whelk/image-config.h"
#include "whelk/layer.h"
#include "whelk/proc.h"
#include "whelk/stage.h"

/* What a stage is after so many of its instructions. */
struct build_state {
    struct image_config config;
    char **env;    /* the config's, for look-ups */
    char **layers; /* keys, bottom first; one for each diffid of the config */
    size_t n_base; /* of layers: those of the image that it all began with */
    char key[CACHE_KEY];
    struct scope scope;
    int64_t
        created; /* ns: of the newest layer, or of the base. Never the time of this build, so that the same comes out */
    bool cmd_set;     /* by this stage: ENTRYPOINT then keeps it */
    bool missed;      /* a step was not cached, so none that follows is */
    char *missed_at;  /* which one: "STEP 3/5" */
    struct buf since; /* told.h: what the stage did since its last layer, and what that was */
    bool anew;        /* none is looked for */
};
void build_state_copy(const struct build_state *from, struct build_state *ret);
void build_state_done(struct build_state *s);
/* NULL if unset: ENV first, then build arguments. */
const char *build_state_lookup(void *state, const char *name);
/* "/" if there is none. */
const char *build_state_workdir(const struct build_state *s);

/* Who builds a stage (side.c). */
struct side {
    enum side_state {
        SIDE_IDLE,  /* nobody yet */
        SIDE_BEGUN, /* the BUILDER itself */
        SIDE_RUNS,  /* a worker */
        SIDE_ENDED, /* its worker is gone */
        SIDE_DONE   /* stages[] has what became of it */
    } state;
    struct worker worker;
    int pidfd, log_fd;
    struct buf text; /* of its log: a line that has no end yet */
    int done_fd;     /* eventfd, readable when it is done; nobody reads it */
};

struct builder {
    struct store *store;
    const struct build_options *options;
    char **tags; /* full names */
    struct context context;
    struct context *named; /* one for each of plan.names; opened when it is asked for */
    size_t n_named;
    struct dockerfile file;
    struct build_args args;
    struct build_plan plan;
    struct build_state *stages; /* after their last instruction */
    struct side *sides;         /* one for each stage */
    size_t jobs, n_workers;     /* at most so many; that run now */
    bool worker;                /* this process is one, of own_stage */
    size_t own_stage;
    int worker_fd;
    struct build_options own_options;
    struct file_digests *digests;
    struct build_times {
        int64_t epoch; /* seconds, -1: none. What the image and its history say */
        bool clamp;    /* files of new layers are not younger */
        bool same;     /* they all have it */
    } times;

    int hold;              /* of the store, until there is staging */
    char **used;           /* layers that were found until then */
    struct stage *staging; /* NULL: nothing was missed yet */
    unsigned n_dirs;       /* below staging, for names */
    int64_t unsynced;      /* ns of work in records that wait for a sync */
};

/* What execute made. */
struct layer_facts {
    bool changed;
    char **stubs;              /* paths that whelk put into the tree */
    struct pack_owners owners; /* that no file can keep */
    bool unstable;             /* what went in is not what the key says: it must not be found again */
};

/* One instruction under work. */
struct step {
    struct builder *b;
    size_t stage, number; /* index of the stage; of the step in it */
    const struct instruction *i;
    struct build_state *state;
    char **args; /* expanded, where the instruction's are */
    struct cache_key key;
    struct buf covers; /* what is in the key (told.h) */
    bool link;         /* --link: neither key nor layer depend on what lies below */
    bool indirect;     /* what it takes has two keys of its own: key_source, key_content */
    bool told;         /* the error says where it happened */
    int lock;          /* of a worker that makes it, or -1 */
    int lower;         /* while it is executed: the merged view of what lies below */
    void *work;        /* of the instruction, until step_row.done */
};

/* A row for each instruction (DF-20 .. DF-44). */
struct step_row {
    /* Changes state->config as the instruction says, and adds to the key what its result depends on beside the expanded
     * arguments, which are in it already. */
    int (*prepare)(struct step *s);
    /* Makes the tree diff/ in dir. NULL: the instruction makes no layer. Runs in: the BUILDER. */
    int (*execute)(struct step *s, int dir, struct layer_facts *ret);
    /* Two keys for what an indirect step takes: one that is cheap (1: there is none), and one out of the contents,
     * which finds more. Runs in: the BUILDER, the second. */
    int (*key_source)(struct step *s, struct cache_key *k);
    int (*key_content)(struct step *s, struct cache_key *k);
    int (*tell)(struct step *s, struct buf *told); /* the files that it takes; NULL: none */
    void (*done)(struct step *s);                  /* frees work */
    bool raw;                                      /* prepare expands the arguments itself */
};

extern const struct step_row step_rows[INSTR_KINDS];

/* ---- builder.c ---- */

/* Opens what a build needs; checks the options first. */
int builder_open(struct store *s, const struct build_options *o, struct builder *b);
void builder_close(struct builder *b);
/* Becomes the BUILDER, if it is not yet. */
int builder_enter(struct builder *b);
/* Sees to it that these layers stay; -ESTALE with text if one is gone. */
int builder_pin(struct builder *b, char *const *layers);
/* An image by the name in a Dockerfile, with its layers pinned. */
int builder_image(struct builder *b, const char *name, char **ret_id, struct image_config *ret_config,
                  char ***ret_layers);
/* A named context that is no image. */
int builder_named(struct builder *b, size_t named, struct context **ret);
/* The record of a step that was made before; its layer is pinned. -ENOENT without text. */
int builder_find(struct builder *b, const char *key, struct cache_step *ret);
/* Keeps a record in the staging directory, to be published under key. told: what the key covers, or NULL. spent: ns of
 * work in it. */
int builder_record(struct builder *b, const char *key, const struct cache_step *record, const char *told,
                   int64_t spent);
/* Publishes what was recorded, now or when it is worth it. */
int builder_flush(struct builder *b, bool now);
/* The merged view of a stack of layers (bottom first), read-only. Runs in: the BUILDER. */
int builder_merged(struct builder *b, char *const *layers, int *ret_fd);
/* A line of the log; builder_say not with --quiet. */
void builder_say(const struct builder *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void builder_warn(const struct builder *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What a stage came to that another one takes from: if it is not done, it is awaited. -EINPROGRESS without text: the
 * stage that asks goes on in a worker. */
int builder_stage(struct builder *b, size_t asks, size_t stage, const struct build_state **ret);

/* ---- side.c ---- */

/* Reads --jobs. */
int side_open(struct builder *b);
/* Kills the workers that are left. Keeps the error in the slot. */
void side_stop(struct builder *b);
void side_close(struct builder *b);
/* Lets the stage go on in a worker, if that is worth it (or has to be): 0 in the worker, and where it is not;
 * -EINPROGRESS without text in the BUILDER, who has nothing more to do with it until it is done. */
int side_leave(struct builder *b, size_t stage, bool must);
/* BUILDER: waits for something to happen. The failure of a worker is returned. */
int side_pump(struct builder *b);
/* BUILDER: tells the workers that a stage is done. */
int side_done(struct builder *b, size_t stage);
/* WORKER: waits for another stage. */
int side_await(struct builder *b, size_t stage);
/* WORKER: ends, with the stage or with an error. */
void side_finish(struct builder *b, int r) __attribute__((noreturn));
/* WORKER: nobody else makes the step of this key meanwhile. */
int side_lock(struct builder *b, const char *key, int *ret_lock);

/* ---- explain.c ---- */

/* A stage begins with this, or has made this layer. */
void explain_base(struct build_state *state, const char *what);
/* A step changed the config only. */
void explain_metadata(struct step *s);
/* All that the step's result depends on (told.h). The caller frees. */
char *explain_told(struct step *s);
/* With --explain: why the step is made, or why it is not. */
void explain_miss(struct step *s, const char *told);
void explain_hit(struct step *s, const char *why);

/* ---- squash.c ---- */

/* Makes the layers of the target one, as the options want. */
int build_squash(struct builder *b);

/* ---- output.c ---- */

/* Writes the files of the target stage where the options want them (--output). */
int build_output(struct builder *b);

/* ---- times.c ---- */

/* Of the options, the environment and the build arguments. -EINVAL with text. */
int build_times_read(const struct build_options *o, const struct build_args *args, struct build_times *ret);
/* The time that the image says for something of this time (ns). */
int64_t build_time(const struct builder *b, int64_t ns);

/* ---- trigger.c ---- */

/* Takes the ONBUILD instructions out of the config that a stage begins with and puts them before its own. what: whose
 * they are. */
int trigger_insert(struct builder *b, size_t stage, const char *what, struct build_state *state);

/* ---- step.c ---- */

/* "[2/3] " where more than one stage is built. The caller frees. */
char *step_prefix(const struct builder *b, size_t stage);
/* The layers upon which it is executed, bottom first; NULL: none. */
char *const *step_layers(const struct step *s);
/* Does instruction number of a stage: prepares it, and executes it if it is not cached. */
int step_do(struct builder *b, size_t stage, size_t number, struct build_state *state);

/* ---- instructions ---- */

/* The command of RUN, CMD or ENTRYPOINT: the exec form as it stands, the shell form (or text, if it is not NULL) behind
 * the image's shell. The caller frees. */
char **step_command(const struct step *s, const char *text);
/* "/srv/app" out of a word and the working directory that counts until now. The caller frees. */
char *workdir_join(const struct build_state *s, const char *word);

int run_prepare(struct step *s);
int mounts_tell(struct step *s, struct buf *told);
int copy_tell(struct step *s, struct buf *told);
int run_execute(struct step *s, int dir, struct layer_facts *ret);

int add_key_source(struct step *s, struct cache_key *k);
int add_key_content(struct step *s, struct cache_key *k);
int copy_prepare(struct step *s);
int copy_key_source(struct step *s, struct cache_key *k);
int copy_key_content(struct step *s, struct cache_key *k);
int copy_execute(struct step *s, int dir, struct layer_facts *ret);
void copy_done(struct step *s);

int workdir_prepare(struct step *s);
int workdir_execute(struct step *s, int dir, struct layer_facts *ret);

#endif
