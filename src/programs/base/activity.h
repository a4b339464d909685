/* Who runs what: each worker notes what it begins and that it has ended it, in memory that worker processes share. A
 * few stores a task.
 *
 *     activity_prepare()        before the executor is made; without it nothing is noted
 *     activity_begin(), _end()  in tasks
 *     activity_print()          on any thread: what SIGUSR1 shows
 *
 * The ranks of an MPI job share no memory: of them only the executor's own counts are shown. */
#ifndef PROGRAMS_ACTIVITY_H
#define PROGRAMS_ACTIVITY_H

#include <cfutures.h>

#include <stddef.h>
#include <stdint.h>

#define ACTIVITY_TEXT 32 /* bytes, with the NUL */

/* If there is no memory, nothing is noted. */
void activity_prepare(void);

/* The worker begins this: a number of the program's choice and a text, which is cut and may be NULL. */
void activity_begin(unsigned worker, uint64_t what, const char *text, size_t length,
                    int64_t now_ns);
void activity_end(unsigned worker);

/* What the program says of it: "the block from line 7". */
typedef void activity_describe_fn(uint64_t what, const char *text, char *line, size_t size);

/* On stderr, in one piece, no more lines than fit on a screen: `head`, what is pending and running, and the workers,
 * those first that have run longest. */
void activity_print(cf_executor *executor, const char *head, activity_describe_fn *describe);

/* ---- the screen, for what has workers of another kind ------------------------------------------ */

typedef struct activity_page {
    char text[8192];
    size_t length;
    unsigned lines, most; /* of the screen */
} activity_page;

void activity_page_begin(activity_page *page);

/* "PROGRAM: ", the text and a newline; nothing if it does not fit. */
void activity_page_add(activity_page *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void activity_page_show(const activity_page *page);

#endif
