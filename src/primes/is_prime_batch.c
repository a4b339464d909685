#include "primes/is_prime_batch.h"

#include "primes/batch_kernel.h"
#include "primes/bpsw.h"

#include <string.h>

/* Those that passed the strong test, with their parameters. */
typedef struct lucas_queue {
    batch_queue waiting;
    uint64_t p[2 * BATCH_GROUP + BATCH_BLOCK + BATCH_SLACK];
} lucas_queue;

typedef struct batch {
    const batch_kernel *kernel;
    uint8_t *prime;
    batch_queue narrow, wide;
    lucas_queue lucas_narrow, lucas_wide;
} batch;

/* How many of those that wait are tested now: full groups, or all when no more will come. What fills
 * up the last group then is its last number, again. */
static size_t fill_groups(const batch *b, batch_queue *queue, uint64_t *p, bool last) {
    const size_t group = b->kernel->group;
    if (!last) {
        return queue->count / group * group;
    }
    size_t count = queue->count;
    for (; count % group != 0; count++) {
        queue->n[count] = queue->n[queue->count - 1];
        if (p) {
            p[count] = p[queue->count - 1];
        }
    }
    return count;
}

/* Drops the first `done`; what is left is less than a group. */
static void advance(batch_queue *queue, uint64_t *p, size_t done) {
    const size_t left = done < queue->count ? queue->count - done : 0;
    memmove(queue->n, queue->n + done, left * sizeof queue->n[0]);
    memmove(queue->index, queue->index + done, left * sizeof queue->index[0]);
    if (p) {
        memmove(p, p + done, left * sizeof p[0]);
    }
    queue->count = left;
}

/* Writes where in pass[] something other than 0 stands; returns how often. No jump depends on it: it
 * would be guessed wrong every few numbers. */
static size_t find_passed(const uint8_t *pass, size_t count, uint16_t *found) {
    size_t passed = 0;
    for (size_t i = 0; i < count; i++) {
        found[passed] = (uint16_t)i;
        passed += pass[i] != 0;
    }
    return passed;
}

static void test_lucas(batch *b, lucas_queue *queue, batch_lucas_fn *test, bool last) {
    uint8_t pass[2 * BATCH_GROUP + BATCH_BLOCK];
    batch_queue *waiting = &queue->waiting;
    const size_t count = fill_groups(b, waiting, queue->p, last);
    if (count == 0) {
        return;
    }
    test(waiting->n, queue->p, count, pass);
    for (size_t i = 0; i < count && i < waiting->count; i++) {
        b->prime[waiting->index[i]] = pass[i] != 0;
    }
    advance(waiting, queue->p, count);
}

/* n has passed the strong test. */
static void hand_on(batch *b, lucas_queue *queue, uint64_t n, size_t index) {
    if (n <= UINT32_MAX) {
        b->prime[index] = !bpsw_listed_pseudoprime((uint32_t)n);
        return;
    }
    const uint32_t p = bpsw_lucas_parameter(n);
    if (p - 1 < BATCH_PARAMETER_END - 1) {
        const size_t end = queue->waiting.count++;
        queue->waiting.n[end] = n;
        queue->waiting.index[end] = index;
        queue->p[end] = p;
    } else {
        b->prime[index] = p && bpsw_lucas(n, p);
    }
}

static void test_strong(batch *b, batch_queue *queue, batch_strong_fn *test, lucas_queue *next,
                        bool last) {
    uint8_t pass[2 * BATCH_GROUP + BATCH_BLOCK];
    uint16_t found[2 * BATCH_GROUP + BATCH_BLOCK];
    const size_t count = fill_groups(b, queue, NULL, last);
    if (count == 0) {
        return;
    }
    test(queue->n, count, pass);
    const size_t real = count < queue->count ? count : queue->count;
    const size_t passed = find_passed(pass, real, found);
    for (size_t i = 0; i < passed; i++) {
        hand_on(b, next, queue->n[found[i]], queue->index[found[i]]);
    }
    advance(queue, NULL, count);
}

static void test_waiting(batch *b, bool last) {
    const batch_kernel *kernel = b->kernel;
    test_strong(b, &b->narrow, kernel->strong_narrow, &b->lucas_narrow, last);
    test_strong(b, &b->wide, kernel->strong_wide, &b->lucas_wide, last);
    if (kernel->lucas_narrow) {
        test_lucas(b, &b->lucas_narrow, kernel->lucas_narrow, last);
    }
    test_lucas(b, &b->lucas_wide, kernel->lucas_wide, last);
}

static void run(const batch_kernel *kernel, const uint64_t *n, size_t count, uint8_t *prime) {
    batch b;
    b.kernel = kernel;
    b.prime = prime;
    b.narrow.count = b.wide.count = 0;
    b.lucas_narrow.waiting.count = b.lucas_wide.waiting.count = 0;

    memset(prime, 0, count);
    for (size_t i = 0; i < count; i += BATCH_BLOCK) {
        const size_t block = count - i < BATCH_BLOCK ? count - i : BATCH_BLOCK;
        kernel->filter(n + i, block, i, &b.narrow, &b.wide, prime + i);
        test_waiting(&b, false);
    }
    test_waiting(&b, true);
}

void is_prime_batch_with(prime_kernel kernel, const uint64_t *n, size_t count, uint8_t *prime) {
    switch (kernel) {
#ifdef PRIMES_HAVE_AVX512
    case PRIME_KERNEL_AVX512:
        run(&BATCH_AVX512, n, count, prime);
        break;
#endif
#ifdef PRIMES_HAVE_AVX2
    case PRIME_KERNEL_AVX2:
        run(&BATCH_AVX2, n, count, prime);
        break;
#endif
    default:
        run(&BATCH_PORTABLE, n, count, prime);
    }
}

void is_prime_batch(const uint64_t *n, size_t count, uint8_t *prime) {
    is_prime_batch_with(prime_kernel_chosen(), n, count, prime);
}
