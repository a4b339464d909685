/* The command line of the flags2 programs. */
#ifndef PROGRAMS_FLAGS2_OPTIONS_H
#define PROGRAMS_FLAGS2_OPTIONS_H

#include "download/country_codes.h"
#include "programs/flags/download_options.h"
#include "programs/flags/flags2_program.h"
#include "programs/joblog/joblog.h"

#include <stdbool.h>

typedef struct flags2_options {
    download_options download; /* `site` is always set */
    const char *label;         /* of the server, upper-case; or the host of --base-url */
    const char *shown_site;    /* for people: without a password */
    country_code codes[CODE_LIST_MAX];
    size_t count;  /* of codes, 1 at least */
    unsigned most; /* connections at once: no more than the program's, nor than codes */
    unsigned retries;
    unsigned size_limit;
    bool verbose;
    bool json;
    bool sync;
    bool skip_existing;
    joblog_options joblog;
    const char *metrics; /* a file; NULL = none */
} flags2_options;

void flags2_options_parse(flags2_options *options, const flags2_program *program, int argc,
                          char **argv);

#endif
