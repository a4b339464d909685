/* Quicksort, as the work of a demonstration: no rival of the C library's qsort. */
#ifndef PROGRAMS_QUICKSORT_H
#define PROGRAMS_QUICKSORT_H

#include <cfutures_fork.h>

#include <stdbool.h>
#include <stddef.h>

/* Ascending. False if there was no memory for the work list; then nothing has been moved. Pure: any
 * thread or process may call it. */
bool quicksort(int *values, size_t count);

/* The same by recursion, and the parts may be sorted on several threads at once. Needs no memory but
 * the stack: some 100 bytes for each time that a part is partitioned again. */
void quicksort_recursive(cf_strand *strand, int *values, size_t count);

#endif
