/* The simple download programs: the 20 flags, nothing to choose, the first error ends it. One main
 * function, of which each program is a row. */
#ifndef PROGRAMS_FLAGS_PROGRAM_H
#define PROGRAMS_FLAGS_PROGRAM_H

#include "download/download_many.h"

/* Where the flags are, if nothing else is said. */
#define REMOTE_SITE "https://www.fluentpython.com/data/flags"

typedef struct flags_program {
    const char *doc; /* one sentence for --help */
    download_many_fn *download_many;
    const char *worker;        /* "thread", "process", "connection": for trace and report */
    bool ordered;              /* results are collected in the order of the codes */
    unsigned most;             /* at once */
    const char *why;           /* so many; NULL: there are so many processors */
    unsigned descriptors_each; /* open for each of them; 0 = each has a process of its own */
} flags_program;

/* The codes of the `count` countries with the most people (at most POP20_COUNT), ascending. */
void flags_list(country_code *codes, size_t count);

/* "BR ", by the worker that has saved the flag: for download_settings.saved. */
int flags_print_code(country_code code);

/* The last line, flushed; and after a signal one more, with how many codes were left. */
void flags_print_end(size_t saved, size_t left, int64_t elapsed_ns);

int flags_program_main(const flags_program *program, int argc, char **argv);

#endif
