/* What the program and the processes of its pools have, again and again, and whether it grows. */
#ifndef TESTS_CHAOS_SOAK_SAMPLES_H
#define TESTS_CHAOS_SOAK_SAMPLES_H

#include "tally.h"

typedef enum measure {
    CALLER_MALLOC, /* bytes that the caller's malloc has given out */
    CALLER_RSS,    /* bytes of the caller in memory */
    CALLER_PSS,    /* the caller's share of them */
    NURSERY_PSS,   /* the shares of all nurseries */
    WORKER_PSS,    /* the shares of all workers */
    ADDRESSES,     /* VmSize of the caller */
    MAPPINGS,      /* lines of the caller's /proc/self/maps */
    DESCRIPTORS,   /* of the caller */
    OF_NURSERIES,  /* descriptors of all nurseries */
    THREADS,       /* of the caller */
    PROCESSES,     /* the caller, nurseries and workers; zombies too */
    MEASURES
} measure;

typedef struct sample {
    uint64_t round;
    uint64_t of[MEASURES];
} sample;

/* Before any thread is made: runs the program once more, in such a way that malloc's numbers are exact. */
void samples_begin(char **argv);

/* Waits until there are no more threads, processes and descriptors than `expected` says (NULL = does not
 * wait), half a second at most, and not again and again in vain. */
sample sample_take(uint64_t round, const sample *expected);

/* True if the sample has more threads, processes or descriptors. */
bool sample_has_more(const sample *now, const sample *before);

void sample_print(const sample *s);
void samples_print_head(void);

/* ---- all samples of a run -------------------------------------------------------------------- */

/* Keeps as many as there is room for: if it is full, every second one is dropped. */
void samples_add(const sample *s);

/* Prints some of them, and counts what grew as leaked. */
void samples_judge(void);

#endif
