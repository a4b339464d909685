/* Work in numbered blocks, spread over a thread pool of cfutures and taken in the blocks' order: what
 * the exhaustive checks have in common. There are as many workers as cf_cpu_count finds processors;
 * `taskset` makes them fewer. */
#ifndef TESTS_EXHAUSTIVE_BLOCKS_H
#define TESTS_EXHAUSTIVE_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct block_job {
    const char *name; /* what messages begin with */
    uint64_t blocks;
    const void *shared;  /* by all blocks, which only read it */
    size_t scratch_size; /* bytes that each worker has for itself */
    size_t result_size;

    /* On a worker; *result is zeroed before. What it writes must depend on the block alone. */
    void (*run)(const void *shared, uint64_t block, void *scratch, void *result);

    void (*leave)(void); /* on each worker, after its last block; NULL: nothing is to be done */

    /* On the caller's thread, block 0 first. False: the blocks to come are not wanted. */
    bool (*take)(void *context, uint64_t block, const void *result);
} block_job;

/* Reports progress on stderr once a minute. False, having said why on stderr: the pool failed. */
bool blocks_run(const block_job *job, void *context);

/* A decimal number, and nothing else. */
bool parse_number(const char *text, uint64_t *number);

#endif
