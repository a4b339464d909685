#define _GNU_SOURCE /* SCHED_BATCH */
#include "programs/primecheck/check_block.h"

#include "platform/clock.h"
#include "primes/is_prime_batch.h"
#include "primes/is_prime_big.h"
#include "primes/primes.h"
#include "programs/base/activity.h"
#include "programs/base/epoch.h"
#include "programs/base/shown.h"
#include "programs/primecheck/count_bytes.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a worker has ------------------------------------------------------------------------ */

#define BATCH 16384 /* numbers that are tested together: the batch test likes thousands */

static const check_settings *settings;

void check_block_set(const check_settings *set) {
    settings = set;
}

/* Each worker makes its own batch in its first task and has no initializer: if a worker is
 * killed in an initializer, its pool is broken; if it is killed in a task, that costs only a
 * retry. */
typedef struct batch {
    size_t count;
    uint64_t n[BATCH];
    uint32_t start[BATCH], length[BATCH]; /* of the tokens, in the block's text */
    uint8_t verdict[BATCH];               /* check_verdict */
    size_t big_count;
    uint32_t big[BATCH]; /* which of them are from 2^64 on */
    size_t invalid_count;
    uint32_t *invalid; /* of the whole block: where they start */
} batch;

static _Thread_local batch *worker_batch; /* NULL before the first block */

/* Workers run as SCHED_BATCH. The main thread, which reads and writes for all, is the
 * bottleneck when the output goes to a file, and a worker that it wakes must not push it off
 * its core. 10^8 numbers took 2.5 s without, and take 1.9 s with it (AMD EPYC, 2 workers on 2
 * cores, `bench/run primecheck`). In the long run a worker's share of the cores stays the same. */
static bool begin_worker(void) {
    if (sched_getscheduler(0) == SCHED_OTHER) {
        sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
    }
    worker_batch = malloc(sizeof *worker_batch);
    return worker_batch != NULL;
}

void check_worker_end(void *context, unsigned worker, void *local) {
    (void)context;
    (void)worker;
    (void)local;
    is_prime_big_forget();
    free(worker_batch);
    worker_batch = NULL;
}

static size_t most_tokens(void) {
    return settings->soft_limit / 2 + 1;
}

/* ---- parsing ---------------------------------------------------------------------------------- */

size_t check_most_token(size_t max_digits) {
    return max_digits + sizeof "+0x" - 1;
}

size_t check_next_token(const number_block *block, size_t *at) {
    size_t start = *at;
    while (start < block->length && token_is_blank(block->text[start])) {
        start++;
    }
    size_t end = start;
    while (end < block->length && !token_is_blank(block->text[end])) {
        end++;
    }
    *at = start;
    return end - start;
}

static void take(batch *s, size_t start, size_t end, uint64_t value) {
    s->start[s->count] = (uint32_t)start;
    s->length[s->count] = (uint32_t)(end - start);
    s->n[s->count++] = value;
}

/* What the fast way does not understand. */
static size_t take_token(batch *s, const number_block *block, size_t at) {
    const size_t length = check_next_token(block, &at);
    const number_token t = token_read(block->text + at, length, settings->max_digits);
    switch (t.kind) {
    case TOKEN_SMALL:
        take(s, at, at + length, t.value);
        break;
    case TOKEN_BIG:
        s->big[s->big_count++] = (uint32_t)s->count;
        take(s, at, at + length, 0);
        break;
    case TOKEN_INVALID:
    case TOKEN_LONG:
        s->invalid[s->invalid_count++] = (uint32_t)at;
        break;
    }
    return at + length;
}

/* The next numbers from `at` on, as many as fit into a batch; returns where it stopped. */
static size_t parse(batch *s, const number_block *block, size_t at) {
    s->count = s->big_count = 0;
    while (at < block->length && s->count < BATCH) {
        const char *text = block->text + at;
        if (token_is_blank(*text)) {
            at++;
            continue;
        }
        uint64_t value;
        const char *end = token_read_plain(text, &value);
        if (end == NULL || (size_t)(end - text) > settings->max_digits) {
            at = take_token(s, block, at);
        } else {
            const size_t next = at + (size_t)(end - text);
            take(s, at, next, value);
            at = next + 1;
        }
    }
    return at;
}

/* ---- testing ---------------------------------------------------------------------------------- */

static const char *why_not_big(void) {
    return settings->method != CHECK_BY_BATCH ? "error: this method ends at 2^64-1"
           : settings->prove
               ? "error: a proof above 2^64-1 needs FLINT and GMP, which this build lacks"
               : "error: above 2^64-1 needs GMP, which this build lacks";
}

static bool can_test_big(void) {
    return settings->method == CHECK_BY_BATCH && is_prime_big_available(settings->prove);
}

static check_verdict test_big(const char *text, size_t length) {
    static const check_verdict MEANS[] = {[PRIME_COMPOSITE] = CHECK_COMPOSITE,
                                          [PRIME_PRIME] = CHECK_PRIME,
                                          [PRIME_PROBABLE] = CHECK_PROBABLE_PRIME};
    if (!can_test_big()) {
        return CHECK_FAILED;
    }
    const number_token t = token_read(text, length, settings->max_digits);
    return MEANS[is_prime_big(t.digits, t.length, t.base, settings->prove)];
}

static void test(batch *s, const number_block *block) {
    if (settings->method == CHECK_BY_BATCH) {
        is_prime_batch(s->n, s->count, s->verdict);
    } else {
        const prime_method *method = &PRIME_METHODS[settings->method];
        for (size_t i = 0; i < s->count; i++) {
            s->verdict[i] = method->is_prime(s->n[i]) ? CHECK_PRIME : CHECK_COMPOSITE;
        }
    }
    for (size_t b = 0; b < s->big_count; b++) {
        const uint32_t i = s->big[b];
        s->verdict[i] = (uint8_t)test_big(block->text + s->start[i], s->length[i]);
    }
}

/* ---- formatting ------------------------------------------------------------------------------- */

typedef struct ending {
    char text[16];
    size_t length;
} ending;

#define ENDING(words)                                                                              \
    { .text = words, .length = sizeof words - 1 }

/* By format and verdict. */
static const ending ENDINGS[][CHECK_FAILED] = {
    [CHECK_VERDICT_LINES] = {[CHECK_COMPOSITE] = ENDING(" composite\n"),
                             [CHECK_PRIME] = ENDING(" prime\n"),
                             [CHECK_PROBABLE_PRIME] = {" probable-prime\n", 16}},
    [CHECK_NUMBER_LINES] = {ENDING("\n"), ENDING("\n"), ENDING("\n")},
};

#define SHORT 32 /* bytes that are copied whatever a token's length, which is faster than to ask */

/* More is written than counts, within the slack. */
static char *put_token(char *to, const char *token, size_t length) {
    memcpy(to, token, SHORT);
    if (length > SHORT) {
        memcpy(to, token, length);
    }
    return to + length;
}

static char *put_failure(char *to, const char *token, size_t length,
                         const cf_task_context *context) {
    return to + check_failure_line(settings->format, token, length, why_not_big(),
                                   (int)cf_task_worker(context), cf_task_attempt(context), to);
}

static char *format_lines(char *to, const batch *s, const number_block *block,
                          const cf_task_context *context) {
    const ending *endings = ENDINGS[settings->format];
    for (size_t i = 0; i < s->count; i++) {
        const char *token = block->text + s->start[i];
        if (!(settings->shown >> s->verdict[i] & 1)) {
            continue;
        }
        if (s->verdict[i] == CHECK_FAILED) {
            to = put_failure(to, token, s->length[i], context);
            continue;
        }
        const ending *end = &endings[s->verdict[i]];
        to = put_token(to, token, s->length[i]);
        memcpy(to, end->text, sizeof end->text);
        to += end->length;
    }
    return to;
}

static char *put(char *to, const char *text) {
    const size_t length = strlen(text);
    memcpy(to, text, length);
    return to + length;
}

/* elapsed: each number's share of the time that its batch took. */
static char *format_json(char *to, const batch *s, const number_block *block,
                         const cf_task_context *context, int64_t batch_ns) {
    char end[128];
    snprintf(end, sizeof end, ",\"elapsed\":%.9f,\"worker\":%u,\"attempts\":%u}\n",
             (double)batch_ns / 1e9 / (double)s->count, cf_task_worker(context),
             cf_task_attempt(context));
    for (size_t i = 0; i < s->count; i++) {
        static const char *const PRIME[] = {
            [CHECK_COMPOSITE] = "\",\"prime\":false",
            [CHECK_PRIME] = "\",\"prime\":true",
            [CHECK_PROBABLE_PRIME] = "\",\"prime\":true,\"probable\":true",
        };
        const char *token = block->text + s->start[i];
        if (!(settings->shown >> s->verdict[i] & 1)) {
            continue;
        }
        if (s->verdict[i] == CHECK_FAILED) {
            to = put_failure(to, token, s->length[i], context);
            continue;
        }
        to = put_token(put(to, "{\"n\":\""), token, s->length[i]);
        to = put(put(to, PRIME[s->verdict[i]]), end);
    }
    return to;
}

size_t check_failure_line(check_format format, const char *number, size_t length,
                          const char *reason, int worker, unsigned attempts, char *line) {
    char *to = line;
    if (format != CHECK_JSON_LINES) {
        memcpy(to, number, length);
        return length + (size_t)sprintf(to + length, " ! %.200s\n", reason);
    }
    to = put(to, "{\"n\":\"");
    memcpy(to, number, length);
    to += length;
    to += sprintf(to, "\",\"error\":\"%.120s\",\"worker\":", reason);
    to = worker < 0 ? put(to, "null") : to + sprintf(to, "%d", worker);
    to += sprintf(to, ",\"attempts\":%u}\n", attempts);
    return (size_t)(to - line);
}

/* ---- the task --------------------------------------------------------------------------------- */

/* The text itself, and what is put around its tokens: for each byte at most half of " composite\n" or of
 * all that a line of JSON has more than the number, as a token and the blank behind it are 2 bytes at
 * least. What is said of failures is longer, but so are those numbers: 17 bytes at least. */
static size_t most_text(void) {
    static const size_t PER_BYTE[] = {[CHECK_VERDICT_LINES] = 6,
                                      [CHECK_NUMBER_LINES] = 6,
                                      [CHECK_JSON_LINES] = 64,
                                      [CHECK_COUNTS] = 0};
    return settings->block_limit + (settings->soft_limit + 1) * PER_BYTE[settings->format] + 512;
}

/* Where they are gathered until it is known how long the text is: at the end of the room. */
static uint32_t *invalid_at_end(check_result *result, size_t room) {
    const size_t from = room / sizeof(uint32_t) - most_tokens();
    return (uint32_t *)(void *)result + from;
}

static size_t invalid_offset(const check_result *result) {
    return (sizeof *result + result->text_length + 7) / 8 * 8;
}

const uint32_t *check_result_invalid(const check_result *result) {
    return (const uint32_t *)(const void *)((const char *)result + invalid_offset(result));
}

static char *format(char *to, const batch *s, const number_block *block,
                    const cf_task_context *context, int64_t batch_ns) {
    switch (settings->format) {
    case CHECK_VERDICT_LINES:
    case CHECK_NUMBER_LINES:
        return format_lines(to, s, block, context);
    case CHECK_JSON_LINES:
        return format_json(to, s, block, context, batch_ns);
    case CHECK_COUNTS:
        break;
    }
    return to;
}

/* By its line and its first token. */
static void note_block(const number_block *block, unsigned worker, int64_t now_ns) {
    size_t at = 0;
    const size_t length = check_next_token(block, &at);
    const shown_text first = shown_of(block->text + at, length);
    activity_begin(worker, block->line, first.text, strlen(first.text), now_ns);
}

static int run_check_block(const void *arg, void *to_result, cf_task_context *context) {
    const number_block *block = arg;
    check_result *result = to_result;
    const int64_t begun_ns = plat_now_ns();
    int64_t now_ns = begun_ns;
    char *end = result->text;

    memset(result->counts, 0, sizeof result->counts);
    result->started_ns = epoch_now_ns();
    result->worker = cf_task_worker(context);
    result->attempts = cf_task_attempt(context);
    if (worker_batch == NULL && !begin_worker()) {
        return ENOMEM;
    }
    note_block(block, cf_task_worker(context), begun_ns);
    batch *s = worker_batch;
    s->invalid_count = 0;
    s->invalid = invalid_at_end(result, cf_task_room(context));
    for (size_t at = 0; at < block->length;) {
        const int64_t batch_ns = now_ns;
        at = parse(s, block, at);
        test(s, block);
        for (int verdict = 0; verdict < CHECK_INVALID; verdict++) {
            result->counts[verdict] += count_bytes(s->verdict, s->count, (uint8_t)verdict);
        }
        now_ns = plat_now_ns();
        end = format(end, s, block, context, now_ns - batch_ns);
    }
    activity_end(cf_task_worker(context));
    result->counts[CHECK_INVALID] = s->invalid_count;
    result->elapsed_ns = now_ns - begun_ns;
    result->text_length = (uint64_t)(end - result->text);
    const size_t invalid_size = s->invalid_count * sizeof s->invalid[0];
    memmove((char *)result + invalid_offset(result), s->invalid, invalid_size);
    cf_task_set_result_size(context, invalid_offset(result) + invalid_size);
    return 0;
}

cf_task check_block_task(void) {
    return (cf_task){
        .name = "check_block",
        .run = run_check_block,
        .arg_size = sizeof(number_block) + settings->block_limit + NUMBER_BLOCK_SLACK,
        .result_size = sizeof(check_result) + most_text() + 8 + most_tokens() * sizeof(uint32_t),
        .unzeroed = true,
    };
}
