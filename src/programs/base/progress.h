/* How far a program is, on the terminal that stderr is; nothing where it is none:
 *
 *      35 %  4184120 numbers  41.53 million/s  12 s  22 s left
 *
 * The rate and the time left are those of the last quarter of a minute: they follow a run that gets slower, and
 * do not jump with every result. The share and the time left are shown only where they are known. */
#ifndef PROGRAMS_PROGRESS_H
#define PROGRAMS_PROGRESS_H

#include "programs/base/terminal_line.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct progress_sample {
    int64_t at_ns;
    uint64_t done;
    double share;
} progress_sample;

#define PROGRESS_SAMPLES   16
#define PROGRESS_UNKNOWN   (-1.0) /* as a share */
#define PROGRESS_TEXT_MOST 288

typedef struct progress {
    terminal_line line;
    const char *unit; /* of what is counted: "numbers" */
    int64_t begun_ns;
    progress_sample samples[PROGRESS_SAMPLES]; /* a ring; one a second at most */
    size_t samples_count;                      /* ever taken */
} progress;

void progress_begin(progress *progress, bool wanted, const char *unit);

/* So much was done before this run: it counts, but not for the rate. Right after progress_begin. */
void progress_resume(progress *progress, uint64_t done, double share);

/* So many are done, and such a share of the work, from 0 to 1. Cheap, so it may be called for every result; it
 * should be called some times a second also while there is none, so that the time goes on. */
void progress_show(progress *progress, uint64_t done, double share);

/* Makes room: before anything else is written to the terminal, and at the end. */
void progress_clear(progress *progress);

/* How long a thread may wait before it calls progress_show again; negative = for ever. */
int64_t progress_patience_ns(const progress *progress);

/* What there is to show, now and as the samples were taken. progress_show does both. */
void progress_sample_at(progress *progress, uint64_t done, double share, int64_t now_ns);
void progress_format(const progress *progress, uint64_t done, double share, int64_t now_ns,
                     char text[PROGRESS_TEXT_MOST]);

#endif
