#include "programs/joblog/joblog.h"

#if defined PRIMEPOOL_HAVE_JOBLOG
#define AVAILABLE true
#else
#define AVAILABLE false
#endif

command_line_option joblog_option_file(joblog_options *options) {
    return (command_line_option){"joblog", 0, "FILE",
                                 "Write a line to FILE for all that is done, in the columns of GNU "
                                 "parallel, and one to FILE.more",
                                 .text = &options->file};
}

command_line_option joblog_option_resume(joblog_options *options) {
    return (command_line_option){
        "resume",
        .doc = "Do only what --joblog=FILE does not tell of, and continue standard output, a file",
        .flag = &options->resume};
}

void joblog_options_check(struct argp_state *state, const joblog_options *options) {
    if (options->resume && options->file == NULL) {
        command_line_error(state, "--resume: needs --joblog=FILE");
    }
    if (options->file != NULL && !AVAILABLE) {
        command_line_error(state, "--joblog: needs jansson and xxHash, which this build lacks");
    }
}
