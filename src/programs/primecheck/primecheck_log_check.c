#include "programs/primecheck/primecheck_log_check.h"

#include "programs/base/output.h"
#include "programs/primecheck/count_bytes.h"

#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_MOST ((uint64_t)16 << 20) /* bytes, more than any block has */

typedef struct block_reader {
    const number_reader *reader;
    uint64_t at; /* of an input that cannot be read twice: bytes that are read */
    char *text;
    size_t room;
} block_reader;

/* A block of the log, and which item it is. */
typedef struct logged_block {
    const joblog_entry *entry;
    size_t index;
} logged_block;

static uint64_t number(const logged_block *block, int place) {
    return (uint64_t)block->entry->numbers[place];
}

static int compare_blocks(const void *left, const void *right) {
    const uint64_t a = number(left, PRIMECHECK_FROM), b = number(right, PRIMECHECK_FROM);
    return (a > b) - (a < b);
}

static void make_room(block_reader *blocks, size_t length) {
    if (blocks->text == NULL || length > blocks->room) {
        blocks->text = realloc(blocks->text, length);
        blocks->room = length;
        if (blocks->text == NULL) {
            error(EXIT_ITEM, errno, "a block of %zu bytes", length);
            abort(); /* error() does not return: its status is not 0 */
        }
    }
}

/* Fewer bytes only at the end of the input. */
static size_t read_bytes(const block_reader *blocks, uint64_t from, size_t length) {
    const number_reader *reader = blocks->reader;
    size_t count = 0;
    while (count < length) {
        const ssize_t some = reader->never_waits
                                 ? pread(reader->fd, blocks->text + count, length - count,
                                         (off_t)(reader->start + from + count))
                                 : read(reader->fd, blocks->text + count, length - count);
        if (some == 0) {
            break;
        }
        if (some < 0 && errno == EAGAIN) {
            poll(&(struct pollfd){.fd = reader->fd, .events = POLLIN}, 1, -1);
        } else if (some < 0 && errno != EINTR) {
            error(EXIT_IO, errno, "%s", reader->name);
        }
        count += some > 0 ? (size_t)some : 0;
    }
    return count;
}

/* What was passed over, up to `from`. */
static void pass_over(block_reader *blocks, uint64_t from) {
    while (!blocks->reader->never_waits && blocks->at < from) {
        const uint64_t left = from - blocks->at;
        const size_t some = left < 65536 ? (size_t)left : 65536;
        make_room(blocks, some);
        const size_t count = read_bytes(blocks, blocks->at, some);
        if (count == 0) {
            return; /* the block behind it will be missing */
        }
        blocks->at += count;
    }
}

/* True if the input has the block; it is then in blocks->text. */
static bool read_block(block_reader *blocks, const logged_block *block) {
    const uint64_t from = number(block, PRIMECHECK_FROM);
    const size_t length = (size_t)(number(block, PRIMECHECK_TO) - from);
    pass_over(blocks, from);
    make_room(blocks, length);
    const size_t count = read_bytes(blocks, from, length);
    blocks->at += count;
    return count == length &&
           strcmp(fingerprint_of(blocks->text, length).text, block->entry->print.text) == 0;
}

static void require_block(const joblog *log, block_reader *blocks, const logged_block *block,
                          uint64_t least) {
    const uint64_t from = number(block, PRIMECHECK_FROM), to = number(block, PRIMECHECK_TO);
    if (from < least || to <= from || to - from > BLOCK_MOST) {
        joblog_refuse_item(log, block->index);
    }
    if (!read_block(blocks, block)) {
        char where[80];
        snprintf(where, sizeof where, "bytes %" PRIu64 " to %" PRIu64 " have", from, to);
        joblog_refuse_input(log, where);
    }
}

void primecheck_log_check(const joblog *log, const number_reader *reader, reader_done *done,
                          size_t count) {
    block_reader blocks = {.reader = reader};
    logged_block *sorted = calloc(count, sizeof *sorted);
    if (sorted == NULL) {
        error(EXIT_ITEM, errno, "the job log");
        return; /* not reached, but only the C library knows */
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i] = (logged_block){joblog_done(log, i), i};
    }
    qsort(sorted, count, sizeof *sorted, compare_blocks);
    for (size_t i = 0; i < count; i++) {
        require_block(log, &blocks, &sorted[i], i > 0 ? done[i - 1].to : 0);
        done[i] = (reader_done){
            .from = number(&sorted[i], PRIMECHECK_FROM),
            .to = number(&sorted[i], PRIMECHECK_TO),
            .is_cut = number(&sorted[i], PRIMECHECK_IS_CUT) != 0,
        };
        done[i].line_behind = number(&sorted[i], PRIMECHECK_LINE) +
                              count_bytes(blocks.text, done[i].to - done[i].from, '\n');
    }
    free(sorted);
    free(blocks.text);
}
