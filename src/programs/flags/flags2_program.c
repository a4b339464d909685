#include "programs/flags/flags2_program.h"

#include "programs/base/output.h"
#include "programs/flags/download_run.h"
#include "programs/flags/flags2_log.h"
#include "programs/flags/flags2_options.h"
#include "programs/flags/flags2_report.h"

typedef struct collector {
    flags2_report report;
    flags2_log log;
} collector;

static void collect(void *context, const download_result *result) {
    collector *to = context;
    flags2_report_result(&to->report, result);
    flags2_log_result(&to->log, result);
}

int flags2_program_main(const flags2_program *program, int argc, char **argv) {
    static flags2_options options; /* for its list of codes */
    output_prepare(argv);
    flags2_options_parse(&options, program, argc, argv);
    options.most = download_run_connections(options.most, program->descriptors_each);

    download_run run;
    collector to;
    download_run_begin(&run, &options.download);
    run.settings.retries = options.retries;
    run.settings.size_limit = options.size_limit;
    run.settings.sync = options.sync;
    run.settings.skip_existing = options.skip_existing;
    flags2_log_open(&to.log, &options, &run);
    flags2_report_begin(&to.report, &options, to.log.kept > 0);
    flags2_log_restore(&to.log, &to.report);
    if (to.log.left_count > 0) {
        download_run_all(&run, program->download_many, to.log.left, to.log.left_count, options.most,
                         collect, &to);
    }
    flags2_report_end(&to.report, run.elapsed_ns);
    download_run_end(&run);
    flags2_log_close(&to.log);
    return to.report.counts[DOWNLOAD_ERROR] > 0 ? EXIT_ITEM : 0;
}
