#include "programs/flags/flags2_program.h"

#include "programs/base/output.h"
#include "programs/flags/download_run.h"
#include "programs/flags/flags2_options.h"
#include "programs/flags/flags2_report.h"

static void collect(void *context, const download_result *result) {
    flags2_report_result(context, result);
}

int flags2_program_main(const flags2_program *program, int argc, char **argv) {
    static flags2_options options; /* for its list of codes */
    output_prepare(argv);
    flags2_options_parse(&options, program, argc, argv);
    options.most = download_run_connections(options.most, program->descriptors_each);

    download_run run;
    flags2_report report;
    download_run_begin(&run, &options.download);
    run.settings.retries = options.retries;
    run.settings.size_limit = options.size_limit;
    run.settings.sync = options.sync;
    run.settings.skip_existing = options.skip_existing;
    flags2_report_begin(&report, &options);
    download_run_all(&run, program->download_many, options.codes, options.count, options.most,
                     collect, &report);
    flags2_report_end(&report, run.elapsed_ns);
    download_run_end(&run);
    return report.counts[DOWNLOAD_ERROR] > 0 ? EXIT_ITEM : 0;
}
