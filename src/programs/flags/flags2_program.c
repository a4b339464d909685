#include "programs/flags/flags2_program.h"

#include "programs/base/metrics.h"
#include "programs/base/output.h"
#include "programs/base/stop_signals.h"
#include "programs/flags/download_run.h"
#include "programs/flags/flags2_log.h"
#include "programs/flags/flags2_options.h"
#include "programs/flags/flags2_report.h"
#include "programs/flags/flags2_status.h"

#include <stdatomic.h>

/* ---- --metrics: counted by the thread that collects, read by another ---------------------------- */

typedef struct counted {
    flags2_report report;
    flags2_log log;
    _Atomic size_t results[DOWNLOAD_ERROR + 1];
    _Atomic size_t retries, bytes;
} counted;

static void collect(void *context, const download_result *result) {
    counted *run = context;
    run->results[result->status]++;
    run->bytes += result->size;
    run->retries += result->attempts > 1 ? result->attempts - 1 : 0;
    flags2_report_result(&run->report, result);
    flags2_log_result(&run->log, result);
}

static size_t count_done(counted *run) {
    size_t done = 0;
    for (int status = DOWNLOAD_OK; status <= DOWNLOAD_ERROR; status++) {
        done += run->results[status];
    }
    return done;
}

static void fill_page(metrics_page *page, void *context) {
    static const char *const LABELS[] = {
        [DOWNLOAD_LEFT] = NULL,
        [DOWNLOAD_OK] = "status=\"ok\"",
        [DOWNLOAD_EXISTING] = "status=\"existing\"",
        [DOWNLOAD_NOT_FOUND] = "status=\"not_found\"",
        [DOWNLOAD_ERROR] = "status=\"error\"",
    };
    counted *run = context;
    const flags2_options *options = run->report.options;
    for (int status = DOWNLOAD_OK; status <= DOWNLOAD_ERROR; status++) {
        metrics_counter(page, "downloads_total", "Flags that are done, by what became of them.",
                        LABELS[status], run->results[status]);
    }
    metrics_gauge(page, "downloads_left", "Flags that are not done.", NULL,
                  (double)(options->count - count_done(run)));
    metrics_counter(page, "download_retries_total",
                    "Attempts after the first, of flags that are done.", NULL, run->retries);
    metrics_counter(page, "download_bytes_total", "Bytes that were saved.", NULL, run->bytes);
    metrics_gauge(page, "connections_max", "Connections that there may be at once.", NULL,
                  options->most);
}

/* ---- SIGUSR1 ------------------------------------------------------------------------------------- */

static void show_status(void *context) {
    counted *run = context;
    const flags2_options *options = run->report.options;
    flags2_status_print(count_done(run), options->count, options->most);
}

/* ---- --trace, --report --------------------------------------------------------------------------- */

/* Why there are so many connections. wanted: without the limit on open files. */
static const char *reason_of_most(const flags2_program *program, const flags2_options *options,
                                  unsigned wanted) {
    return program->most == 1       ? "one after the other"
           : options->most < wanted ? "the limit on open files has room for no more"
           : options->most == program->most_by_default ? "the default"
           : options->most == options->count           ? "one for each flag"
                                                       : "as asked for";
}

/* ---- all of it ----------------------------------------------------------------------------------- */

int flags2_program_main(const flags2_program *program, int argc, char **argv) {
    static flags2_options options; /* for its list of codes */
    output_prepare(argv);
    stop_signals_prepare();
    flags2_options_parse(&options, program, argc, argv);
    const unsigned wanted = options.most;
    options.most = download_run_connections(wanted, program->descriptors_each);
    const observing_subject subject = {.worker = program->worker,
                                       .ordered = program->ordered,
                                       .workers = options.most,
                                       .why = reason_of_most(program, &options, wanted)};

    download_run run;
    metrics file;
    counted now = {.retries = 0};
    download_run_begin(&run, &options.download, &subject);
    run.settings.retries = options.retries;
    run.settings.size_limit = options.size_limit;
    run.settings.sync = options.sync;
    run.settings.moved = flags2_status_moved;
    run.settings.skip_existing = options.skip_existing;
    flags2_log_open(&now.log, &options, &run);
    flags2_report_begin(&now.report, &options, now.log.kept > 0);
    flags2_log_restore(&now.log, &now.report);
    stop_signals_show(show_status, &now);
    metrics_begin(&file, options.metrics, fill_page,
                  &now); /* no pool of processes comes after it */
    if (now.log.left_count > 0) {
        download_run_all(&run, program->download_many, now.log.left, now.log.left_count,
                         options.most, collect, &now);
    }
    metrics_end(&file);
    flags2_report_end(&now.report, run.elapsed_ns);
    const int code =
        metrics_exit_code(&file, now.report.counts[DOWNLOAD_ERROR] > 0 ? EXIT_ITEM : 0);
    const int observed = download_run_end(&run);
    flags2_log_close(&now.log);
    return observed != 0 ? observed : code;
}
