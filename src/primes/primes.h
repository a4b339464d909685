/* Is a number prime? Every number from 0 to 2^64-1.
 *
 * A method is a row of PRIME_METHODS. All functions are pure: any thread or process may call them.
 */
#ifndef PRIMES_PRIMES_H
#define PRIMES_PRIMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- methods --------------------------------------------------------------------------------- */

typedef struct prime_method {
    const char *name; /* what --method takes */

    bool (*is_prime)(uint64_t n);

    /* A part of that test, so that several workers can share one number: tries those divisors that
     * are at least `from` and less than `to` (none where to <= from). True if they show that n is
     * not prime, which for 0 and 1 needs no divisor at all. n is prime exactly if no part of [2,
     * prime_isqrt(n) + 1) says so. NULL for a method that does not look for divisors. */
    bool (*refute)(uint64_t n, uint64_t from, uint64_t to);

    /* How many divisors the method tries or skips in the time that `trial` needs for one. Parts
     * that are longer by this factor take about as long as those of `trial`. 0 without refute. */
    unsigned pace;
} prime_method;

/* Parts that begin and end at multiples of this, the turns of the wheel that `vector` takes at once, cost
 * least. */
#define PRIME_PART_STEP 240

extern const prime_method PRIME_METHODS[]; /* the first is the default */
extern const size_t PRIME_METHODS_COUNT;

/* Index into PRIME_METHODS; PRIME_METHODS_COUNT if there is none of that name. */
size_t prime_method_find(const char *name);

/* ---- the methods themselves ------------------------------------------------------------------ */

/* `trial`, the documents' test: 2, then every odd divisor up to the square root, one after the
 * other. It is the load of every demonstration and is therefore never made cleverer. */
bool is_prime_trial(uint64_t n);
bool refute_trial(uint64_t n, uint64_t from, uint64_t to);

/* `wheel`: 2, 3, 5, then only divisors that none of these divides: 8 of every 30 instead of 15. */
bool is_prime_wheel(uint64_t n);
bool refute_wheel(uint64_t n, uint64_t from, uint64_t to);

/* `vector`: the wheel's divisors, 64 at a time, by the kernel that kernel.h chooses. */
bool is_prime_vector(uint64_t n);
bool refute_vector(uint64_t n, uint64_t from, uint64_t to);

/* `bpsw`: Baillie and Wagstaff's test, certain below 2^64 (bpsw.h says why). Many numbers at once are
 * is_prime_batch.h's. */
bool is_prime_64(uint64_t n);

/* The greatest r with r * r <= n. */
uint64_t prime_isqrt(uint64_t n);

/* ---- numbers --------------------------------------------------------------------------------- */

typedef struct prime_number {
    uint64_t n;
    bool prime; /* the answer to expect */
} prime_number;

/* The NUMBERS of data/numbers.txt, ascending. */
extern const prime_number PRIME_NUMBERS[];
extern const size_t PRIME_NUMBERS_COUNT;

#endif
