/* Whether the input still has the blocks that a job log tells of. */
#ifndef PROGRAMS_PRIMECHECK_LOG_CHECK_H
#define PROGRAMS_PRIMECHECK_LOG_CHECK_H

#include "programs/joblog/joblog.h"
#include "programs/primecheck/check_block.h"
#include "programs/primecheck/number_reader.h"

/* Places in joblog_entry.numbers. */
enum {
    PRIMECHECK_FROM,
    PRIMECHECK_TO,
    PRIMECHECK_LINE,
    PRIMECHECK_IS_CUT,
    PRIMECHECK_COUNTS, /* and so on, by verdict */
};

/* The first `count` items of the log, as blocks in the order of the input. Ends the program with EXIT_IO if the input
 * has other bytes there. Reads up to the last of them an input that is no regular file. */
void primecheck_log_check(const joblog *log, const number_reader *reader, reader_done *done,
                          size_t count);

#endif
