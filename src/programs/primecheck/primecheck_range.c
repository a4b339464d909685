#include "programs/primecheck/primecheck_range.h"

#include "platform/clock.h"
#include "primes/prime_range.h"
#include "primes/primes.h"
#include "programs/base/activity.h"
#include "programs/base/output.h"
#include "programs/base/progress.h"
#include "programs/base/seconds.h"
#include "programs/base/stop_signals.h"
#include "programs/prime/prime_stats.h"
#include "programs/primecheck/primecheck_metrics.h"
#include "programs/primecheck/primecheck_report.h"

#include <error.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The time of one prime is not to be had: primesieve finds them by the thousand. */
static const char *const FORMS[][2] = {{"", "\n"}, {"{\"n\":\"", "\",\"prime\":true}\n"}};

typedef struct search {
    const primecheck_options *options;
    int64_t begun_ns;
    uint64_t count; /* so far */
    progress progress;
    primecheck_counts counts;
} search;

/* What has been looked through when it is known up to `last`. */
static void show_progress(search *s, uint64_t last) {
    const uint64_t *range = s->options->range;
    const double all = (double)(range[1] - range[0]) + 1;
    const double share = ((double)(last - range[0]) + 1) / all;
    const uint64_t verdicts[CHECK_VERDICTS] = {[CHECK_PRIME] = s->count};
    primecheck_counts_set(&s->counts, verdicts, 0, share);
    progress_show(&s->progress, s->count, share);
}

/* ---- SIGUSR1 --------------------------------------------------------------------------------- */

/* Who counts in one piece does not know how far it is. */
static void show_status(void *data) {
    const search *s = data;
    activity_page page;
    char found[64] = "";
    const double share = s->counts.share;
    if (share >= 0) {
        snprintf(found, sizeof found, "%" PRIu64 " primes in the first %.0f %%, ",
                 s->counts.verdicts[CHECK_PRIME], 100 * share);
    }
    activity_page_begin(&page);
    activity_page_add(&page, "%" PRIu64 "..%" PRIu64 ": %sfor %.3f s", s->options->range[0],
                      s->options->range[1], found, seconds(plat_now_ns() - s->begun_ns));
    activity_page_show(&page);
}

/* What was found is printed already. */
static void end_now(void *data) {
    (void)data;
}

/* ---- printing -------------------------------------------------------------------------------- */

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
    search *s = context;
    const bool json = s->options->json;
    const char *before = FORMS[json][0], *after = FORMS[json][1];
    const size_t before_length = strlen(before), after_length = strlen(after);
    const size_t most = before_length + DIGITS_MOST + after_length;
    size_t length = 0;
    progress_clear(&s->progress);
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
    s->count += count;
    if (count > 0) {
        show_progress(s, primes[count - 1]);
    }
}

/* ---- counting -------------------------------------------------------------------------------- */

/* While somebody watches, the range is counted in pieces. Each call of primesieve begins by sieving up to the
 * square root of where it ends: pieces are so long that this costs some percent at most, and otherwise so
 * long that each takes about as long as PIECE_NS. */
#define PIECE_NS    INT64_C(500000000)
#define PIECE_FIRST (UINT64_C(1) << 28)
#define PIECE_ROOTS 32 /* in square roots of its end */

static bool count_pieces(search *s, uint64_t from, uint64_t to, unsigned threads) {
    uint64_t piece = PIECE_FIRST;
    if (piece < PIECE_ROOTS * prime_isqrt(to)) {
        piece = PIECE_ROOTS * prime_isqrt(to);
    }
    for (;;) {
        const uint64_t last = to - from < piece ? to : from + piece - 1;
        const int64_t begun_ns = plat_now_ns();
        uint64_t found;
        if (!prime_range_count(from, last, threads, &found)) {
            return false;
        }
        s->count += found;
        if (last == to) {
            return true;
        }
        show_progress(s, last);
        if (plat_now_ns() - begun_ns < PIECE_NS && piece <= UINT64_MAX / 2) {
            piece *= 2;
        }
        from = last + 1;
    }
}

/* False: memory is short. */
static bool find(search *s, unsigned threads) {
    const primecheck_options *options = s->options;
    const uint64_t from = options->range[0], to = options->range[1];
    if (!options->count) {
        return prime_range_each(from, to, print_primes, s);
    }
    const bool watched = s->progress.line.shown || options->metrics != NULL;
    return watched ? count_pieces(s, from, to, threads)
                   : prime_range_count(from, to, threads, &s->count);
}

/* ---- all together ---------------------------------------------------------------------------- */

/* primesieve has threads of its own, and needs no executor of ours. */
int primecheck_range(const primecheck_options *options) {
    if (options->executor->is_helper != NULL && options->executor->is_helper()) {
        return EXIT_SUCCESS;
    }
    const unsigned threads = options->workers > 0 ? options->workers : cf_cpu_count(NULL);
    primecheck_report report = {.options = options};
    search s = {
        .options = options, .counts = {.share = PROGRESS_UNKNOWN}, .begun_ns = plat_now_ns()};
    metrics file;
    prime_stats stats;
    prime_stats_begin(&stats);
    metrics_begin(&file, options->metrics, primecheck_metrics_fill, &s.counts);
    progress_begin(&s.progress, options->progress, "primes");
    stop_signals_block();
    stop_signals_show(show_status, &s);
    stop_signals_start(end_now, NULL);
    const bool found = find(&s, threads);
    if (!found) {
        progress_clear(&s.progress);
        error(EXIT_ITEM, 0, "the range %" PRIu64 "..%" PRIu64 ": not enough memory to sieve it",
              options->range[0], options->range[1]);
    }
    report.counts[CHECK_PRIME] = s.count;
    show_progress(&s, options->range[1]);
    progress_clear(&s.progress);
    stop_signals_end();
    metrics_end(&file);
    prime_stats_end(&stats, NULL, 0);
    stats.executor = "primesieve";
    stats.tasks.max_workers = options->count ? threads : 1;
    primecheck_report_counts(&report);
    primecheck_report_end(&report, &stats);
    prime_stats_free(&stats);
    free(options->words);
    return metrics_exit_code(&file, EXIT_SUCCESS);
}
