/* What the tests of workers' lives share: lives that are told how to begin, and a record of them. */
#ifndef TESTS_CONTRACT_WORKER_LIFE_H
#define TESTS_CONTRACT_WORKER_LIFE_H

#include "rows.h"
#include "stats.h"

typedef enum manner {
    WELL,
    RETURNS_ERROR, /* number */
    IS_KILLED,     /* by signal `number` */
    EXITS,         /* with status `number` */
    HANGS,         /* until the gate is open */
} manner;

/* What is planned for the lives of an executor, and what has become of them. In shared memory: it
 * is the context of initializer and finalizer. */
typedef struct chronicle {
    manner how; /* begins the life of `worker`, or of anybody's life number `from` on */
    int number;
    unsigned worker;
    uint32_t from;
    counter gate;
    counter begun; /* initializers called */
    counter ended; /* finalizers called */
    counter odd;   /* of these with an argument that does not fit */
    counter tasks; /* as the finalizers count them */
} chronicle;

#define NOBODY UINT32_MAX

chronicle *chronicle_new(manner how, int number, unsigned worker);
void chronicle_free(chronicle *c);

/* How many tasks this life has run; fails if it is not this worker's. */
extern const cf_task live_task; /* nothing -> uint64_t */

/* An executor whose workers live by the chronicle. */
cf_executor *create_living(chronicle *c, unsigned workers, unsigned max_tasks);

#endif
