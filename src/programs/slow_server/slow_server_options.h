/* The command line of slow_server. */
#ifndef PROGRAMS_SLOW_SERVER_OPTIONS_H
#define PROGRAMS_SLOW_SERVER_OPTIONS_H

#include "programs/slow_server/fault_plan.h"
#include "programs/timeline/observing.h"

typedef struct slow_server_options {
    unsigned port;         /* 0: any that is free */
    const char *bind;      /* an address or a name */
    const char *directory; /* NULL: images of our own */
    const char *export_to; /* NULL: serve */
    const char *log;       /* NULL: none */
    observing_options observing;
    fault_settings faults;
} slow_server_options;

/* Does not return from --help, --usage, --version and from errors. */
void slow_server_options_parse(slow_server_options *options, int argc, char **argv);

#endif
