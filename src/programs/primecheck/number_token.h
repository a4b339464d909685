/* A number as people write it: decimal, "+" and zeros before it allowed, or 0x and hexadecimal digits.
 * Between tokens there are blanks: spaces, tabs, and whatever ends a line. */
#ifndef PROGRAMS_NUMBER_TOKEN_H
#define PROGRAMS_NUMBER_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool token_is_blank(char c) {
    return c == ' ' || (unsigned char)(c - '\t') <= '\r' - '\t'; /* \t \n \v \f \r */
}

typedef enum token_kind {
    TOKEN_SMALL,   /* below 2^64 */
    TOKEN_BIG,     /* from 2^64 on */
    TOKEN_INVALID, /* no number */
    TOKEN_LONG,    /* more digits than are allowed */
} token_kind;

typedef struct number_token {
    token_kind kind;
    uint64_t value;     /* SMALL */
    const char *digits; /* BIG: without sign, prefix and zeros, */
    size_t length;      /* so many of them, */
    int base;           /* 10 or 16 */
} number_token;

/* What the token of `length` bytes is. max_digits: as written, zeros counted. */
number_token token_read(const char *text, size_t length, size_t max_digits);

/* The digits 8 at a time: Daniel Lemire, Quickly parsing eight digits (lemire.me, 2018), which adds
 * neighbours up with multiplications. The first character is the lowest byte. */

static inline uint64_t token_load_8(const char *text) {
    uint64_t bytes;
    memcpy(&bytes, text, sizeof bytes);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    bytes = __builtin_bswap64(bytes);
#endif
    return bytes ^ UINT64_C(0x3030303030303030);
}

/* How many of the 8 are digits, before the first that is none. A carry out of one that is none goes to
 * those behind it. */
static inline unsigned token_count_digits(uint64_t bytes) {
    const uint64_t none =
        ((bytes + UINT64_C(0x7676767676767676)) | bytes) & UINT64_C(0x8080808080808080);
    return none == 0 ? 8 : (unsigned)__builtin_ctzll(none) / 8;
}

static inline uint64_t token_value_8(uint64_t digits) {
    digits = digits * 10 + (digits >> 8);
    return (((digits & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x000f424000000064)) +
            ((digits >> 16 & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x0000271000000001))) >>
           32;
}

/* The end of a plain decimal number below 2^64 with a blank behind it, and its value; NULL if it is
 * anything else, which token_read may still understand. 24 bytes of text must be readable. */
static inline const char *token_read_plain(const char *text, uint64_t *value) {
    static const uint64_t TEN_TO[] = {1,      10,      100,      1000,     10000,
                                      100000, 1000000, 10000000, 100000000};
    uint64_t sum = 0;
    for (int eight = 0; eight < 3; eight++, text += 8) {
        const uint64_t bytes = token_load_8(text);
        const unsigned count = token_count_digits(bytes);
        if (count > 0) {
            const uint64_t part = token_value_8(bytes << (8 * (8 - count)));
            if (__builtin_mul_overflow(sum, TEN_TO[count], &sum) ||
                __builtin_add_overflow(sum, part, &sum)) {
                return NULL;
            }
        } else if (eight == 0) {
            return NULL;
        }
        if (count < 8) {
            *value = sum;
            return token_is_blank(text[count]) ? text + count : NULL;
        }
    }
    return NULL;
}

#endif
