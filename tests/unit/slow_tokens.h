/* What a text means to primecheck, found in the slow and obvious way: what the reader and the fast
 * parsers are compared with. Knows nothing of theirs. */
#ifndef TESTS_SLOW_TOKENS_H
#define TESTS_SLOW_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool slow_is_blank(char c);

typedef enum slow_kind {
    SLOW_SMALL, /* below 2^64 */
    SLOW_BIG,
    SLOW_INVALID,
    SLOW_LONG, /* a number but for having more than the digits allowed */
} slow_kind;

slow_kind slow_read(const char *text, size_t length, size_t max_digits, uint64_t *value);

typedef struct slow_token {
    const char *text;
    size_t length;
    uint64_t line; /* from 1 */
} slow_token;

/* The first token at or behind *at, and moves *at behind it; false: there is none. *line counts on. */
bool slow_next(const char *text, size_t length, size_t *at, uint64_t *line, slow_token *token);

#endif
