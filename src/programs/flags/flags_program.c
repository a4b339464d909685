#include "programs/flags/flags_program.h"

#include "programs/base/output.h"
#include "programs/base/seconds.h"
#include "programs/flags/download_run.h"

#include <error.h>
#include <stdio.h>

static void parse(const flags_program *program, download_options *options, int argc, char **argv) {
    char doc[1024];
    snprintf(doc, sizeof doc, "%s\v%s", program->doc, DOWNLOAD_DOC);
    download_options_parse(options, REMOTE_SITE, &(command_line){.doc = doc}, argc, argv);
}

void flags_list(country_code *codes, size_t count) {
    code_set set = {0};
    code_set_add(&set, POP20, count);
    code_set_list(&set, codes, count);
}

int flags_print_code(country_code code) {
    char text[8];
    const int length = snprintf(text, sizeof text, "%s ", code.text);
    return output_try_write(text, (size_t)length);
}

typedef struct tally {
    size_t saved, left;
    download_result first_error; /* if its status is that */
} tally;

static void count(void *context, const download_result *result) {
    tally *so_far = context;
    so_far->saved += result->status == DOWNLOAD_OK;
    so_far->left += result->status == DOWNLOAD_LEFT;
    if (result->status == DOWNLOAD_ERROR && so_far->first_error.status != DOWNLOAD_ERROR) {
        so_far->first_error = *result;
    }
}

static void report_error(const tally *end) {
    const download_result *first = &end->first_error;
    if (first->output_error != 0) {
        output_failed(first->output_error);
    }
    if (end->saved > 0) {
        output_print("\n");
        output_flush();
    }
    error(0, 0, "%s: %s", first->code.text, first->message);
}

void flags_print_end(size_t saved, size_t left, int64_t elapsed_ns) {
    output_print("\n%zu flag%s downloaded in %.2fs\n", saved, saved == 1 ? "" : "s",
                 seconds(elapsed_ns));
    if (left > 0) {
        output_print("%zu left.\n", left);
    }
    output_flush();
}

int flags_program_main(const flags_program *program, int argc, char **argv) {
    download_options options;
    output_prepare(argv);
    parse(program, &options, argc, argv);

    unsigned most = program->most < POP20_COUNT ? program->most : (unsigned)POP20_COUNT;
    most = download_run_connections(most, program->descriptors_each);

    download_run run;
    tally end = {0};
    country_code codes[POP20_COUNT];
    flags_list(codes, POP20_COUNT);
    const observing_subject subject = {.worker = program->worker,
                                       .ordered = program->ordered,
                                       .workers = most,
                                       .why = program->why};
    download_run_begin(&run, &options, &subject);
    run.settings.saved = flags_print_code;
    run.settings.ends_with_error = true;
    download_run_all(&run, program->download_many, codes, POP20_COUNT, most, count, &end);

    const bool failed = end.first_error.status == DOWNLOAD_ERROR;
    if (failed) {
        report_error(&end);
    } else {
        flags_print_end(end.saved, end.left, run.elapsed_ns);
    }
    const int code = download_run_end(&run);
    return code != 0 ? code : failed ? EXIT_ITEM : 0;
}
