/* Checks the numbers of the command line, of a file or of standard input. */
#ifndef PROGRAMS_PRIMECHECK_RUN_H
#define PROGRAMS_PRIMECHECK_RUN_H

#include "programs/primecheck/primecheck_options.h"

/* Returns the program's exit code. */
int primecheck_run(const primecheck_options *options);

#endif
