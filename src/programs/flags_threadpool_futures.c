/* What Executor.map hides: a future for each download, and as_completed. */
#include "download/download_pool.h"
#include "platform/clock.h"
#include "programs/base/command_line.h"
#include "programs/base/output.h"
#include "programs/base/refusal.h"
#include "programs/base/userinfo.h"
#include "programs/flags/download_observed.h"
#include "programs/flags/download_run.h"
#include "programs/flags/flags_program.h"

#include <error.h>
#include <sched.h>

#define WORKERS_DEFAULT  3
#define LIMIT_DEFAULT    5
#define DESCRIPTORS_EACH 5

/* ---- the command line -------------------------------------------------------------------------- */

typedef struct futures_options {
    download_options download;
    unsigned workers; /* 0 = not given */
    unsigned limit;
} futures_options;

static void parse_workers(struct argp_state *state, char *text, void *data) {
    futures_options *options = data;
    command_line_number_once(state, "WORKERS", text, CF_WORKERS_MAX, &options->workers);
}

static void parse(futures_options *options, int argc, char **argv) {
    *options = (futures_options){.limit = LIMIT_DEFAULT};
    const command_line_option rows[] = {
        {"limit", 'l', "N", "Of the N countries with the most people, 20 at most (5)",
         .number = &options->limit, .min = 1, .max = POP20_COUNT, .more_is_max = true},
        {0},
    };
    const command_line line = {
        .doc = "Downloads the flags of five countries on WORKERS threads, and shows their futures: "
               "when they are submitted, and when they are completed."
               "\vWORKERS is a number from 1 to 1024, by default 3.\n\n" DOWNLOAD_DOC,
        .args_doc = "[WORKERS]",
        .options = rows,
        .take = parse_workers,
        .input = options,
    };
    download_options_parse(&options->download, REMOTE_SITE, &line, argc, argv);
    if (options->workers == 0) {
        options->workers = WORKERS_DEFAULT;
    }
}

static const char *reason_of_workers(const futures_options *options) {
    return options->workers > options->limit     ? "one for each flag"
           : options->workers == WORKERS_DEFAULT ? "the default"
                                                 : "as asked for";
}

/* ---- downloading --------------------------------------------------------------------------------- */

static void require(cf_status status) {
    require_ok(status, "cannot download");
}

/* A worker that is free begins in some microseconds; the line is to show that it did. */
static void wait_until_begun(const cf_future *future) {
    const int64_t long_enough_ns = plat_now_ns() + 100000000;
    while (cf_future_state(future) == CF_PENDING && plat_now_ns() < long_enough_ns) {
        sched_yield();
    }
}

static void submit_all(cf_executor *pool, cf_future **futures, const country_code *codes,
                       size_t count, int64_t *submitted_ns) {
    char text[64];
    for (size_t i = 0; i < count; i++) {
        submitted_ns[i] = plat_now_ns();
        require(cf_executor_submit(pool, &DOWNLOAD_TASK, &codes[i], &futures[i]));
        if (i < cf_executor_max_workers(pool)) {
            wait_until_begun(futures[i]);
        }
        output_print("Scheduled for %s: %s\n", codes[i].text,
                     cf_future_describe(futures[i], text, sizeof text));
        output_flush();
    }
}

typedef struct tally {
    size_t saved, left, errors;
    int output_error; /* of a worker that could not print its code; 0 = none */
} tally;

static void show(tally *so_far, const cf_future *future, const download_result *result) {
    char text[64];
    if (result->status == DOWNLOAD_OK) {
        so_far->saved++;
        output_print("%s result: '%s'\n", cf_future_describe(future, text, sizeof text),
                     result->code.text);
        output_flush();
    } else if (result->status == DOWNLOAD_LEFT) {
        so_far->left++;
    } else if (result->output_error != 0) {
        so_far->output_error = result->output_error;
    } else if (so_far->errors++ == 0) {
        error(0, 0, "%s: %s", result->code.text, result->message);
    }
}

static void collect_all(cf_future **futures, size_t count, tally *so_far, observing *to,
                        const int64_t *submitted_ns) {
    cf_as_completed *completed;
    require(cf_as_completed_create(futures, count, &completed));
    cf_future *future;
    size_t index;
    while (cf_as_completed_next(completed, CF_FOREVER, &future, &index) == CF_OK) {
        download_result result;
        require(cf_future_result(future, 0, &result));
        userinfo_hide(result.message);
        show(so_far, future, &result);
        download_observe(to, index, submitted_ns[index], &result);
    }
    cf_as_completed_destroy(completed);
}

int main(int argc, char **argv) {
    futures_options options;
    output_prepare(argv);
    parse(&options, argc, argv);
    const char *why = reason_of_workers(&options);
    if (options.workers > options.limit) {
        options.workers = options.limit; /* nobody else would have a code */
    }
    options.workers = download_run_connections(options.workers, DESCRIPTORS_EACH);
    const observing_subject subject = {.worker = "thread", .workers = options.workers, .why = why};

    download_run run;
    cf_executor *pool;
    country_code codes[POP20_COUNT];
    cf_future *futures[POP20_COUNT];
    int64_t submitted_ns[POP20_COUNT];
    tally end = {0};
    flags_list(codes, options.limit);
    download_run_begin(&run, &options.download, &subject);
    run.settings.saved = flags_print_code;
    run.settings.ends_with_error = true;
    download_run_prepare(&run);
    require(download_pool_create(cf_thread_pool_create, &run.settings, options.workers, &pool));
    download_run_begun(&run);
    submit_all(pool, futures, codes, options.limit, submitted_ns);
    collect_all(futures, options.limit, &end, run.observing, submitted_ns);
    for (size_t i = 0; i < options.limit; i++) {
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(pool);
    download_run_finished(&run);

    if (end.output_error != 0) {
        output_failed(end.output_error);
    }
    if (end.errors == 0) {
        flags_print_end(end.saved, end.left, run.elapsed_ns);
    }
    const int code = download_run_end(&run);
    return code != 0 ? code : end.errors > 0 ? EXIT_ITEM : 0;
}
