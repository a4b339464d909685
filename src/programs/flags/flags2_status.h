/* What SIGUSR1 shows of a flags2 program: which flags it is downloading, and for how long. */
#ifndef PROGRAMS_FLAGS2_STATUS_H
#define PROGRAMS_FLAGS2_STATUS_H

#include "download/country_codes.h"

#include <stdbool.h>
#include <stddef.h>

/* As download_settings.moved, from any thread. */
void flags2_status_moved(country_code code, bool begun);

/* On stderr, in one piece: `done` of `count` flags, those under way, the ones that take longest first. */
void flags2_status_print(size_t done, size_t count, unsigned connections);

#endif
