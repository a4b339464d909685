/* The job log of primecheck: an item is a block, and its seq is the block's place in the input.
 *
 * In the order of the input what is kept of an earlier run are the blocks from the first to the first that is
 * missing. With --order=completed all are kept, and only what lies between and behind them is read: so the input
 * must be a regular file. Blocks are checked by the fingerprint of their text. What no logged block has read may be
 * anything, as long as the size is the same: it is checked now. */
#ifndef PROGRAMS_PRIMECHECK_LOG_H
#define PROGRAMS_PRIMECHECK_LOG_H

#include "programs/base/text_buffer.h"
#include "programs/joblog/joblog.h"
#include "programs/primecheck/number_reader.h"
#include "programs/primecheck/primecheck_report.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    PRIMECHECK_SETTINGS = 7
};

typedef struct primecheck_log {
    joblog *log; /* NULL: none is wanted, and the rest but next_seq is not used */
    joblog_plan plan;
    joblog_setting settings[PRIMECHECK_SETTINGS + 1];
    char max_digits[16];
    const number_reader *reader;
    bool from_words;
    text_buffer path, program; /* of the input; the command behind the pipe */

    reader_done *done; /* blocks of earlier runs, in the order of the input */
    uint64_t *seqs;    /* theirs, ascending */
    size_t done_count;
    uint64_t next_seq;
    size_t seqs_passed; /* of `seqs`, those below next_seq */
} primecheck_log;

/* After the input is opened, before anything is printed or read. If an earlier run is continued: its blocks are left
 * out by the reader, and are counted in the report. */
void primecheck_log_open(primecheck_log *log, const primecheck_options *options,
                         number_reader *reader, primecheck_report *report);

/* Does it go on from blocks of an earlier run? */
bool primecheck_log_is_resumed(const primecheck_log *log);

/* For the next block of the reader. */
uint64_t primecheck_log_next_seq(primecheck_log *log);

/* The block is printed. result: NULL if it has none, as the exception says. counts: of its numbers. */
void primecheck_log_block(primecheck_log *log, const number_block *block,
                          const check_result *result, const cf_exception *exception,
                          unsigned attempts, const uint64_t *counts);

void primecheck_log_close(primecheck_log *log);

#endif
