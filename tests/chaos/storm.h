/* What the files of the storm have in common: a round, its clients, and where they are. */
#ifndef TESTS_CHAOS_STORM_H
#define TESTS_CHAOS_STORM_H

#include "storm_ledger.h"

#include <pthread.h>

enum {
    CLIENTS_MOST = 3,
    CLIENT_IDS = 1 << 14, /* of each client in a round, unless the round is BIG */
    JOBS_MOST = 256,      /* tasks that a client submits before it collects them */
    NOTES_MOST = 1024,    /* callbacks of one client in a round */
    PAYLOAD_MOST = 100 << 10
};

/* ---- where everybody is ---------------------------------------------------------------------- */

/* One for each client, and one for the thread that opens and ends rounds. */
typedef struct post {
    const char *_Atomic what; /* the call it is in; NULL = none */
    _Atomic uint64_t which;   /* the number of its operation in the round */
} post;

/* Shared by the program, which watches, and the process in which the rounds are played. */
typedef struct stage {
    _Atomic uint64_t next;    /* round */
    _Atomic uint64_t round;   /* that is played */
    _Atomic int64_t since_ns; /* when it began */
    _Atomic bool over;        /* no more rounds are to begin */
    post posts[CLIENTS_MOST + 1];
    char plan[400]; /* of the round, in words */
} stage;

extern stage *storm;

/* ---- a round --------------------------------------------------------------------------------- */

typedef enum mood {
    CALM,     /* nothing is killed from outside: each end is known in advance */
    STORMY,   /* everything at once */
    MASSACRE, /* many tiny tasks, and workers that die as fast as they can */
    BIG       /* one map or stream of up to a million items, under kills */
} mood;

typedef enum executor_kind {
    PROCESSES,
    THREADS,
    SERIAL,
    OPENMP
} executor_kind;

typedef enum finale {
    DESTROY,
    WAIT,
    LEAVE, /* do not wait */
    CANCEL,
    CANCEL_AND_LEAVE,
    TERMINATE,
    KILL,
    FINALES
} finale;

typedef enum initializing {
    NO_INITIALIZER,
    INITIALIZES,
    INITIALIZER_FAILS, /* once in a while */
    INITIALIZER_DIES
} initializing;

typedef struct round_plan {
    uint64_t number;
    mood mood;
    executor_kind kind;
    cf_pool_options options;
    initializing initializing;
    bool has_second; /* two executors of this kind, with the same options */
    unsigned clients;
    unsigned operations; /* of each client */
    finale finale;       /* when the clients are through, or ... */
    bool is_interrupted; /* ... in the middle, by one of them */
    bool term_is_deadly; /* SIGTERM ends a worker */
    bool has_killer, killer_is_process, kills_newborn, stops_workers;
    bool kills_nursery, stops_nursery;
    unsigned kills_most; /* of workers that have begun a task */
    int64_t pause_ns;    /* of the killer, at most */
} round_plan;

/* What a callback has seen. */
typedef struct note {
    cf_future *future; /* it is called for */
    _Atomic uint32_t calls, wrong;
} note;

typedef struct client {
    pthread_t thread;
    unsigned number;
    uint64_t seed;
    const round_plan *plan;
    cf_executor *ex[2]; /* the second may be NULL */
    post *post;
    uint32_t first_id, id_end, next_id;
    uint16_t *allowed;      /* runs, of each id from first_id on; not in a BIG round */
    unsigned char *args;    /* room for the arguments of one operation */
    unsigned char *results; /* and for its results */
    cf_exception *why;      /* of the items of a map */
    uint8_t *handed_out;    /* how often, of each item of a stream */
    uint64_t accepted[2];   /* plain tasks that were submitted, to each executor */
    uint64_t lost_workers;  /* tasks and items that ended with CF_EWORKER */
    uint64_t nothings;      /* tasks without an argument that have succeeded, and ... */
    uint64_t nothings_most; /* ... how many runs of them there may be */
    bool has_chunks;        /* a map or a stream was among its operations */
    size_t note_count;
    note notes[NOTES_MOST];
} client;

/* Room of args, results and the others. */
#define ARGS_ROOM (LEDGER_IDS * (size_t)8 + PAYLOAD_MOST)

static inline uint64_t between(uint64_t *seed, uint64_t least, uint64_t most) {
    return least + random_next(seed) % (most - least + 1);
}

static inline bool one_in(uint64_t *seed, uint64_t n) {
    return random_next(seed) % n == 0;
}

/* Which call the client is in, for the watchdog. */
static inline void at(client *c, const char *call) {
    atomic_store_explicit(&c->post->what, call, memory_order_relaxed);
}

static inline cf_executor *choose_executor(client *c) {
    return c->ex[c->ex[1] != NULL && one_in(&c->seed, 2)];
}

static inline void note_accepted(client *c, const cf_executor *ex, uint64_t count) {
    c->accepted[ex == c->ex[1]] += count;
}

/* Counts a task as lost, and says what is wrong with it. */
void wrong(const client *c, uint32_t id, const char *call, const char *what, cf_status status);
/* The same for one that was run or handed out twice. */
void doubled(const client *c, uint32_t id, const char *call, const char *what);

/* True if a call that submits may have refused with this status. Else it is told. */
bool may_refuse(const client *c, const char *call, cf_status status);

/* Takes `count` ids out of the client's. */
uint32_t take_ids(client *c, size_t count, unsigned retries);
static inline size_t ids_left(const client *c) {
    return c->id_end - c->next_id;
}

/* How tasks of an operation are submitted, and what one of them does. */
terms make_terms(client *c, size_t payload_most);
spec make_spec(client *c, const terms *t, uint32_t id, bool is_item);

/* An item or a task has ended so: judges it, and counts it. */
void check_end(client *c, const char *call, const terms *t, spec s, const cf_exception *why,
               bool cancelled, int attempts);

/* A wait has ended so long after it could have: a wake-up was lost, and the library has found that when it
 * looked for damage, once a second. */
#define LATE_NS (900 * MILLISECOND)

/* ---- operations ------------------------------------------------------------------------------ */

void play_jobs(client *c);    /* storm_jobs.c: tasks with futures */
void jobs_end_round(void);    /* releases what a client has left for another */
void play_map(client *c);     /* storm_items.c */
void play_pings(client *c);   /* storm_pings.c: a task, a wait, and the next */
void play_nothing(client *c); /* storm_items.c too: a map of tasks without an argument */
void play_stream(client *c);  /* storm_stream.c */

/* After the executor is destroyed: callbacks were called once, and ids ran no more than they may. */
void check_notes(client *c);

/* ---- rounds ---------------------------------------------------------------------------------- */

void clients_init(void);
/* Plays the round of this number. */
void round_play(uint64_t number);

#endif
