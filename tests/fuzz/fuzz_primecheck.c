/* Whatever the input: each of its tokens is answered once, in order, as it was written, and rightly.
 *
 *     input ──number_reader──▶ blocks ──check_block on the serial executor──▶ text, counts, places
 *       └──────slow_next, slow_read──▶ what all of that has to be
 *
 * The first SETTINGS bytes choose the settings, each byte by its value modulo the number of choices, so
 * that inputs can be written by hand. */
#include "fuzz_primecheck.h"
#include "../unit/slow_tokens.h"

#include "primes/is_prime_big.h"
#include "primes/primes.h"
#include "programs/primecheck/check_block.h"
#include "programs/primecheck/number_reader.h"

#include <cfutures.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SETTINGS        4
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const size_t SOFT_LIMITS[] = {1, 2, 7, 24, 63, 64, 65, 100, 200, 1000};
static const size_t MAX_DIGITS[] = {1, 2, 7, 8, 9, 16, 19, 20, 21, 24, 25, 40, 64, 100};
static const unsigned SHOWN[] = {CHECK_SHOW_ALL, CHECK_SHOW_PRIMES, CHECK_SHOW_COMPOSITES};
static const size_t PIECES[] = {0 /* a file */, 1, 3, 64, 1000}; /* in which a pipe is written */

typedef struct fuzz {
    const uint8_t *data; /* all of it, for messages */
    size_t size;
    const char *text;
    size_t length, piece;
    check_settings settings;
    size_t soft_limit, most_token;

    size_t at; /* behind the last token that was answered */
    uint64_t line;
    size_t written;
} fuzz;

/* ---- messages ---------------------------------------------------------------------------------- */

static _Noreturn void fail(const fuzz *f, const char *what) {
    fprintf(stderr,
            "%s\nbehind byte %zu of the text, soft limit %zu, %zu digits, format %d, shown %u, "
            "pieces %zu\n",
            what, f->at, f->soft_limit, f->settings.max_digits, (int)f->settings.format,
            f->settings.shown, f->piece);
    fprintf(stderr, "the input, for printf: '");
    for (size_t i = 0; i < f->size; i++) {
        fprintf(stderr, "\\%03o", f->data[i]);
    }
    fprintf(stderr, "'\n");
    abort();
}

static void require(const fuzz *f, bool condition, const char *what) {
    if (!condition) {
        fail(f, what);
    }
}

/* ---- what a block has to say ------------------------------------------------------------------- */

typedef struct answers {
    const number_block *block;
    const check_result *result;
    const char *text; /* what is left of the result's */
    const char *end;
    uint64_t counts[CHECK_VERDICTS];
} answers;

static bool take(answers *a, const char *text, size_t length) {
    const bool same = (size_t)(a->end - a->text) >= length && memcmp(a->text, text, length) == 0;
    a->text += same ? length : 0;
    return same;
}

static bool take_string(answers *a, const char *text) {
    return take(a, text, strlen(text));
}

static bool take_rest_of_json(answers *a) {
    double elapsed;
    int length = 0;
    char line[256];
    const char *end = memchr(a->text, '\n', (size_t)(a->end - a->text));
    if (end == NULL || (size_t)(end - a->text) >= sizeof line) {
        return false;
    }
    memcpy(line, a->text, (size_t)(end - a->text));
    line[end - a->text] = '\0';
    a->text = end + 1;
    return sscanf(line, ",\"elapsed\":%lf,\"worker\":0,\"attempts\":1}%n", &elapsed, &length) ==
               1 &&
           length > 0 && line[length] == '\0' && elapsed >= 0;
}

static void check_line(const fuzz *f, answers *a, const slow_token *token, check_verdict verdict) {
    static const char *const WORDS[] = {[CHECK_COMPOSITE] = " composite\n",
                                        [CHECK_PRIME] = " prime\n",
                                        [CHECK_PROBABLE_PRIME] = " probable-prime\n"};
    static const char *const JSON[] = {[CHECK_COMPOSITE] = "\",\"prime\":false",
                                       [CHECK_PRIME] = "\",\"prime\":true",
                                       [CHECK_PROBABLE_PRIME] =
                                           "\",\"prime\":true,\"probable\":true"};
    const bool shown = f->settings.shown >> verdict & 1;
    bool right = true;
    switch (f->settings.format) {
    case CHECK_VERDICT_LINES:
        right = take(a, token->text, token->length) && take_string(a, WORDS[verdict]);
        break;
    case CHECK_NUMBER_LINES:
        right = !shown || (take(a, token->text, token->length) && take_string(a, "\n"));
        break;
    case CHECK_JSON_LINES:
        right = !shown || (take_string(a, "{\"n\":\"") && take(a, token->text, token->length) &&
                           take_string(a, JSON[verdict]) && take_rest_of_json(a));
        break;
    case CHECK_COUNTS:
        break;
    }
    require(f, right, "another line should be here");
}

/* The verdict on a number above 2^64, asked of the function itself: what is tested here is that it gets the
 * right digits. Even numbers and multiples of 5 are told by their last one. */
static check_verdict big_verdict(const slow_token *token, const fuzz *f) {
    const char *digits = token->text;
    size_t length = token->length;
    const bool hex = memchr(digits, 'x', length) != NULL || memchr(digits, 'X', length) != NULL;
    const size_t before = (size_t)(digits[0] == '+') + (hex ? 2 : 0);
    digits += before;
    length -= before;
    while (*digits == '0') {
        digits++;
        length--;
    }
    const prime_verdict verdict = is_prime_big(digits, length, hex ? 16 : 10, f->settings.prove);
    if (strchr(hex ? "02468aceACE" : "024568", digits[length - 1]) != NULL) {
        require(f, verdict == PRIME_COMPOSITE, "an even number is no prime");
    }
    return verdict == PRIME_COMPOSITE ? CHECK_COMPOSITE
           : verdict == PRIME_PRIME   ? CHECK_PRIME
                                      : CHECK_PROBABLE_PRIME;
}

static void check_invalid(const fuzz *f, answers *a, const slow_token *token) {
    const uint64_t i = a->counts[CHECK_INVALID];
    require(f, i < a->result->counts[CHECK_INVALID], "should be no number");
    size_t at = check_result_invalid(a->result)[i];
    const size_t place = at;
    require(f, at < a->block->length, "a place outside of the block");
    const size_t length = check_next_token(a->block, &at);
    require(f, at == place, "a place between tokens");
    require(f, length == token->length || (length < token->length && length > f->most_token),
            "another length of what is no number");
    require(f, memcmp(a->block->text + at, token->text, length) == 0,
            "other text of what is no number");
    uint64_t line = a->block->line;
    for (size_t c = 0; c < at; c++) {
        line += a->block->text[c] == '\n';
    }
    require(f, line == token->line, "another line number");
}

static check_verdict check_token(const fuzz *f, answers *a, const slow_token *token) {
    uint64_t value;
    check_verdict verdict;
    switch (slow_read(token->text, token->length, f->settings.max_digits, &value)) {
    case SLOW_SMALL:
        verdict = is_prime_64(value) ? CHECK_PRIME : CHECK_COMPOSITE;
        break;
    case SLOW_BIG:
        verdict = big_verdict(token, f);
        break;
    default:
        check_invalid(f, a, token);
        return CHECK_INVALID;
    }
    check_line(f, a, token, verdict);
    return verdict;
}

static void check_answers(fuzz *f, const number_block *block, const check_result *result,
                          size_t size) {
    answers a = {.block = block,
                 .result = result,
                 .text = result->text,
                 .end = result->text + result->text_length};
    uint64_t answered = 0;
    for (int verdict = 0; verdict < CHECK_VERDICTS; verdict++) {
        answered += result->counts[verdict];
    }
    const uint32_t *invalid = check_result_invalid(result);
    require(f,
            (const char *)(invalid + result->counts[CHECK_INVALID]) == (const char *)result + size,
            "the result has another size");
    for (slow_token token; answered > 0; answered--) {
        require(f, slow_next(f->text, f->length, &f->at, &f->line, &token),
                "more answers than tokens");
        a.counts[check_token(f, &a, &token)]++;
    }
    require(f, a.text == a.end, "more text than answers");
    require(f, memcmp(a.counts, result->counts, sizeof a.counts) == 0, "other counts");
}

/* ---- the run ----------------------------------------------------------------------------------- */

static void run_block(fuzz *f, cf_executor *executor, const number_block *block) {
    const cf_task task = check_block_task();
    cf_future *future;
    const void *result;
    size_t size;
    require(f, cf_executor_submit(executor, &task, block, &future) == CF_OK, "cannot submit");
    require(f, cf_future_view(future, CF_FOREVER, &result, &size) == CF_OK, "the task failed");
    check_answers(f, block, result, size);
    cf_future_release(future);
}

/* The text so far as it shall be there; to write less than a pipe holds. */
static void write_piece(fuzz *f, int *fd) {
    const size_t left = f->length - f->written, most = f->piece > 0 ? f->piece : left;
    const size_t piece = left < most ? left : most;
    require(f, write(*fd, f->text + f->written, piece) == (ssize_t)piece, "cannot write");
    f->written += piece;
    if (f->written == f->length) {
        close(*fd);
        *fd = -1;
    }
}

/* [0] to be read by the reader, which opens it by its name; [1] to be written. */
static void make_input(const fuzz *f, int ends[2]) {
    if (f->piece > 0) {
        require(f, pipe2(ends, O_CLOEXEC) == 0, "no pipe");
    } else {
        ends[0] = memfd_create("input", MFD_CLOEXEC);
        ends[1] = ends[0] < 0 ? -1 : dup(ends[0]);
        require(f, ends[1] >= 0, "no file");
    }
}

static void run(fuzz *f, cf_executor *executor) {
    int ends[2];
    char name[64];
    number_reader reader;
    make_input(f, ends);
    if (f->piece == 0) {
        write_piece(f, &ends[1]);
    }
    snprintf(name, sizeof name, "/proc/self/fd/%d", ends[0]);
    require(f, number_reader_open(&reader, name, f->soft_limit, f->most_token), "cannot open");
    close(ends[0]);

    /* Of the exact size, so that AddressSanitizer knows where it ends. */
    number_block *block = malloc(check_block_task().arg_size);
    require(f, block != NULL, "no memory");
    reader_answer answer;
    uint64_t taken = 0;
    while ((answer = number_reader_next(&reader, block)) != READER_END) {
        if (answer == READER_BLOCK) {
            require(f, block->length > 0 && block->length <= f->settings.block_limit,
                    "a block's length");
            run_block(f, executor, block);
        } else if (ends[1] >= 0) {
            write_piece(f, &ends[1]);
        } else { /* it passes over a part of a long token at a time */
            require(f, reader.taken > taken, "later, and there is all");
        }
        taken = reader.taken;
    }
    slow_token token;
    require(f, ends[1] < 0, "an end, and there is more");
    require(f, !slow_next(f->text, f->length, &f->at, &f->line, &token),
            "a token without an answer");
    require(f, reader.error == 0, "an error");
    require(f, reader.taken == f->length, "taken");
    number_reader_close(&reader);
    free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < SETTINGS || size > 60000) {
        return 0;
    }
    static const char NOTHING[1];
    fuzz f = {.data = data,
              .size = size,
              .text = size > SETTINGS ? (const char *)data + SETTINGS : NOTHING,
              .length = size - SETTINGS,
              .piece = PIECES[data[3] % COUNT_OF(PIECES)],
              .soft_limit = SOFT_LIMITS[data[1] % COUNT_OF(SOFT_LIMITS)],
              .line = 1};
    check_settings *settings = &f.settings;
    settings->method = CHECK_BY_BATCH;
    settings->format = (check_format)(data[0] % 4);
    settings->shown =
        settings->format == CHECK_VERDICT_LINES ? CHECK_SHOW_ALL : SHOWN[data[0] / 4 % 3];
    settings->max_digits = MAX_DIGITS[data[2] % COUNT_OF(MAX_DIGITS)];
    settings->prove =
        data[3] / 8 % 4 == 0 && settings->max_digits <= 25 && is_prime_big_available(true);
    settings->soft_limit = f.soft_limit;
    f.most_token = check_most_token(settings->max_digits);
    settings->block_limit = number_reader_limit(f.soft_limit, f.most_token);

    check_block_set(settings);
    const cf_pool_options pool = {.finalizer = check_worker_end};
    cf_executor *executor;
    require(&f, cf_serial_create(&pool, &executor) == CF_OK, "no executor");
    run(&f, executor);
    cf_executor_destroy(executor);
    return 0;
}
