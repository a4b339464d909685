/* random_numbers COUNT SEED: prints so many random odd numbers below 2^64, one a line. Of the same
 * seed, fewer numbers are the beginning of more. */
#include "bench/splitmix.h"
#include "programs/base/decimal.h"
#include "programs/base/output.h"

#include <error.h>
#include <inttypes.h>
#include <string.h>

static uint64_t number(const char *text) {
    uint64_t value = 0;
    if (!decimal_parse(text, strlen(text), 0, UINT64_MAX, &value)) {
        error(EXIT_USAGE, 0, "'%s' is not a number below 2^64", text);
    }
    return value;
}

int main(int argc, char **argv) {
    output_prepare(argv);
    if (argc != 3) {
        error(EXIT_USAGE, 0, "usage: random_numbers COUNT SEED");
    }
    uint64_t random = number(argv[2]);
    for (uint64_t left = number(argv[1]); left > 0; left--) {
        output_print("%" PRIu64 "\n", splitmix(&random) | 1);
    }
    return 0;
}
