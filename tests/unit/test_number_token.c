/* token_read and the fast token_read_plain, against the slow parser. */
#include "../check.h"
#include "slow_tokens.h"

#include "programs/primecheck/number_token.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

TestSuite(number_token, .timeout = TEST_SECONDS);

#define READABLE 24 /* bytes that token_read_plain may read */

/* Where text may be so that to read one byte behind it is a fault. */
static char *guarded_end(void) {
    char *pages =
        mmap(NULL, (size_t)2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(pages != MAP_FAILED && mprotect(pages + PAGE, PAGE, PROT_NONE) == 0);
    return pages + PAGE;
}

static void escape(const char *text, size_t length, char *shown, size_t size) {
    size_t at = 0;
    shown[0] = '\0';
    for (size_t i = 0; i < length && at + 5 < size; i++) {
        const unsigned char c = (unsigned char)text[i];
        at += (size_t)snprintf(shown + at, size - at, c > ' ' && c < 127 ? "%c" : "\\x%02x", c);
    }
}

static void check_read(const char *text, size_t length, size_t max_digits) {
    static const token_kind MEANS[] = {[SLOW_SMALL] = TOKEN_SMALL,
                                       [SLOW_BIG] = TOKEN_BIG,
                                       [SLOW_INVALID] = TOKEN_INVALID,
                                       [SLOW_LONG] = TOKEN_LONG};
    uint64_t value = 0;
    const token_kind wanted = MEANS[slow_read(text, length, max_digits, &value)];
    const number_token got = token_read(text, length, max_digits);
    bool right = got.kind == wanted && (wanted != TOKEN_SMALL || got.value == value);
    if (right && wanted == TOKEN_BIG) {
        const bool hex = memchr(text, 'x', length) != NULL || memchr(text, 'X', length) != NULL;
        right = got.digits[0] != '0' && got.digits + got.length == text + length &&
                got.base == (hex ? 16 : 10);
    }
    if (!right) {
        char shown[256];
        escape(text, length, shown, sizeof shown);
        cr_assert(false,
                  "'%s', at most %zu digits: kind %d, value %" PRIu64 "; wanted %d, %" PRIu64,
                  shown, max_digits, got.kind, got.value, wanted, value);
    }
}

/* `text` has READABLE bytes. What stands before the first blank is the token; where there is none, plain
 * cannot be the answer. */
static void check_plain(const char *text) {
    size_t length = 0;
    while (length < READABLE && !slow_is_blank(text[length])) {
        length++;
    }
    uint64_t value = 0, got_value = 0;
    bool plain = length < READABLE && slow_read(text, length, SIZE_MAX, &value) == SLOW_SMALL;
    for (size_t i = 0; i < length; i++) {
        plain = plain && text[i] >= '0' && text[i] <= '9';
    }
    const char *got = token_read_plain(text, &got_value);
    if (got != (plain ? text + length : NULL) || (plain && got_value != value)) {
        char shown[256];
        escape(text, READABLE, shown, sizeof shown);
        cr_assert(false, "'%s': %td, %" PRIu64 "; wanted %td, %" PRIu64, shown,
                  got == NULL ? -1 : got - text, got_value, plain ? (ptrdiff_t)length : -1, value);
    }
}

/* ---- all short strings ------------------------------------------------------------------------- */

static const char ALPHABET[] = {'0', '1', '9',  'a',  'F', 'g', 'x',    'X', '+',
                                '-', ' ', '\n', '\0', '/', ':', '\xb1', '@', 'G'};

Test(number_token, every_short_string) {
    char *text = guarded_end() - 5;
    for (size_t length = 0; length <= 5; length++) {
        size_t places[5] = {0};
        for (bool more = true; more;) {
            for (size_t i = 0; i < length; i++) {
                text[5 - length + i] = ALPHABET[places[i]];
            }
            check_read(text + 5 - length, length, SIZE_MAX);
            check_read(text + 5 - length, length, 2);
            size_t i = 0;
            while (i < length && ++places[i] == sizeof ALPHABET) {
                places[i++] = 0;
            }
            more = i < length;
        }
    }
}

Test(number_token, every_byte_at_every_place) {
    char *text = guarded_end() - READABLE;
    for (size_t digits = 0; digits < READABLE; digits++) {
        for (size_t place = 0; place < READABLE; place++) {
            for (int byte = 0; byte < 256; byte++) {
                for (size_t filling = 0; filling < 3; filling++) {
                    memset(text, "019"[filling], digits);
                    memset(text + digits, '\n', READABLE - digits);
                    text[place] = (char)byte;
                    check_plain(text);
                    check_read(text, digits > place ? digits : place + 1, SIZE_MAX);
                }
            }
        }
    }
}

/* Two bytes that are no digits, for a carry may go from one to the next. */
Test(number_token, every_pair_of_bytes) {
    char *text = guarded_end() - READABLE;
    for (size_t place = 0; place + 1 < READABLE; place++) {
        for (unsigned pair = 0; pair < 1 << 16; pair++) {
            memset(text, '3', READABLE);
            text[READABLE - 1] = '\n';
            text[place] = (char)(pair & 0xff);
            text[place + 1] = (char)(pair >> 8);
            check_plain(text);
        }
    }
}

/* ---- at the border, and at random -------------------------------------------------------------- */

static void check_number(char *end, const char *number) {
    static const char BEHIND[] = " \n\t\r\v\f,x0\0\xff";
    const size_t length = strlen(number);
    for (size_t zeros = 0; zeros + length < READABLE; zeros++) {
        for (size_t i = 0; i < sizeof BEHIND - 1; i++) {
            char *text = end - READABLE;
            memset(text, '5', READABLE);
            memset(text, '0', zeros);
            memcpy(text + zeros, number, length);
            text[zeros + length] = BEHIND[i];
            check_plain(text);
            check_read(text, zeros + length, SIZE_MAX);
            check_read(text, zeros + length, length);
            check_read(text, zeros + length + 1, SIZE_MAX);
        }
    }
}

Test(number_token, around_what_64_bits_hold) {
    char *end = guarded_end(), number[40];
    for (uint64_t i = 0; i < 200; i++) {
        snprintf(number, sizeof number, "%" PRIu64, UINT64_MAX - i);
        check_number(end, number);
        snprintf(number, sizeof number, "1844674407370%07" PRIu64, 9551515 + i);
        check_number(end, number);
        snprintf(number, sizeof number, "18446744073709%06" PRIu64, 551616 + i);
        check_number(end, number);
        snprintf(number, sizeof number, "0x%" PRIx64, UINT64_MAX - i);
        check_number(end, number);
        snprintf(number, sizeof number, "0X1%016" PRIX64, i);
        check_number(end, number);
        snprintf(number, sizeof number, "99999999999999999%03" PRIu64, 800 + i);
        check_number(end, number);
        snprintf(number, sizeof number, "10000000000000000000%" PRIu64, i);
        check_number(end, number);
        /* k * 2^64 + i: what wraps around to a small number */
        snprintf(number, sizeof number, "36893488147419103%03" PRIu64, 232 + i);
        check_number(end, number);
    }
    uint64_t power = 1;
    for (int k = 0; k < 20; k++, power *= 10) {
        for (uint64_t i = 0; i < 3; i++) {
            snprintf(number, sizeof number, "%" PRIu64, power - 1 + i);
            check_number(end, number);
        }
    }
}

Test(number_token, random_strings) {
    static const char DIGITS[] = "0123456789", HEX[] = "0123456789abcdefABCDEF";
    uint64_t seed = test_seed("number_token/random_strings");
    char *text = guarded_end() - READABLE;
    const size_t count = scaled(3000000);
    for (size_t i = 0; i < count; i++) {
        const uint64_t kind = random_next(&seed);
        const size_t length = random_next(&seed) % READABLE;
        const bool hex = kind % 5 == 0;
        for (size_t c = 0; c < READABLE; c++) {
            text[c] = hex ? HEX[random_next(&seed) % 22] : DIGITS[random_next(&seed) % 10];
        }
        text[length] = " \n\t\r\v\f"[random_next(&seed) % 6];
        if (hex && length > 2) {
            memcpy(text, kind & 8 ? "0x" : "0X", 2);
        }
        if ((kind >> 8) % 6 == 0) {
            text[0] = '+';
        }
        for (uint64_t wrong = (kind >> 16) % 8; wrong > 5; wrong--) {
            text[random_next(&seed) % READABLE] = (char)random_next(&seed);
        }
        check_plain(text);
        check_read(text, length, SIZE_MAX);
        check_read(text, length, (size_t)(kind >> 32) % 26);
    }
}

Test(number_token, blanks) {
    for (int byte = 0; byte < 256; byte++) {
        EXPECT_EQ(token_is_blank((char)byte), slow_is_blank((char)byte));
    }
}
