/* The task of primecheck: a block's text in, the lines to print out.
 *
 *     text ──parse──▶ n[] ──is_prime_batch──▶ prime[] ──format──▶ the tokens as written, each with its
 *                                                                 verdict
 */
#ifndef PROGRAMS_CHECK_BLOCK_H
#define PROGRAMS_CHECK_BLOCK_H

#include "programs/primecheck/number_block.h"
#include "programs/primecheck/number_token.h"

#include <cfutures.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum check_verdict {
    CHECK_COMPOSITE,
    CHECK_PRIME,
    CHECK_PROBABLE_PRIME,
    CHECK_FAILED,  /* nobody can tell, or its worker died */
    CHECK_INVALID, /* no number */
    CHECK_VERDICTS
} check_verdict;

/* Which of the numbers are shown, as bits of verdicts. */
#define CHECK_BIT(verdict) (1u << (verdict))
#define CHECK_SHOW_PRIMES                                                                          \
    (CHECK_BIT(CHECK_PRIME) | CHECK_BIT(CHECK_PROBABLE_PRIME) | CHECK_BIT(CHECK_FAILED))
#define CHECK_SHOW_COMPOSITES (CHECK_BIT(CHECK_COMPOSITE) | CHECK_BIT(CHECK_FAILED))
#define CHECK_SHOW_ALL        (CHECK_SHOW_PRIMES | CHECK_SHOW_COMPOSITES)

typedef enum check_format {
    CHECK_VERDICT_LINES, /* "7 prime" */
    CHECK_NUMBER_LINES,  /* "7" */
    CHECK_JSON_LINES,
    CHECK_COUNTS, /* none at all */
} check_format;

#define CHECK_BY_BATCH SIZE_MAX /* as a method: is_prime_batch */

typedef struct check_settings {
    size_t method; /* index into PRIME_METHODS, or CHECK_BY_BATCH */
    bool prove;
    unsigned shown;
    check_format format;
    size_t max_digits;
    size_t soft_limit, block_limit; /* most bytes of a block's text: see number_reader.h */
} check_settings;

typedef struct check_result {
    uint64_t counts[CHECK_VERDICTS];
    int64_t started_ns; /* since the epoch */
    int64_t elapsed_ns;
    unsigned worker, attempts;
    uint64_t text_length;
    char text[]; /* to be printed; behind it, see check_result_invalid */
} check_result;

/* Tokens of so many bytes are the longest that can be numbers. */
size_t check_most_token(size_t max_digits);

/* The settings are the process's, and must stay. Set before the workers are made, who may be other
 * processes. */
void check_block_set(const check_settings *settings);

/* A number_block in, a check_result out; for the settings, on which its sizes depend. */
cf_task check_block_task(void);

/* A worker's finalizer. */
void check_worker_end(void *context, unsigned worker, void *local);

/* Where in the block's text those begin that are no numbers, counts[CHECK_INVALID] of them. */
const uint32_t *check_result_invalid(const check_result *result);

/* The next token at or behind *at, whose length is returned, 0 when there is none. */
size_t check_next_token(const number_block *block, size_t *at);

/* The line for a number of which nothing is known but why, in a buffer of its length and 256 bytes more;
 * returns the line's length. worker: -1 = unknown */
size_t check_failure_line(check_format format, const char *number, size_t length,
                          const char *reason, int worker, unsigned attempts, char *line);

#endif
