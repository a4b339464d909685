/* The options that all download programs have. */
#ifndef PROGRAMS_DOWNLOAD_OPTIONS_H
#define PROGRAMS_DOWNLOAD_OPTIONS_H

#include <argp.h>
#include <stdint.h>

typedef struct download_options {
    const char *site;    /* --base-url, without / at its end; NULL = not given */
    const char *folder;  /* --dest */
    const char *ca_file; /* --cacert; NULL = not given */
    int64_t timeout_ns;
    int64_t deadline_ns;
} download_options;

#define DOWNLOAD_OPTIONS_DEFAULT                                                                   \
    {                                                                                              \
        .folder = "downloaded", .timeout_ns = INT64_C(6100000000),                                 \
        .deadline_ns = INT64_C(30000000000)                                                        \
    }

/* Bytes: far above any flag, and what each connection to a server that never ends may cost in memory. */
#define SIZE_LIMIT_DEFAULT 1048576u

/* A child for a program's argp, whose input is a download_options. */
extern const struct argp DOWNLOAD_ARGP;

/* For the end of a program's doc. */
#define DOWNLOAD_EXIT_DOC                                                                          \
    "Exit status: 0 done, 1 a download was in error, 2 a usage error, 3 the folder or standard "   \
    "output cannot be written."

#endif
