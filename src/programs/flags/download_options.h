/* The options that all download programs have. */
#ifndef PROGRAMS_DOWNLOAD_OPTIONS_H
#define PROGRAMS_DOWNLOAD_OPTIONS_H

#include "programs/base/command_line.h"
#include "programs/timeline/observing.h"

#include <stdint.h>

typedef struct download_options {
    const char *site;    /* --base-url, without / at its end; a password in it is shown to nobody */
    const char *folder;  /* --dest */
    const char *ca_file; /* --cacert; NULL = not given */
    bool allow_downgrade; /* --allow-downgrade */
    int64_t timeout_ns;
    int64_t deadline_ns;
    observing_options observing;
} download_options;

/* Bytes: far above any flag, and what each connection to a server that never ends may cost in memory. */
#define SIZE_LIMIT_DEFAULT 1048576u

/* Parses the line and these options, which are its more_options. */
void download_options_parse(download_options *options, const char *default_site,
                            const command_line *line, int argc, char **argv);

/* For the end of a program's doc. */
#define DOWNLOAD_DOC                                                                               \
    "If the environment variable http_proxy, https_proxy or ALL_PROXY names a proxy, requests go " \
    "through it, but for the hosts that no_proxy lists.\n\n"                                       \
    "Exit status: 0 done, 1 a download was in error, 2 a usage error, 3 the folder or standard "   \
    "output, --trace or --report cannot be written, or the file of certificates cannot be read."

#endif
