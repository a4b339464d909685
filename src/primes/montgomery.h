/* Arithmetic modulo an odd n below 2^64, where x stands for x * 2^-64 (Peter L. Montgomery: Modular
 * Multiplication Without Trial Division, Mathematics of Computation 44 (1985), 519-521).
 *
 * n * inverse = 1 (mod 2^64). To take q = low * inverse and subtract q * n makes the low half zero
 * without a carry, which the textbook's sum would have. */
#ifndef PRIMES_MONTGOMERY_H
#define PRIMES_MONTGOMERY_H

#include <stdbool.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 prime_uint128;

/* Right in 5 bits to begin with; each step doubles that. */
static inline uint64_t montgomery_inverse(uint64_t n) {
    uint64_t inverse = (3 * n) ^ 2;
    for (int step = 0; step < 4; step++) {
        inverse *= 2 - n * inverse;
    }
    return inverse;
}

typedef struct montgomery {
    uint64_t n, inverse;
    uint64_t one; /* 2^64 mod n */
} montgomery;

static inline montgomery montgomery_of(uint64_t n) {
    return (montgomery){n, montgomery_inverse(n), -n % n};
}

/* (high * 2^64 + low) mod n, high < n: so the quotient fits, which C has no way to say. */
static inline uint64_t modulo_128(uint64_t high, uint64_t low, uint64_t n) {
#ifdef __x86_64__
    uint64_t quotient = low, rest = high;
    __asm__("divq %2" : "+a"(quotient), "+d"(rest) : "r"(n) : "cc");
    return rest;
#else
    return (uint64_t)(((prime_uint128)high << 64 | low) % n);
#endif
}

/* 2^64 times what the number `one` stands for: what stands for a is a * this / 2^64. */
static inline uint64_t montgomery_factor(const montgomery *m) {
    return modulo_128(m->one, 0, m->n);
}

/* What stands for 2^e, e < 32. */
static inline uint64_t montgomery_power_of_2(uint64_t e, const montgomery *m) {
    return m->n <= UINT32_MAX ? (m->one << e) % m->n : modulo_128(UINT64_C(1) << e, 0, m->n);
}

static inline uint64_t high_half(uint64_t a, uint64_t b) {
    return (uint64_t)(((prime_uint128)a * b) >> 64);
}

/* a - b modulo n, a < n, b <= n. */
static inline uint64_t subtract_modulo(uint64_t a, uint64_t b, uint64_t n) {
    const uint64_t difference = a - b, lifted = a + n - b;
    return a < b ? lifted : difference;
}

static inline uint64_t add_modulo(uint64_t a, uint64_t b, uint64_t n) {
    return subtract_modulo(a, n - b, n);
}

/* a * b * 2^-64 - c modulo n, less than n, of a * b < n * 2^64 and c < n. The way through the low half
 * is the longer one; c is subtracted beside it. */
static inline uint64_t montgomery_product(uint64_t a, uint64_t b, uint64_t c, uint64_t n,
                                          uint64_t inverse) {
    const prime_uint128 product = (prime_uint128)a * b;
    const uint64_t high = subtract_modulo((uint64_t)(product >> 64), c, n);
    return subtract_modulo(high, high_half((uint64_t)product * inverse, n), n);
}

/* a * a * 2^(doubled - 64), less than n, of a < n; doubled: 0 or 1. Here the high half is doubled
 * beside the way through the low one. */
static inline uint64_t montgomery_square(uint64_t a, uint64_t doubled, uint64_t n,
                                         uint64_t inverse) {
    const prime_uint128 square = (prime_uint128)a * a;
    const uint64_t high = (uint64_t)(square >> 64), carry = (uint64_t)square >> 63;
    const uint64_t twice = subtract_modulo(high + carry, n - high, n);
    const uint64_t taken = high_half((uint64_t)square * (inverse << doubled), n);
    return subtract_modulo(doubled ? twice : high, taken, n);
}

/* The same for n below 2^61, with residues from 1 to 2n. Their squares, doubled or not, are at most
 * 8 n^2 <= n * 2^64, so the result is one again, and no step needs a correction. */
#define MONTGOMERY_LOOSE_END (UINT64_C(1) << 61)

static inline uint64_t montgomery_square_loose(uint64_t a, uint64_t doubled, uint64_t n,
                                               uint64_t inverse) {
    const prime_uint128 square = (prime_uint128)a * a;
    const uint64_t high = (uint64_t)(square << doubled >> 64);
    return n + high - high_half((uint64_t)square * (inverse << doubled), n);
}

/* Whether such a residue is that of b, 0 < b < n. */
static inline bool congruent_loose(uint64_t a, uint64_t b, uint64_t n) {
    return a == b || a == b + n;
}

#endif
