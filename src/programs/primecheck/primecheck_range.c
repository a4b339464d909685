#include "programs/primecheck/primecheck_range.h"

#include "primes/prime_range.h"
#include "programs/base/output.h"
#include "programs/prime/prime_stats.h"
#include "programs/primecheck/primecheck_report.h"

#include <error.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The time of one prime is not to be had: primesieve finds them by the thousand. */
static const char *const FORMS[][2] = {{"", "\n"}, {"{\"n\":\"", "\",\"prime\":true}\n"}};

typedef struct printing {
    bool json;
    uint64_t count;
} printing;

#define DIGITS_MOST 20

/* Returns the first of the digits, which end before `end`. */
static char *write_digits(uint64_t n, char *end) {
    do {
        *--end = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return end;
}

static void print_primes(void *context, const uint64_t *primes, size_t count) {
    static char text[1 << 16];
    printing *p = context;
    const char *before = FORMS[p->json][0], *after = FORMS[p->json][1];
    const size_t before_length = strlen(before), after_length = strlen(after);
    const size_t most = before_length + DIGITS_MOST + after_length;
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        char digits[DIGITS_MOST];
        const char *first = write_digits(primes[i], digits + DIGITS_MOST);
        const size_t digits_length = (size_t)(digits + DIGITS_MOST - first);
        memcpy(text + length, before, before_length);
        memcpy(text + length + before_length, first, digits_length);
        memcpy(text + length + before_length + digits_length, after, after_length);
        length += before_length + digits_length + after_length;
        if (length + most > sizeof text) {
            output_write_lines(text, length);
            length = 0;
        }
    }
    output_write_lines(text, length);
    p->count += count;
}

static uint64_t find(const primecheck_options *options, unsigned threads) {
    const uint64_t from = options->range[0], to = options->range[1];
    printing print = {.json = options->json};
    const bool found = options->count ? prime_range_count(from, to, threads, &print.count)
                                      : prime_range_each(from, to, print_primes, &print);
    if (!found) {
        error(EXIT_ITEM, 0, "the range %" PRIu64 "..%" PRIu64 ": not enough memory to sieve it",
              from, to);
    }
    return print.count;
}

/* primesieve has threads of its own, and needs no executor of ours. */
int primecheck_range(const primecheck_options *options) {
    if (options->executor->is_helper != NULL && options->executor->is_helper()) {
        return EXIT_SUCCESS;
    }
    const unsigned threads = options->workers > 0 ? options->workers : cf_cpu_count(NULL);
    primecheck_report report = {.options = options};
    prime_stats stats;
    prime_stats_begin(&stats);
    report.counts[CHECK_PRIME] = find(options, threads);
    prime_stats_end(&stats, NULL, 0);
    stats.executor = "primesieve";
    stats.tasks.max_workers = options->count ? threads : 1;
    primecheck_report_counts(&report);
    primecheck_report_end(&report, &stats);
    prime_stats_free(&stats);
    free(options->words);
    return EXIT_SUCCESS;
}
