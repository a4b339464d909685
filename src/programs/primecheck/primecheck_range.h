/* Prints, or counts, every prime of an interval. */
#ifndef PROGRAMS_PRIMECHECK_RANGE_H
#define PROGRAMS_PRIMECHECK_RANGE_H

#include "programs/primecheck/primecheck_options.h"

/* Returns the program's exit code. */
int primecheck_range(const primecheck_options *options);

#endif
