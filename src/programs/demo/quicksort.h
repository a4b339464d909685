/* Quicksort, as the work of a demonstration: no rival of the C library's qsort. */
#ifndef PROGRAMS_QUICKSORT_H
#define PROGRAMS_QUICKSORT_H

#include <stdbool.h>
#include <stddef.h>

/* Ascending. False if there was no memory for the work list; then nothing has been moved. Pure: any
 * thread or process may call it. */
bool quicksort(int *values, size_t count);

#endif
