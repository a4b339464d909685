/* Decimal numbers as users write them. */
#ifndef PROGRAMS_DECIMAL_H
#define PROGRAMS_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True, and *value, if the `length` bytes of text are digits and nothing else, from min to max. */
bool decimal_parse(const char *text, size_t length, uint64_t min, uint64_t max, uint64_t *value);

/* The same for a text that is digits with at most one point among them. */
bool decimal_parse_real(const char *text, double *value);

#endif
