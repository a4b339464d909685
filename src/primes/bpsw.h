/* Baillie and Wagstaff's test below 2^64, in the pieces of which is_prime_64 and the batch kernels
 * put it together: divisions by small primes, the strong test to base 2, a Lucas test.
 *
 * Why the answer is certain
 *
 * - A prime passes each piece: that is what the theorems behind them say.
 * - Below 2^32 the strong test alone decides, as the composite numbers that pass it, 2314, are a
 *   table (data/strong_pseudoprimes_32.txt). Recomputed here: `verify_bpsw pseudoprimes` goes
 *   through every odd number below 2^32 with a sieve beside it.
 * - From 2^32 on the numbers that pass the strong test take the "almost extra strong" Lucas test.
 *   No composite below 2^64 passes both. That is no theorem but a computation: Jan Feitsma listed
 *   all 118 968 378 Fermat pseudoprimes to base 2 below 2^64 (2009 to 2013; William Galway's earlier
 *   method and list agree with it), among them all 31 894 014 strong ones, and none passes the
 *   Lucas test in any of its usual forms.
 *     Robert Baillie, Andrew Fiori, Samuel S. Wagstaff, Jr.: Strengthening the Baillie-PSW
 *     Primality Test. Mathematics of Computation 90 (2021), 1931-1955; section 1 tells of the list
 *     and of the result.
 *     Dana Jacobsen: Pseudoprime Statistics, Tables, and Data (ntheory.org/pseudoprimes.html), which
 *     names the almost extra strong form among those that were run over the list.
 *   The list is not kept here; what is checked again, and how, is in tests/README.md.
 *
 * The tests
 *
 *   Strong test to base 2 of an odd n, n - 1 = d * 2^s with d odd: 2^d = 1 (mod n), or 2^(d * 2^r)
 *   = -1 for an r with 0 <= r < s.
 *
 *   Almost extra strong Lucas test, n + 1 = d * 2^s with d odd: Q = 1 and P is the least of 3, 4, 5,
 *   ... for which the Jacobi symbol (P^2 - 4 | n) is -1. V_0 = 2, V_1 = P, V_(k+1) = P V_k - V_(k-1).
 *   V_d = 2 or -2 (mod n), or V_(d * 2^r) = 0 for an r with 0 <= r < s - 1. It is Jon Grantham's
 *   (Frobenius Pseudoprimes, Mathematics of Computation 70 (2001), 873-891, section 2) extra strong
 *   test without the condition on U_d, so that V alone is computed, by V_2k = V_k^2 - 2 and
 *   V_(2k+1) = V_k V_(k+1) - P. */
#ifndef PRIMES_BPSW_H
#define PRIMES_BPSW_H

#include <stdbool.h>
#include <stdint.h>

/* n odd, n > 2. */
bool bpsw_strong_base_2(uint64_t n);

/* P of the Lucas test, of an odd n > 2^32 without factors below 11. 0: the search shows that n is
 * composite. */
uint32_t bpsw_lucas_parameter(uint64_t n);

/* n as there; p: its parameter, not 0. */
bool bpsw_lucas(uint64_t n, uint32_t p);

/* Composite, and yet passes the strong test to base 2. */
bool bpsw_listed_pseudoprime(uint32_t n);

#endif
