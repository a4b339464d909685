#define _GNU_SOURCE /* memfd_create */
#include "programs/primecheck/number_reader.h"

#include "programs/primecheck/count_bytes.h"
#include "programs/primecheck/number_token.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- where a block ends ---------------------------------------------------------------------- */

#define WINDOW      64 /* a token of 2 * WINDOW - 1 characters covers a window wherever it begins */
#define LONG_TOKENS 4096 /* bytes of a block with long tokens; a single token may be longer */

/* How much of the text comes before the first window without a blank. There is no jump inside a
 * window, so that the compiler vectorises it. */
static size_t short_tokens(const char *text, size_t length) {
    size_t at = 0;
    for (; length - at >= WINDOW; at += WINDOW) {
        unsigned char blanks = 0;
        for (size_t i = 0; i < WINDOW; i++) {
            blanks |= token_is_blank(text[at + i]);
        }
        if (!blanks) {
            return at;
        }
    }
    return length;
}

static size_t leading_blanks(const char *text, size_t length) {
    size_t count = 0;
    while (count < length && token_is_blank(text[count])) {
        count++;
    }
    return count;
}

/* The end of the last blank among the first `length` bytes; 0 = there is none. */
static size_t after_last_blank(const char *text, size_t length) {
    while (length > 0 && !token_is_blank(text[length - 1])) {
        length--;
    }
    return length;
}

/* The end of the first blank from `from` on; 0 = there is none. */
static size_t after_first_blank(const char *text, size_t from, size_t length) {
    while (from < length && !token_is_blank(text[from])) {
        from++;
    }
    return from < length ? from + 1 : 0;
}

/* How far this run of text goes: to the next part that is left out, or without end. */
static uint64_t segment_end(const number_reader *reader) {
    return reader->done_count > 0 ? reader->done->from : UINT64_MAX;
}

static bool is_segment_read(const number_reader *reader, size_t length) {
    return reader->taken + length >= segment_end(reader);
}

/* The end of the next block in what has been read; 0 = not one whole token is there yet. */
static size_t cut(const number_reader *reader, const char *text, size_t length) {
    size_t most = length < reader->soft_limit ? length : reader->soft_limit;
    const size_t calm = short_tokens(text, most);
    if (calm < most) {
        most = calm > LONG_TOKENS ? calm : LONG_TOKENS < most ? LONG_TOKENS : most;
    }
    /* After an error nobody knows where the last token would have ended: that one is left out. */
    const bool all = (reader->ended && reader->error == 0) || is_segment_read(reader, length);
    if (most == length && all) {
        return length;
    }
    const size_t start = leading_blanks(text, length);
    size_t end = after_last_blank(text, most);
    if (end <= start) {
        end = after_first_blank(text, most > start ? most : start, length);
    }
    if (end == 0 && start > 0 && length == reader->limit) {
        end = start; /* the blanks alone: they leave no room for the token behind them */
    }
    return end == 0 && all ? length : end;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool has_more_now(const number_reader *reader) {
    struct pollfd input = {.fd = reader->fd, .events = POLLIN};
    return reader->never_waits || poll(&input, 1, 0) != 0;
}

/* Drops what still belongs to the token that is passed over. */
static size_t skip(number_reader *reader, char *text, size_t length) {
    const size_t from = after_first_blank(text, 0, length);
    if (from == 0) {
        reader->taken += length;
        return 0;
    }
    reader->skipping = false;
    reader->taken += from - 1;
    memmove(text, text + from - 1, length - (from - 1)); /* the blank stays: it may end a line */
    return length - (from - 1);
}

/* Reads on behind what is there, until the text is full. False: nothing more right now; or all of it was
 * passed over, which may go on for long. */
static bool read_on(number_reader *reader, char *text, size_t *length) {
    while (!reader->ended && *length < reader->limit && !is_segment_read(reader, *length)) {
        if (!has_more_now(reader)) {
            return false;
        }
        const uint64_t room = reader->limit - *length,
                       left = segment_end(reader) - reader->taken - *length;
        const ssize_t count = read(reader->fd, text + *length, room < left ? room : left);
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return false;
        }
        if (count < 0 && errno != EINTR) {
            reader->error = errno;
        }
        reader->ended = count == 0 || reader->error != 0;
        if (count > 0) {
            *length += (size_t)count;
            if (reader->skipping) {
                *length = skip(reader, text, *length);
                if (*length == 0) {
                    return false;
                }
            }
        }
    }
    return true;
}

/* What follows is as if the reader had come there by itself. */
static void step_behind(number_reader *reader, const reader_done *done) {
    reader->taken = done->to;
    reader->line = done->line_behind;
    reader->skipping = done->is_cut;
}

/* Moves on behind the parts that are left out right here. */
static void leave_out(number_reader *reader) {
    while (reader->error == 0 && reader->done_count > 0 && reader->ahead_length == 0 &&
           reader->taken == reader->done->from) {
        step_behind(reader, reader->done);
        reader->done++;
        reader->done_count--;
        if (lseek(reader->fd, (off_t)(reader->start + reader->taken), SEEK_SET) < 0) {
            reader->error = errno;
            reader->ended = true;
        }
    }
}

void number_reader_leave_out(number_reader *reader, const reader_done *done, size_t count) {
    reader->done = done;
    reader->done_count = count;
}

void number_reader_go_on(number_reader *reader, const reader_done *done) {
    step_behind(reader, done);
}

static reader_answer next_in_segment(number_reader *reader, number_block *block) {
    char *text = block->text;
    size_t length = reader->ahead_length;
    memcpy(text, reader->ahead, length);
    size_t end = cut(reader, text, length);
    /* Long tokens are cut off bit by bit: until they are used up there is no need for more. */
    bool waits = false;
    if (end == 0 || end == length) {
        waits = !read_on(reader, text, &length);
        end = cut(reader, text, length);
    }
    if (end == 0 && length == reader->limit) {
        end = length;
        reader->skipping = true;
    }
    reader->ahead_length = length - end;
    memcpy(reader->ahead, text + end, reader->ahead_length);
    if (end == 0) {
        return waits ? READER_LATER : READER_END;
    }
    memset(text + end, '\n', NUMBER_BLOCK_SLACK);
    block->length = end;
    block->from = reader->taken;
    block->line = reader->line;
    block->is_cut = reader->skipping;
    reader->line += count_bytes(text, end, '\n');
    reader->taken += end;
    return READER_BLOCK;
}

reader_answer number_reader_next(number_reader *reader, number_block *block) {
    reader_answer answer;
    do {
        leave_out(reader);
        answer = next_in_segment(reader, block);
    } while (answer == READER_END && !reader->ended && is_segment_read(reader, 0));
    return answer;
}

void number_reader_wait(const number_reader *reader, int other) {
    struct pollfd inputs[] = {{.fd = reader->fd, .events = POLLIN},
                              {.fd = other, .events = POLLIN}};
    poll(inputs, 2, -1);
}

/* ---- opening and closing --------------------------------------------------------------------- */

#define LIMIT_LEAST 64 /* as much of a token as a message shows is handed out in any case */

size_t number_reader_limit(size_t soft_limit, size_t most_token) {
    const size_t limit = soft_limit > most_token ? soft_limit : most_token + 1;
    return limit > LIMIT_LEAST ? limit : LIMIT_LEAST;
}

static bool begin(number_reader *reader, int fd, const char *name, size_t soft_limit,
                  size_t most_token) {
    const size_t limit = number_reader_limit(soft_limit, most_token);
    struct stat status;
    *reader = (number_reader){.name = name,
                              .fd = fd,
                              .soft_limit = soft_limit,
                              .limit = limit,
                              .ahead = malloc(limit),
                              .line = 1};
    if (reader->ahead == NULL || fstat(fd, &status) != 0) {
        number_reader_close(reader);
        return false;
    }
    if (S_ISREG(status.st_mode)) {
        const off_t at = lseek(fd, 0, SEEK_CUR);
        reader->start = at < 0 ? 0 : (uint64_t)at;
        reader->size = at < status.st_size ? (uint64_t)(status.st_size - at) : 0;
        reader->never_waits = true;
        posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
    return true;
}

bool number_reader_open(number_reader *reader, const char *name, size_t soft_limit,
                        size_t most_token) {
    const int fd = strcmp(name, "-") == 0 ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && begin(reader, fd, name, soft_limit, most_token);
}

static bool write_all(int fd, const char *text, size_t length) {
    while (length > 0) {
        const ssize_t written = write(fd, text, length);
        if (written < 0) {
            return false;
        }
        text += written;
        length -= (size_t)written;
    }
    return true;
}

bool number_reader_open_words(number_reader *reader, char *const *words, size_t soft_limit,
                              size_t most_token) {
    const int fd = memfd_create("words", MFD_CLOEXEC);
    bool written = fd >= 0;
    for (; written && *words != NULL; words++) {
        written = write_all(fd, *words, strlen(*words)) && write_all(fd, "\n", 1);
    }
    if (written && lseek(fd, 0, SEEK_SET) == 0) {
        return begin(reader, fd, NULL, soft_limit, most_token);
    }
    if (fd >= 0) {
        close(fd);
    }
    return false;
}

void number_reader_close(number_reader *reader) {
    if (reader->fd != STDIN_FILENO) {
        close(reader->fd);
    }
    free(reader->ahead);
}
