/* The robust download programs: options, errors counted, a progress bar. One main function, of which
 * each program is a row. */
#ifndef PROGRAMS_FLAGS2_PROGRAM_H
#define PROGRAMS_FLAGS2_PROGRAM_H

#include "download/download_many.h"

typedef struct flags2_program {
    const char *doc; /* how, for --help: "Download flags for country codes ..." */
    download_many_fn *download_many;
    const char *worker;       /* "thread", "connection": for trace and report */
    bool ordered;             /* results are collected in the order of the codes */
    unsigned most_by_default; /* requests at once */
    unsigned most;
    unsigned descriptors_each; /* open at the same time for each of them */
} flags2_program;

int flags2_program_main(const flags2_program *program, int argc, char **argv);

#endif
