/* One input through reader and task, see fuzz_primecheck.c. Ends the program by abort() where anything is
 * not as it should be. */
#ifndef TESTS_FUZZ_PRIMECHECK_H
#define TESTS_FUZZ_PRIMECHECK_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* the name is libFuzzer's */

#endif
