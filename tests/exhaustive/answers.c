#include "answers.h"

#include "primes/is_prime_batch.h"
#include "primes/primes.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* ---- the implementations --------------------------------------------------------------------- */

/* 0: not asked yet, 1: available, -1: not. Kept, as asking the processor leaves a virtual machine:
 * some 20 us, or hundreds of numbers. */
static _Atomic int8_t known[IMPLEMENTATIONS];

bool implementation_available(int implementation) {
    int8_t answer = atomic_load_explicit(&known[implementation], memory_order_relaxed);
    if (answer == 0) {
        const bool available =
            implementation == PRIME_KERNELS || prime_kernel_available((prime_kernel)implementation);
        answer = available ? 1 : -1;
        atomic_store_explicit(&known[implementation], answer, memory_order_relaxed);
    }
    return answer > 0;
}

const char *implementation_name(int implementation) {
    return implementation < PRIME_KERNELS ? prime_kernel_name((prime_kernel)implementation)
                                          : "one at a time";
}

char *implementation_names(char *text, size_t size) {
    size_t end = 0;
    text[0] = '\0';
    EACH_IMPLEMENTATION(i) {
        if (end < size) {
            end += (size_t)snprintf(text + end, size - end, "%s%s", end ? ", " : "",
                                    implementation_name(i));
        }
    }
    return text;
}

static void ask(int implementation, const uint64_t *n, size_t count, uint8_t *prime) {
    if (implementation < PRIME_KERNELS) {
        is_prime_batch_with((prime_kernel)implementation, n, count, prime);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        prime[i] = is_prime_64(n[i]);
    }
}

void answers_ask(answers *a, const uint64_t *n, size_t count) {
    EACH_IMPLEMENTATION(i) {
        ask(i, n, count, a->said[i]);
    }
}

/* ---- comparing ------------------------------------------------------------------------------- */

static void disagree(const answers *a, size_t index, uint64_t n, uint8_t wanted, comparison *sum) {
    if (sum->disagreements++ == 0) {
        sum->first.n = n;
        sum->first.wanted = wanted;
        for (int i = 0; i < IMPLEMENTATIONS; i++) {
            sum->first.said[i] = a->said[i][index];
        }
    }
}

static bool all_agree(const answers *a, const uint8_t *wanted, size_t from, size_t count) {
    bool agree = true;
    EACH_IMPLEMENTATION(i) {
        agree = agree && memcmp(a->said[i] + from, wanted + from, count) == 0;
    }
    return agree;
}

void answers_compare(const answers *a, const uint64_t *n, const uint8_t *wanted, size_t count,
                     comparison *sum) {
    sum->numbers += count;
    for (size_t i = 0; i < count; i++) {
        sum->primes += wanted[i];
    }
    if (all_agree(a, wanted, 0, count)) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (!all_agree(a, wanted, i, 1)) {
            disagree(a, i, n[i], wanted[i], sum);
        }
    }
}

void comparison_add(comparison *sum, const comparison *part) {
    if (sum->disagreements == 0) {
        sum->first = part->first;
    }
    sum->numbers += part->numbers;
    sum->primes += part->primes;
    sum->disagreements += part->disagreements;
}

static const char *word(uint8_t prime) {
    return prime == 0 ? "composite" : prime == 1 ? "prime" : "neither 0 nor 1";
}

void disagreement_print(const char *name, const char *oracle, const disagreement *d) {
    fprintf(stderr, "%s: %" PRIu64 ": %s says %s", name, d->n, oracle, word(d->wanted));
    EACH_IMPLEMENTATION(i) {
        fprintf(stderr, ", %s %s", implementation_name(i), word(d->said[i]));
    }
    fputc('\n', stderr);
}
