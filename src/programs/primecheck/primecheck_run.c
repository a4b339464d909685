#include "programs/primecheck/primecheck_run.h"

#include "platform/clock.h"
#include "programs/base/activity.h"
#include "programs/base/output.h"
#include "programs/base/progress.h"
#include "programs/base/refusal.h"
#include "programs/base/seconds.h"
#include "programs/base/stop_signals.h"
#include "programs/prime/prime_stats.h"
#include "programs/primecheck/number_reader.h"
#include "programs/primecheck/primecheck_log.h"
#include "programs/primecheck/primecheck_metrics.h"
#include "programs/primecheck/primecheck_report.h"
#include "programs/timeline/observing.h"

#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RETRIES   2         /* of a block whose worker dies */
#define LOOK_NS   100000000 /* how long to wait for a block, before the input is asked again */
#define FINISH_MS 200       /* how long what is finished may take to be shown after a signal */

/* Blocks under way for each worker: one that it has, one that waits for it and one to be printed. Where a
 * block is a single number they take very different times; but there must not be too many in all. */
#define WINDOW              3
#define WINDOW_NUMBERS      64
#define WINDOW_NUMBERS_MOST 4096

/* The main thread does everything here. When a signal comes, on_signal sets `stopping` on a thread of
 * its own and waits until the main thread has shown what is finished, which that says by `finished`; or
 * for FINISH_MS, if the main thread is in the middle of something. */
typedef struct check_run {
    const primecheck_options *options;
    number_reader reader;
    primecheck_report report;
    primecheck_log log;
    progress progress;
    observing *observing; /* NULL: nothing is recorded */
    int64_t begun_ns;
    metrics metrics;
    primecheck_counts counts;
    uint64_t begun_bytes, shown_bytes; /* of blocks that were begun; that were shown */
    atomic_bool stopping;
    atomic_bool showing;   /* the main thread prints, and counts */
    int stopped, finished; /* descriptors of events: the signal came; all is shown */
} check_run;

/* ---- a signal -------------------------------------------------------------------------------- */

static void announce(int event) {
    eventfd_write(event, 1);
}

static void show_counts(check_run *run) {
    progress_clear(&run->progress);
    primecheck_report_counts(&run->report);
    output_flush();
}

static void on_signal(void *data) {
    check_run *run = data;
    struct pollfd finished = {.fd = run->finished, .events = POLLIN};
    atomic_store(&run->stopping, true);
    announce(run->stopped);
    if (poll(&finished, 1, FINISH_MS) == 0 && !atomic_load(&run->showing)) {
        show_counts(run);
    }
    metrics_write(&run->metrics);
}

/* ---- SIGUSR1 --------------------------------------------------------------------------------- */

static void describe_block(uint64_t line, const char *first, char *text, size_t size) {
    const char *more = strlen(first) == ACTIVITY_TEXT - 1 ? "..." : "";
    snprintf(text, size, "line %" PRIu64 ", from %s%s on,", line, first, more);
}

static void describe_words(uint64_t word, const char *first, char *text, size_t size) {
    (void)word;
    const char *more = strlen(first) == ACTIVITY_TEXT - 1 ? "..." : "";
    snprintf(text, size, "from %s%s on,", first, more);
}

static void show_status(void *data) {
    check_run *run = data;
    char head[160], share[32] = "";
    uint64_t numbers = 0;
    for (int verdict = 0; verdict < CHECK_VERDICTS; verdict++) {
        numbers += atomic_load(&run->counts.verdicts[verdict]);
    }
    if (run->counts.share >= 0) {
        snprintf(share, sizeof share, ", %.0f %% of the input", 100 * run->counts.share);
    }
    snprintf(head, sizeof head, "%" PRIu64 " numbers done%s in %.3f s", numbers, share,
             seconds(plat_now_ns() - run->begun_ns));
    activity_print(run->counts.executor, head,
                   run->reader.name == NULL ? describe_words : describe_block);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static cf_source_answer next_block(void *context, void *arg) {
    static const cf_source_answer MEANS[] = {[READER_END] = CF_SOURCE_END,
                                             [READER_BLOCK] = CF_SOURCE_ITEM,
                                             [READER_LATER] = CF_SOURCE_LATER};
    check_run *run = context;
    if (atomic_load(&run->stopping)) {
        return CF_SOURCE_END;
    }
    const reader_answer answer = number_reader_next(&run->reader, arg);
    if (answer == READER_BLOCK) {
        ((number_block *)arg)->seq = primecheck_log_next_seq(&run->log);
        run->begun_bytes += ((const number_block *)arg)->length;
    }
    return MEANS[answer];
}

/* Prints it, and then logs it. */
static void report(check_run *run, const cf_stream_item *item) {
    const bool done = item->exception.status == CF_OK;
    const unsigned attempts = item->exception.status == CF_EWORKER ? RETRIES + 1 : 0;
    uint64_t counts[CHECK_VERDICTS];
    memcpy(counts, run->report.counts, sizeof counts);
    if (done) {
        primecheck_report_block(&run->report, item->arg, item->result);
    } else {
        primecheck_report_lost(&run->report, item->arg, &item->exception, attempts);
        run->counts.failed_blocks++;
    }
    for (int verdict = 0; verdict < CHECK_VERDICTS; verdict++) {
        counts[verdict] = run->report.counts[verdict] - counts[verdict];
    }
    primecheck_log_block(&run->log, item->arg, done ? item->result : NULL, &item->exception,
                         attempts, counts);
}

/* Of the input, how much is shown. What was passed over between blocks counts for nothing. */
static double share_of(const check_run *run) {
    const number_reader *reader = &run->reader;
    if (reader->size == 0 || reader->size < reader->taken) { /* a pipe, or a file that grows */
        return PROGRESS_UNKNOWN;
    }
    return (double)run->shown_bytes / (double)(reader->size - reader->taken + run->begun_bytes);
}

static uint64_t count_numbers(const check_run *run) {
    uint64_t numbers = 0;
    for (int verdict = 0; verdict < CHECK_VERDICTS; verdict++) {
        numbers += run->report.counts[verdict];
    }
    return numbers;
}

static void show_progress(check_run *run) {
    primecheck_counts_set(&run->counts, run->report.counts, run->begun_bytes, share_of(run));
    progress_show(&run->progress, count_numbers(run), share_of(run));
}

/* A block is known by the line on which it begins. */
static void observe(check_run *run, const cf_stream_item *item) {
    const number_block *block = item->arg;
    char label[32];
    snprintf(label, sizeof label, "line %" PRIu64, block->line);
    observing_handed(run->observing, item->index, label);
}

static void show(check_run *run, const cf_stream_item *item) {
    atomic_store(&run->showing, true);
    progress_clear(&run->progress);
    report(run, item);
    observe(run, item);
    run->counts.blocks++;
    run->shown_bytes += ((const number_block *)item->arg)->length;
    show_progress(run);
    atomic_store(&run->showing, false);
}

/* serial runs a block when it is submitted: what is done is to be shown before the next one begins. */
static size_t window(const primecheck_options *options, size_t workers) {
    if (options->executor->create == cf_serial_create) {
        return 1;
    }
    if (options->check.method == CHECK_BY_BATCH) {
        return WINDOW * workers;
    }
    const size_t numbers = WINDOW_NUMBERS * workers;
    return numbers < WINDOW_NUMBERS_MOST ? numbers : WINDOW_NUMBERS_MOST;
}

static cf_stream *open_stream(check_run *run, cf_executor *executor) {
    const primecheck_options *options = run->options;
    const cf_task task = check_block_task();
    const cf_stream_options stream_options = {
        .as_completed = options->completed,
        .window = window(options, cf_executor_max_workers(executor)),
        .chunk = 1,
        .retries = RETRIES};
    cf_stream *stream;
    require_ok(cf_stream_open(executor, &task, next_block, run, &stream_options, &stream),
               "cannot begin");
    return stream;
}

/* Returns how the stream ended. */
static refusal check_all(check_run *run, cf_stream *stream) {
    cf_stream_item item;
    cf_status status;
    do {
        if (atomic_load(&run->stopping)) {
            cf_stream_stop(stream);
        }
        status = cf_stream_next(stream, LOOK_NS, &item);
        if (status == CF_OK) {
            show(run, &item);
        } else if (status == CF_ELATER) {
            number_reader_wait(&run->reader, run->stopped);
        } else if (status == CF_ETIMEDOUT && !atomic_load(&run->stopping)) {
            show_progress(run);
        }
    } while (status == CF_OK || status == CF_ETIMEDOUT || status == CF_ELATER);
    return refusal_of(status);
}

/* ---- all together ---------------------------------------------------------------------------- */

static bool is_blank(const char *word) {
    while (token_is_blank(*word)) {
        word++;
    }
    return *word == '\0';
}

static void open_input(check_run *run) {
    const primecheck_options *options = run->options;
    const size_t most = check_most_token(options->check.max_digits);
    const bool from_words = options->words[0] != NULL;
    const char *file = options->file != NULL ? options->file : "-";
    const bool opened =
        from_words ? number_reader_open_words(&run->reader, options->words,
                                              options->check.soft_limit, most)
                   : number_reader_open(&run->reader, file, options->check.soft_limit, most);
    if (!opened) {
        error(EXIT_IO, errno, "%s", from_words ? "the command line: memfd_create" : file);
    }
    run->report.input = run->reader.name;
}

/* Between blanks there is nothing, but a word of nothing was meant to be a number. */
static void report_blank_words(check_run *run) {
    for (char **word = run->options->words; *word != NULL; word++) {
        if (is_blank(*word)) {
            if (!primecheck_log_is_resumed(&run->log)) {
                primecheck_report_invalid(&run->report, *word, strlen(*word), 0);
            }
            run->report.counts[CHECK_INVALID]++;
        }
    }
}

static cf_executor *create_executor(check_run *run) {
    const primecheck_options *options = run->options;
    cf_executor *executor;
    check_block_set(&options->check);
    const observing_subject subject = {
        .program = "primecheck",
        .worker = options->executor->worker,
        .ordered = !options->completed,
        .asked = options->workers,
    };
    const bool helps = options->executor->is_helper != NULL && options->executor->is_helper();
    run->observing = helps ? NULL : observing_begin(&options->observing, &subject);
    const cf_pool_options pool = {
        .max_workers = options->workers,
        .finalizer = check_worker_end,
        .name = "primecheck",
        .observer = observing_observer(run->observing),
    };
    require_ok(options->executor->create(&pool, &executor), "cannot create the executor");
    return executor;
}

static int exit_code(const check_run *run, const refusal *ended) {
    if (run->reader.error != 0) {
        error(0, run->reader.error, "%s", run->reader.name);
        return EXIT_IO;
    }
    if (ended->status != CF_EEXHAUSTED) {
        char text[128];
        error(0, 0, "the rest of the numbers: %s", refusal_describe(ended, text, sizeof text));
        return EXIT_ITEM;
    }
    const uint64_t *counts = run->report.counts;
    return counts[CHECK_INVALID] > 0 || counts[CHECK_FAILED] > 0 ? EXIT_ITEM : EXIT_SUCCESS;
}

int primecheck_run(const primecheck_options *options) {
    check_run run = {.options = options,
                     .report = {.options = options},
                     .counts = {.share = PROGRESS_UNKNOWN},
                     .stopped = eventfd(0, EFD_CLOEXEC),
                     .finished = eventfd(0, EFD_CLOEXEC)};
    if (run.stopped < 0 || run.finished < 0) {
        error(EXIT_ITEM, errno, "cannot create an event: eventfd");
    }
    activity_prepare();
    /* A process that only helps ends here, and touches no input. */
    const bool has_helpers = options->executor->is_helper != NULL;
    cf_executor *executor = has_helpers ? create_executor(&run) : NULL;
    open_input(&run);
    primecheck_log_open(&run.log, options, &run.reader, &run.report);
    report_blank_words(&run);

    prime_stats stats;
    prime_stats_begin(&stats);
    if (!has_helpers) {
        executor = create_executor(&run); /* a process pool: before any thread */
    }
    observing_executor(run.observing, executor);
    stop_signals_block();
    run.counts.executor = executor;
    metrics_begin(&run.metrics, options->metrics, primecheck_metrics_fill, &run.counts);
    run.begun_ns = plat_now_ns();
    stop_signals_show(show_status, &run);
    stop_signals_start(on_signal, &run);
    progress_begin(&run.progress, options->progress, "numbers");
    progress_resume(&run.progress, count_numbers(&run), share_of(&run));
    cf_stream *stream = open_stream(&run, executor);
    const refusal ended = check_all(&run, stream);
    cf_stream_close(stream);
    show_counts(&run);
    announce(run.finished);
    stop_signals_end();

    cf_executor_shutdown(executor, true, true);
    metrics_end(&run.metrics);
    const int unwritten = observing_end(run.observing);
    prime_stats_end(&stats, executor, run.report.work_ns);
    primecheck_report_end(&run.report, &stats);
    prime_stats_free(&stats);
    const int code =
        metrics_exit_code(&run.metrics, unwritten != 0 ? unwritten : exit_code(&run, &ended));
    number_reader_close(&run.reader);
    primecheck_log_close(&run.log);
    close(run.stopped);
    close(run.finished);
    free(options->words);
    return code;
}
