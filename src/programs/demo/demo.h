/* What the demonstrations share: their command line, how they print from several threads at once,
 * what they do when something fails, and the map that two of them show. */
#ifndef PROGRAMS_DEMO_H
#define PROGRAMS_DEMO_H

#include "programs/base/command_line.h"
#include "programs/timeline/observing.h"

#include <cfutures.h>

#include <stddef.h>

/* ---- the command line ------------------------------------------------------------------------ */

/* For the end of `doc`. */
#define DEMO_EXIT_DOC                                                                              \
    "Exit status: 0 done, 1 a task failed, 2 a usage error, 3 the output cannot be written."

/* First thing in main. The options of observing.h are added. The first four parameters are members of command_line. */
void demo_prepare(const char *doc, const char *args_doc, const command_line_option *options,
                  const command_line_positional *positionals, int argc, char **argv);

/* ---- printing -------------------------------------------------------------------------------- */

/* Prints "[HH:MM:SS] ", the text and a newline as one whole. */
void demo_display(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- failures: both end the program, with a message, unless all went well -------------------- */

/* `what` follows "cannot". */
void demo_require(cf_status status, const char *what);

/* A task that could not write has said so itself; then the exit code is that of output.h. */
void demo_require_success(const cf_exception *exception);

/* ---- what the options of observing.h ask for --------------------------------------------------- */

/* Before the pool is made. worker: what one is called. asked: for so many; 0 = no number. */
observing *demo_observe(const char *worker, unsigned asked);

/* Ends the pool, and returns the program's exit code. */
int demo_end(cf_executor *pool, observing *observed);

/* ---- a map: lazy, it hands out results one by one, in order, while the tasks behind still run --- */

/* Maps the task over `count` arguments on `workers` threads, and calls `show` for each result. Returns the
 * program's exit code. */
int demo_map(unsigned workers, const cf_task *task, const void *args, size_t count,
             void (*show)(const cf_stream_item *item));

#endif
