/* The prime programs: one main function, of which each program is a row. */
#ifndef PROGRAMS_PRIME_PROGRAM_H
#define PROGRAMS_PRIME_PROGRAM_H

#include <cfutures.h>

#include <stdbool.h>

typedef struct prime_program {
    const char *name;
    const char *doc; /* one sentence for --help */
    cf_status (*create)(const cf_pool_options *options, cf_executor **executor);
    const char *worker; /* what the header calls one worker ... */
    const char
        *workers; /* ... and several; NULL: "sequentially", and there is no WORKERS argument */
    unsigned (*count)(cf_executor *executor); /* of them; NULL: the executor's workers */
    bool
        started_outside; /* several processes begin: only the one that creates an executor goes on, and it
                             takes no WORKERS argument */
    bool (*is_helper)(void); /* this process only helps another one that began; NULL: none does */
    bool descending;         /* greatest numbers first */
    bool completed;     /* results as completed; else in the order of submission, as map has it */
    bool counts_checks; /* last line: "20 checks in 0.85s"; else "Total time: 0.85s" */
} prime_program;

int prime_program_main(const prime_program *program, int argc, char **argv);

#endif
