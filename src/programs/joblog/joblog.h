/* The job log of a program: what is done, for people, for GNU parallel, and for the next run to go on from.
 *
 * Two files, which have a line for each finished item (a number, a block of input, a download):
 *
 *     FILE       GNU parallel's nine columns, as its --joblog has them
 *     FILE.more  one JSON object a line. The first tells of the run (format, program, settings, input, where
 *                on standard output it began). The others tell what the run needs to go on. "out" says how
 *                long standard output was when it held all that the item prints, "out_xxh3_128" is the
 *                fingerprint of what was added to it since the item before
 *
 * When what is written:
 *   1. A new log: FILE is emptied, FILE.more gets its first line, FILE its first. Only then the program prints.
 *   2. An item: what it prints goes to standard output, then its line to FILE.more, then its line to FILE.
 *      Several items may go together, in the same three steps.
 *   3. A run that goes on cuts FILE, then FILE.more, then standard output to what it keeps.
 *
 * Why a kill at any moment is harmless: item k is done if line k + 1 of both files is there and ends with a
 * newline. Everything else is cut off: lines that are torn or lack the other one, and what was printed after the
 * last item that counts. So a kill between the steps of 2 costs the items under way. In the middle of 1, FILE has
 * no whole first line, and nothing was printed: that is a run that has done nothing. In the middle of 3 the
 * files of the log have lines, each true, of which the shorter file has no more than is kept; and standard
 * output is too long rather than too short.
 *
 * This holds when the program is killed. Nothing is synced to the disk: after a crash of the whole system, or a
 * loss of power, the log may tell of output that is lost.
 *
 * One thread at a time may use a log, one run at a time a FILE. Functions take NULL for a log that is not wanted. A
 * log that cannot be read or written ends the program with EXIT_IO and a message that names the file. */
#ifndef PROGRAMS_JOBLOG_H
#define PROGRAMS_JOBLOG_H

#include "programs/base/command_line.h"
#include "programs/joblog/fingerprint.h"

#include <cfutures.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- options --------------------------------------------------------------------------------- */

typedef struct joblog_options {
    const char *file; /* NULL = no log */
    bool resume;
} joblog_options;

command_line_option joblog_option_file(joblog_options *options);
command_line_option joblog_option_resume(joblog_options *options);

/* For the check of all options together. */
void joblog_options_check(struct argp_state *state, const joblog_options *options);

/* ---- the log --------------------------------------------------------------------------------- */

typedef struct joblog joblog;

/* An option that a run that goes on must share with the one before. */
typedef struct joblog_setting {
    const char *name;  /* "--order" */
    const char *value; /* "map" */
} joblog_setting;

#define JOBLOG_NUMBERS_MAX 12
#define JOBLOG_UNKNOWN     UINT64_MAX

/* What the program logs. All of it stays as long as the log. */
typedef struct joblog_plan {
    const char *program;
    const joblog_setting *settings; /* up to one without a name */
    const char *input;              /* what a message calls it: "numbers.txt", "the numbers" */
    uint64_t input_size;            /* bytes, or items; JOBLOG_UNKNOWN */
    fingerprint input_print;        /* of all of it, where that is known; else "" */
    const char *const *numbers; /* names of what is told of each item beside the rest; up to NULL */
} joblog_plan;

/* How an item ended. Texts may be NULL. */
typedef struct joblog_entry {
    uint64_t
        seq; /* 1 and above; in the order of the input, without regard to the order of completion */
    int64_t started_ns; /* since the epoch; 0: just now, less the elapsed time */
    int64_t elapsed_ns;
    uint64_t sent;          /* bytes of input */
    int exit_value, signal; /* as those of a process that does just this item */
    const char *command;    /* for a shell: does this item again */
    const char *label;      /* what the user knows the item by */
    int worker;             /* -1 = unknown */
    unsigned attempts;
    const char *reason; /* why it failed */
    fingerprint print;  /* of its input, or "" */
    int64_t numbers[JOBLOG_NUMBERS_MAX];
} joblog_entry;

/* Sets exit_value and signal; a task that failed in any other way than by its worker's death counts as exit 1. */
void joblog_entry_set_exception(joblog_entry *entry, const cf_exception *exception);

/* Opens the log that the options ask for, or returns NULL. Before the first output, and before there are threads.
 * With options->resume it reads an earlier log: from there to joblog_keep nothing is changed, and the program may
 * not print. Ends the program with EXIT_USAGE if a setting differs, with EXIT_IO if the log is not such a program's,
 * if the input has another size or fingerprint, or if standard output cannot be cut and continued. */
joblog *joblog_open(const joblog_options *options, const joblog_plan *plan);
void joblog_close(joblog *log);

/* What earlier runs have logged, in the order in which it was printed. Without command, label. */
size_t joblog_done_count(const joblog *log);
const joblog_entry *joblog_done(const joblog *log, size_t index);

/* The first items that were printed in the order of their seq, without a gap from 1 on. */
size_t joblog_in_order(const joblog *log);

/* What is done does not fit: ends the program with EXIT_IO. The input has changed, `where`: "bytes 0 to 131072"; or
 * an item's line is not one that this program has written. */
_Noreturn void joblog_refuse_input(const joblog *log, const char *where);
_Noreturn void joblog_refuse_item(const joblog *log, size_t index);

/* The lines of done items that are not kept, and their output, are cut off. Called once, with 0 if nothing is done.
 * Ends the program with EXIT_IO if standard output is another file. */
void joblog_keep(joblog *log, size_t count);

/* The item is done, and what it prints was given to standard output. `entry` need not stay. */
void joblog_add(joblog *log, const joblog_entry *entry);

/* As output_flush; then writes the lines of the items. With NULL it is output_flush. */
void joblog_flush(joblog *log);

/* If a line cannot be written: a message, then on_failure(data) is called once, and the program goes on without a
 * log. It ends with EXIT_IO in joblog_close. */
void joblog_defer_failure(joblog *log, void (*on_failure)(void *data), void *data);

#endif
