/* The command line of the prime programs. */
#ifndef PROGRAMS_PRIME_OPTIONS_H
#define PROGRAMS_PRIME_OPTIONS_H

#include "programs/joblog/joblog.h"
#include "programs/prime/prime_program.h"
#include "programs/timeline/observing.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct prime_options {
    unsigned workers; /* 0 = the executor's default */
    bool completed;   /* results as completed, not in the order of submission */
    size_t method;    /* index into PRIME_METHODS */
    bool split;
    const char *numbers; /* a file; NULL = the 20 NUMBERS */
    unsigned retries;
    int64_t timeout_ns; /* for each number; 0 = none */
    bool stats;
    bool json;
    observing_options observing;
    joblog_options joblog;
    bool progress;
    const char *metrics; /* a file; NULL = none */
} prime_options;

/* Does not return from --help, --usage, --version (exit code 0) and from errors (EXIT_USAGE). */
void prime_options_parse(prime_options *options, const prime_program *program, int argc,
                         char **argv);

#endif
