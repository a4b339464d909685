/* What a kernel has to provide for is_prime_batch.c.
 *
 * The numbers of a batch go through three stages. Each hands on what it could not decide:
 *
 *   filter       even numbers, small ones, multiples of small primes
 *   strong test  to base 2: in two queues, as narrow numbers are a good deal cheaper
 *   Lucas test   only from 2^32 on; below, a table decides
 *
 * Between the stages numbers wait until there are enough for full vectors. */
#ifndef PRIMES_BATCH_KERNEL_H
#define PRIMES_BATCH_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/* How many numbers the filter gets at once: few enough for all queues to stay in the first-level
 * cache. */
#define BATCH_BLOCK 512

/* Counts that the tests get are multiples of the kernel's `group`, which is at most this. */
#define BATCH_GROUP 64

/* Vectors may write beyond the end of what they keep. */
#define BATCH_SLACK 16

typedef struct batch_queue {
    size_t count;
    /* what waits from the block before, a block, and what fills up the last group */
    uint64_t n[2 * BATCH_GROUP + BATCH_BLOCK + BATCH_SLACK];
    uint64_t index[2 * BATCH_GROUP + BATCH_BLOCK + BATCH_SLACK]; /* in the batch */
} batch_queue;

/* Writes to pass[i] whether the odd number n[i] passes: 0, or anything else. All n[i] are narrow, and at
 * least 2^14, or all are not narrow. */
typedef void batch_strong_fn(const uint64_t *n, size_t count, uint8_t *pass);

/* The same of numbers from 2^32 on; p: their parameters, less than BATCH_PARAMETER_END. */
typedef void batch_lucas_fn(const uint64_t *n, const uint64_t *p, size_t count, uint8_t *pass);

/* Of the numbers that get there 1 in 2^18 has a greater one: 18 primes must be squares modulo it. */
#define BATCH_PARAMETER_END 64

typedef struct batch_kernel {
    /* Puts n[0] .. n[count - 1] that it cannot tell to be composite into a queue, with index + i; sets
     * prime[i] of those that it finds prime. All prime[i] are 0 before. count <= BATCH_BLOCK */
    void (*filter)(const uint64_t *n, size_t count, size_t index, batch_queue *narrow,
                   batch_queue *wide, uint8_t *prime);

    unsigned narrow_bits; /* narrow numbers are below 2^narrow_bits */
    size_t group;
    batch_strong_fn *strong_narrow, *strong_wide;
    batch_lucas_fn *lucas_narrow, *lucas_wide; /* lucas_narrow: NULL if narrow_bits is 32 */
} batch_kernel;

extern const batch_kernel BATCH_PORTABLE;
extern const batch_kernel BATCH_AVX2;   /* only with PRIMES_HAVE_AVX2 */
extern const batch_kernel BATCH_AVX512; /* only with PRIMES_HAVE_AVX512 */

/* For kernels that have none of their own. */
void batch_filter_portable(const uint64_t *n, size_t count, size_t index, unsigned narrow_bits,
                           batch_queue *narrow, batch_queue *wide, uint8_t *prime);

#endif
