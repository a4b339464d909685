/* What tasks of a storm do, and the ledger in which they note it: memory that worker processes share. The
 * ledger is judge over what the library says: how often each task began, in which attempts, and how often
 * it came to its end. */
#ifndef TESTS_CHAOS_STORM_LEDGER_H
#define TESTS_CHAOS_STORM_LEDGER_H

#include "tally.h"

enum {
    LEDGER_IDS = 1 << 20,
    LEDGER_WORKERS = 4,
    ATTEMPTS_NOTED = 32, /* of one task: later ones are only counted */
    SIGNALS = 32
};

/* What a task does. All but LATE and NESTS take `tenths` of a microsecond for it. */
typedef enum deed {
    WELL,
    SHORT, /* only the first half of the result */
    FAILS, /* returns an error */
    LATE,  /* does not return within its time limit */
    DIES,  /* raises a signal in its first attempts */
    EXITS, /* ends its process in its first attempts */
    NESTS  /* runs a task inside itself: on its own executor, or on one that it makes */
} deed;

/* An argument begins with these 8 bytes; the rest of it is made of them. So is the result. */
typedef struct spec {
    uint32_t id;         /* the task's entry in the ledger */
    unsigned deed : 4;   /* a deed */
    unsigned deaths : 4; /* DIES, EXITS: in so many attempts */
    unsigned signal : 6; /* DIES */
    unsigned naps : 1;   /* sleeps for its time, instead of computing */
    unsigned tenths : 17;
} spec;
_Static_assert(sizeof(spec) == sizeof(uint64_t), "the smallest argument");

/* How a task was submitted. */
typedef struct terms {
    size_t arg_size; /* 8 at least */
    size_t result_size;
    unsigned retries;
    int64_t timeout_ns; /* 0 = none */
} terms;

/* What may happen in a round beside what the tasks themselves do. Set before it can happen. */
enum {
    MAY_DIE = 1,    /* workers are killed */
    MAY_BREAK = 2,  /* the nursery is killed, or an initializer fails */
    MAY_CANCEL = 4, /* the executor cancels what is pending */
    MAY_REFUSE = 8, /* the executor is shut down */
    MAY_LACK = 16   /* its memory has a low limit */
};

typedef struct entry {
    _Atomic uint32_t attempts; /* bit N - 1: attempt N has begun */
    _Atomic uint16_t begun, ended;
} entry;

typedef struct ledger {
    uint64_t salt; /* of the round: results of another round are wrong */
    bool in_processes;
    bool has_local; /* each worker's local value is `salt` */
    _Atomic uint32_t may;
    _Atomic pid_t worker[LEDGER_WORKERS]; /* the process that has begun a task as this worker */
    _Atomic pid_t nursery;
    _Atomic uint64_t lives;  /* workers that have begun a task */
    _Atomic uint64_t deaths; /* workers that somebody has killed, or that their task has ended */
    _Atomic uint64_t begun;  /* initializers, and ... */
    _Atomic uint64_t ended;  /* ... finalizers that were called */
    _Atomic uint64_t nothings_begun, nothings_ended; /* storm_nothing */
    /* what must never be: */
    _Atomic uint64_t twice;   /* an attempt began that had begun before */
    _Atomic uint64_t spoilt;  /* a task found another argument, size or local value */
    _Atomic uint64_t unasked; /* a task inside a task had a wrong end */
    _Atomic uint32_t culprit; /* the id of the last of these */
    entry entries[LEDGER_IDS];
} ledger;

/* Sums of all rounds, shared too. */
typedef struct totals {
    _Atomic uint64_t rounds, items, refused;
    _Atomic uint64_t sent[SIGNALS]; /* by the killer, to workers, which had not ended before */
    _Atomic uint64_t own[SIGNALS];  /* raised by tasks; 0: they exited */
    _Atomic uint64_t nurseries_killed, nurseries_stopped;
    _Atomic uint64_t callers_killed;
    _Atomic uint64_t late; /* waits that lasted long after their task's end */
} totals;

extern ledger *book;
extern totals *sums;
extern cf_executor *storm_executor; /* of the round, for tasks on threads */

void ledger_init(void);          /* once, before all else */
void ledger_open(uint64_t salt); /* for a round */
void ledger_clear(uint32_t id, size_t count);

static inline bool ledger_may(uint32_t what) {
    return (atomic_load(&book->may) & what) != 0;
}

int storm_run(const void *arg, void *result, cf_task_context *ctx);

/* A task without an argument. Its result, of any size, has NOTHING in each byte. */
int storm_nothing(const void *arg, void *result, cf_task_context *ctx);
enum {
    NOTHING = 0x5a
};

/* The argument of a task, and the result that it must have. */
void spec_write(spec s, void *arg, size_t arg_size);
bool spec_is(spec s, const void *arg, size_t arg_size);
size_t result_length(spec s, size_t result_size);
bool result_is(spec s, const void *result, size_t size);

/* NULL if this end is one that the task may have come to, else what is wrong. `cancelled`: its client has
 * cancelled it. `attempts` as the library says, or -1 if it was not asked. */
const char *judge(const terms *t, spec s, const cf_exception *why, bool cancelled, int attempts);

#endif
