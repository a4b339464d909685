/* The command line of primecheck. */
#ifndef PROGRAMS_PRIMECHECK_OPTIONS_H
#define PROGRAMS_PRIMECHECK_OPTIONS_H

#include "programs/joblog/joblog.h"
#include "programs/primecheck/check_block.h"

#include <cfutures.h>

#include "programs/timeline/observing.h"
#include <stdbool.h>

#include <stddef.h>
#include <stdint.h>

typedef struct primecheck_executor {
    const char *name;
    cf_status (*create)(const cf_pool_options *options, cf_executor **executor);

    /* Not NULL: several processes run this program, and all but one only work for that one, inside `create`.
     * True: by what their launcher says, this is such a process. */
    bool (*is_helper)(void);
    const char *worker; /* what one of them is called */
} primecheck_executor;

typedef struct primecheck_options {
    const primecheck_executor *executor;
    unsigned workers; /* 0 = as many as there are usable CPUs */
    size_t words_count;
    char **words;       /* the numbers on the command line, up to NULL; none: */
    const char *file;   /* read them here; "-" = standard input */
    bool has_range;     /* no numbers at all, but all primes of an interval */
    uint64_t range[2];  /* from, to; both included */
    const char *method; /* as it was given */
    bool completed;
    bool json, count, progress, stats;
    observing_options observing;
    joblog_options joblog;
    const char *metrics; /* a file; NULL = none */
    check_settings check;
} primecheck_options;

/* Ends the program where it has to: --help, usage errors. */
void primecheck_options_parse(primecheck_options *options, int argc, char **argv);

#endif
