/* Cuts an input into blocks of whole tokens, in the order of the input. Memory is limited,
 * whatever the input is.
 *
 * A file or a pipe is read straight into the block that a worker gets. A file is not mapped: if
 * somebody shortened it, the program would end by SIGBUS. The copy takes 1.5 of the 18 ns that
 * a number takes in all (AMD EPYC, `bench/run primecheck`).
 *
 * A block is as long as its limit allows, but it ends early before a long token: one of 127
 * characters and more, and some from 64 characters on. A block of long tokens has at most 4
 * KiB, or one longer token, so that a few large numbers are spread over all workers.
 *
 * If no block can hold a token, as much of it as fits is handed out, and the rest is passed
 * over. */
#ifndef PROGRAMS_NUMBER_READER_H
#define PROGRAMS_NUMBER_READER_H

#include "programs/primecheck/number_block.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum reader_answer {
    READER_END,
    READER_BLOCK,
    READER_LATER
} reader_answer;

/* A part of the input that became a block of an earlier run, and is left out. */
typedef struct reader_done {
    uint64_t from, to;
    uint64_t line_behind; /* the line on which what follows begins */
    bool is_cut;          /* as in number_block */
} reader_done;

typedef struct number_reader {
    const char *name; /* for messages; NULL: the input is the command line */
    uint64_t size;    /* of a regular file, from where it is read; 0 = unknown */
    uint64_t taken;   /* bytes of the input that have become blocks */
    int error;        /* an errno: why the end came before that of the input; else 0 */

    /* the reader's own */
    int fd;
    bool never_waits; /* the input is a regular file, */
    uint64_t start;   /* that is read from there on */
    const reader_done *done;
    size_t done_count;
    bool ended;
    bool skipping; /* the rest of a token that no block can hold */
    size_t limit, soft_limit;
    char *ahead; /* read, and not yet handed out */
    size_t ahead_length;
    uint64_t line;
} number_reader;

/* Room for the text of a block, without the slack, of which each is handed out with at most `limit`
 * bytes; of more than soft_limit only if a single token is longer. Tokens of up to most_token bytes are
 * handed out whole. */
size_t number_reader_limit(size_t soft_limit, size_t most_token);

/* `name`: a file, "-" being standard input. False: it cannot be opened, and errno says why. */
bool number_reader_open(number_reader *reader, const char *name, size_t soft_limit,
                        size_t most_token);

/* The words of a command line up to NULL, each as if on a line of its own. */
bool number_reader_open_words(number_reader *reader, char *const *words, size_t soft_limit,
                              size_t most_token);

/* Before the first block of a regular file: these parts of it, in the order of the input, are left out. `done` stays. */
void number_reader_leave_out(number_reader *reader, const reader_done *done, size_t count);

/* Before the first block of an input that is none: somebody else has read all up to `done`, which was the last. */
void number_reader_go_on(number_reader *reader, const reader_done *done);

/* The next block, whose text has room for the limit and the slack. LATER: nothing to be had without
 * waiting, right now, or so far nothing but a token that is passed over. END: there is no more, see `error`. */
reader_answer number_reader_next(number_reader *reader, number_block *block);

/* Waits until there is something to be had, or until `other` (-1 = none) can be read. */
void number_reader_wait(const number_reader *reader, int other);

void number_reader_close(number_reader *reader);

#endif
