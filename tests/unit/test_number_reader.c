/* Blocks of whole tokens: none lost, none twice, none torn, each on its line; from files and from pipes
 * that are written in pieces. */
#include "../check.h"
#include "slow_tokens.h"

#include "programs/primecheck/number_reader.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

TestSuite(number_reader, .timeout = TEST_SECONDS);

/* ---- an input ---------------------------------------------------------------------------------- */

typedef struct input {
    char *text;
    size_t length;
    size_t soft_limit, most_token;
} input;

static const char BLANKS[] = "\n\n\n \t\r\v\f";

/* Of lengths around those where something changes. */
static size_t random_length(uint64_t *seed, const input *in) {
    const uint64_t kind = random_next(seed) % 16, near = random_next(seed) % 5;
    return kind < 9    ? 1 + near
           : kind < 11 ? 62 + near
           : kind < 13 ? in->most_token + near - (in->most_token < 2 ? 0 : 2)
           : kind < 14 ? in->soft_limit + near - (in->soft_limit < 2 ? 0 : 2)
           : kind < 15 ? random_next(seed) % 300
                       : random_next(seed) % (2 * in->most_token + 2 * in->soft_limit);
}

static input random_input(uint64_t *seed) {
    static const size_t SOFT[] = {1, 2, 7, 63, 64, 65, 100, 500, 5000},
                        TOKEN[] = {1, 4, 23, 64, 103, 1003, 5003};
    input in = {.soft_limit = SOFT[random_next(seed) % COUNT_OF(SOFT)],
                .most_token = TOKEN[random_next(seed) % COUNT_OF(TOKEN)]};
    const size_t wanted = random_next(seed) % 12000, room = 100000;
    in.text = malloc(room);
    cr_assert(in.text != NULL);
    while (in.length < wanted) {
        for (size_t left = random_length(seed, &in); left > 0 && in.length < room; left--) {
            /* the place is written into the token, so that one from elsewhere is seen */
            in.text[in.length] = "0123456789abcdef"[in.length / (1 + in.length % 2 * 16) % 16];
            in.length++;
        }
        const bool many = random_next(seed) % 20 == 0;
        for (size_t left = many ? random_length(seed, &in) : 1; left > 0 && in.length < room;
             left--) {
            in.text[in.length++] = BLANKS[random_next(seed) % (sizeof BLANKS - 1)];
        }
    }
    in.length -= in.length > 0 && random_next(seed) % 2; /* often not blank at the end */
    return in;
}

/* ---- what comes out of it ---------------------------------------------------------------------- */

typedef struct reading {
    const input *in;
    number_reader reader;
    number_block *block;
    size_t at;   /* in the input: behind the last token that came, */
    size_t seen; /* or behind what came of it, if it is too long */
    uint64_t line;
} reading;

static void begin(reading *r, const input *in, int fd) {
    char name[64];
    *r = (reading){.in = in, .line = 1};
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    cr_assert(number_reader_open(&r->reader, name, in->soft_limit, in->most_token));
    close(fd);
    const size_t limit = number_reader_limit(in->soft_limit, in->most_token);
    cr_assert(limit >= in->soft_limit && limit >= in->most_token);
    r->block = malloc(sizeof *r->block + limit + NUMBER_BLOCK_SLACK);
    cr_assert(r->block != NULL);
}

static void end(reading *r) {
    number_reader_close(&r->reader);
    free(r->block);
}

/* The tokens of the block are the next ones of the input. */
static void check_block(reading *r) {
    const number_block *block = r->block;
    const input *in = r->in;
    size_t at = 0, tokens = 0;
    uint64_t line = block->line;
    slow_token got, wanted;
    cr_assert(block->length > 0 &&
              block->length <= number_reader_limit(in->soft_limit, in->most_token));
    cr_assert(block->text[block->length] == '\n');
    for (; slow_next(block->text, block->length, &at, &line, &got); tokens++) {
        cr_assert(slow_next(in->text, in->length, &r->at, &r->line, &wanted),
                  "more than there was");
        cr_assert(got.line == wanted.line, "line %" PRIu64 ", not %" PRIu64, got.line, wanted.line);
        cr_assert(memcmp(got.text, wanted.text,
                         got.length < wanted.length ? got.length : wanted.length) == 0,
                  "another token");
        r->seen = (size_t)(wanted.text - in->text) + got.length;
        cr_assert(got.length == wanted.length ||
                      (got.length < wanted.length && got.length > in->most_token),
                  "%zu of %zu bytes, soft limit %zu, most %zu", got.length, wanted.length,
                  in->soft_limit, in->most_token);
    }
    cr_assert(block->length <= in->soft_limit || tokens <= 1,
              "%zu tokens, %" PRIu64 " bytes, limit %zu", tokens, block->length, in->soft_limit);
}

/* Nothing but blanks is left of the first `length` bytes of the input. */
static bool used_up(const reading *r, size_t length) {
    for (size_t i = r->at; i < length; i++) {
        if (!slow_is_blank(r->in->text[i])) {
            return false;
        }
    }
    return true;
}

static void check_end(const reading *r) {
    EXPECT_EQ(r->reader.error, 0);
    cr_assert(used_up(r, r->in->length), "lost: from byte %zu of %zu on", r->at, r->in->length);
    EXPECT_EQ(r->reader.taken, r->in->length);
}

/* ---- from files -------------------------------------------------------------------------------- */

static void check_file(const input *in) {
    const int fd = memfd_create("input", MFD_CLOEXEC);
    reading r;
    cr_assert(fd >= 0 && write(fd, in->text, in->length) == (ssize_t)in->length);
    begin(&r, in, fd);
    EXPECT_EQ(r.reader.size, in->length);
    reader_answer answer;
    uint64_t taken = 0;
    while ((answer = number_reader_next(&r.reader, r.block)) != READER_END) {
        if (answer == READER_BLOCK) {
            check_block(&r);
        } else { /* it passes over a part of a long token at a time */
            cr_assert(r.reader.taken > taken, "later, and there is all");
        }
        taken = r.reader.taken;
    }
    EXPECT_EQ(number_reader_next(&r.reader, r.block), READER_END);
    check_end(&r);
    end(&r);
}

Test(number_reader, files) {
    uint64_t seed = test_seed("number_reader/files");
    for (size_t i = scaled(3000); i > 0; i--) {
        input in = random_input(&seed);
        check_file(&in);
        free(in.text);
    }
}

/* ---- with parts left out ----------------------------------------------------------------------- */

typedef struct part {
    uint64_t from, length, line, is_cut;
} part;

#define PARTS_MAX 30000

/* All blocks that the reader gives, behind those that are there. */
static void take_blocks(reading *r, part *parts, size_t *count) {
    reader_answer answer;
    while ((answer = number_reader_next(&r->reader, r->block)) != READER_END) {
        const number_block *block = r->block;
        if (answer == READER_BLOCK) {
            cr_assert(block->from + block->length <= r->in->length && *count < PARTS_MAX);
            cr_assert(memcmp(block->text, r->in->text + block->from, block->length) == 0);
            parts[(*count)++] = (part){block->from, block->length, block->line, block->is_cut};
        }
    }
    EXPECT_EQ(r->reader.error, 0);
    EXPECT_EQ(r->reader.taken, r->in->length);
}

static int compare_parts(const void *left, const void *right) {
    const uint64_t a = ((const part *)left)->from, b = ((const part *)right)->from;
    return (a > b) - (a < b);
}

/* The parts, in their order, are what a reader gives that leaves out nothing. */
static void check_parts(reading *r, part *parts, size_t count) {
    qsort(parts, count, sizeof *parts, compare_parts);
    for (size_t i = 0; i < count; i++) {
        r->block->line = parts[i].line;
        r->block->length = parts[i].length;
        memcpy(r->block->text, r->in->text + parts[i].from, parts[i].length);
        memset(r->block->text + parts[i].length, '\n', NUMBER_BLOCK_SLACK);
        check_block(r);
    }
    cr_assert(used_up(r, r->in->length), "lost: from byte %zu on", r->at);
}

/* A part of an earlier run. */
static reader_done done_of(const input *in, const part *p) {
    reader_done done = {p->from, p->from + p->length, p->line, p->is_cut != 0};
    for (uint64_t i = done.from; i < done.to; i++) {
        done.line_behind += in->text[i] == '\n';
    }
    return done;
}

/* Each block of a first run is left out by a second one with some chance; it gives the others. */
static void check_left_out(const input *in, uint64_t *seed, part *parts, reader_done *done) {
    const int fd = memfd_create("input", MFD_CLOEXEC);
    const size_t chance = 1 + random_next(seed) % 4;
    size_t all = 0, count = 0;
    reading r;
    cr_assert(fd >= 0 && write(fd, in->text, in->length) == (ssize_t)in->length);
    begin(&r, in, dup(fd));
    take_blocks(&r, parts, &all);
    end(&r);
    for (size_t i = 0; i < all; i++) {
        if (random_next(seed) % 4 < chance) {
            done[count] = done_of(in, &parts[i]);
            parts[count++] = parts[i];
        }
    }
    begin(&r, in, fd);
    number_reader_leave_out(&r.reader, done, count);
    take_blocks(&r, parts, &count);
    check_parts(&r, parts, count);
    end(&r);
}

Test(number_reader, left_out) {
    uint64_t seed = test_seed("number_reader/left_out");
    part *parts = calloc(PARTS_MAX, sizeof *parts);
    reader_done *done = calloc(PARTS_MAX, sizeof *done);
    cr_assert(parts != NULL && done != NULL);
    for (size_t i = scaled(300); i > 0; i--) {
        input in = random_input(&seed);
        check_left_out(&in, &seed, parts, done);
        free(in.text);
    }
    free(parts);
    free(done);
}

/* ---- from pipes -------------------------------------------------------------------------------- */

/* All that was written can be had but for the token that may go on. */
static void check_nothing_held_back(const reading *r, size_t written) {
    size_t whole = written;
    while (whole > 0 && !slow_is_blank(r->in->text[whole - 1])) {
        whole--;
    }
    cr_assert(used_up(r, whole), "held back: bytes %zu to %zu", r->at, whole);
}

static void check_pipe(const input *in, uint64_t *seed) {
    static const size_t PIECES[] = {1, 2, 10, 64, 500, 4000};
    int ends[2];
    size_t written = 0;
    uint64_t taken = 0;
    reading r;
    cr_assert(pipe2(ends, O_CLOEXEC) == 0);
    begin(&r, in, ends[0]);
    const size_t most = PIECES[random_next(seed) % COUNT_OF(PIECES)] * 2;
    for (bool open = true, more = true; more;) {
        const reader_answer answer = number_reader_next(&r.reader, r.block);
        switch (answer) {
        case READER_BLOCK:
            check_block(&r);
            cr_assert(r.seen <= written, "more than was written");
            break;
        case READER_LATER:
            if (r.reader.taken > taken) {
                break; /* it passes over a part of a long token at a time */
            }
            cr_assert(open, "later, though the pipe is at its end");
            check_nothing_held_back(&r, written);
            break;
        case READER_END:
            cr_assert(!open, "at an end, though the pipe is open");
            more = false;
            break;
        }
        taken = r.reader.taken;
        if (open && (answer == READER_LATER || random_next(seed) % 4 == 0) &&
            written - r.seen < 30000) {
            size_t piece = 1 + random_next(seed) % most;
            piece = piece < in->length - written ? piece : in->length - written;
            cr_assert(write(ends[1], in->text + written, piece) == (ssize_t)piece);
            written += piece;
            if (written == in->length && random_next(seed) % 2 == 0) {
                open = false;
                close(ends[1]);
            }
        }
    }
    check_end(&r);
    end(&r);
}

Test(number_reader, pipes) {
    uint64_t seed = test_seed("number_reader/pipes");
    for (size_t i = scaled(500); i > 0; i--) {
        input in = random_input(&seed);
        check_pipe(&in, &seed);
        free(in.text);
    }
}

/* ---- the rest ---------------------------------------------------------------------------------- */

/* Blanks before the token, and its length, around all limits. */
Test(number_reader, behind_blanks) {
    for (size_t soft = 1; soft < 20; soft += 6) {
        for (size_t most = 1; most < 40; most += 9) {
            for (size_t blanks = 0; blanks < 70; blanks++) {
                for (size_t length = most - 1; length < most + 4; length++) {
                    char text[256];
                    memset(text, blanks % 2 ? '\n' : ' ', sizeof text);
                    for (size_t i = 0; i < length; i++) {
                        text[blanks + i] = "0123456789"[i % 10];
                    }
                    text[blanks + length + 1] = '7';
                    check_file(&(input){text, blanks + length + 2, soft, most});
                }
            }
        }
    }
}

Test(number_reader, words) {
    char *words[] = {"7", "", " 8", "x  y", "12345678901234567890", "9", NULL};
    static const char *const TOKENS[] = {"7", "8", "x", "y", "12345678901234567890", "9"};
    number_reader reader;
    cr_assert(number_reader_open_words(&reader, words, 1, 20));
    cr_assert(reader.name == NULL);
    number_block *block = malloc(sizeof *block + number_reader_limit(1, 20) + NUMBER_BLOCK_SLACK);
    size_t found = 0;
    while (number_reader_next(&reader, block) == READER_BLOCK) {
        size_t at = 0;
        uint64_t line = 0;
        for (slow_token t; slow_next(block->text, block->length, &at, &line, &t); found++) {
            cr_assert(found < COUNT_OF(TOKENS) && strlen(TOKENS[found]) == t.length);
            cr_assert(memcmp(TOKENS[found], t.text, t.length) == 0);
        }
    }
    EXPECT_EQ(found, COUNT_OF(TOKENS));
    number_reader_close(&reader);
    free(block);
}

Test(number_reader, cannot_be_opened_or_read) {
    number_reader reader;
    cr_assert_not(number_reader_open(&reader, "/nowhere/x", 1, 20));
    if (number_reader_open(&reader, "/", 64,
                           20)) { /* opening a directory works, reading it does not */
        number_block *block =
            malloc(sizeof *block + number_reader_limit(64, 20) + NUMBER_BLOCK_SLACK);
        EXPECT_EQ(number_reader_next(&reader, block), READER_END);
        cr_assert(reader.error != 0);
        number_reader_close(&reader);
        free(block);
    }
}
