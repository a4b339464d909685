/* By what a changed input is known: XXH3 with 128 bits, in hexadecimal.
 *
 * It is made to find changes by chance or mistake, at the speed of memory. It is not made to withstand somebody who
 * forges an input of the same fingerprint. */
#ifndef PROGRAMS_FINGERPRINT_H
#define PROGRAMS_FINGERPRINT_H

#include <stddef.h>

typedef struct fingerprint {
    char text[33];
} fingerprint;

fingerprint fingerprint_of(const void *data, size_t size);

#endif
