#include "programs/prime/prime_options.h"

#include "primes/primes.h"
#include "programs/base/command_line.h"
#include "programs/prime/kernel_variable.h"

#include <stdio.h>
#include <string.h>

#define RETRIES_DEFAULT 2

static const char EXIT_DOC[] =
    "Exit status: 0 done, 1 a number could not be checked, 2 a usage error, 3 the numbers cannot "
    "be read or the results cannot be written.";

typedef struct parse_input {
    const prime_program *program;
    prime_options *options;
} parse_input;

static bool takes_workers(const prime_program *program) {
    return program->workers != NULL && !program->started_outside;
}

/* ---- values: each either sets its option or ends the program with a usage error -------------- */

static void parse_workers(struct argp_state *state, char *text, void *data) {
    const parse_input *input = data;
    if (!takes_workers(input->program)) {
        argp_error(state, "'%s': this program takes no WORKERS and no other argument", text);
    }
    command_line_number_once(state, "WORKERS", text, CF_WORKERS_MAX, &input->options->workers);
}

static void parse_order(struct argp_state *state, const char *name, char *text, void *completed) {
    const bool is_completed = strcmp(text, "completed") == 0;
    if (!is_completed && strcmp(text, "map") != 0) {
        argp_error(state, "%s: '%s' is neither map nor completed", name, text);
    }
    *(bool *)completed = is_completed;
}

static void parse_method(struct argp_state *state, const char *name, char *text, void *value) {
    const size_t method = prime_method_find(text);
    if (method == PRIME_METHODS_COUNT) {
        argp_error(state,
                   "%s: method '%s' is not in this build, only trial, wheel, vector and bpsw", name,
                   text);
    }
    *(size_t *)value = method;
}

/* What no value shows to be wrong by itself. */
static void check_together(struct argp_state *state, void *data) {
    const prime_options *options = ((const parse_input *)data)->options;
    const prime_method *method = &PRIME_METHODS[options->method];
    if (options->split && method->refute == NULL) {
        argp_error(state, "--split: --method=%s looks for no divisors that could be spread",
                   method->name);
    }
    joblog_options_check(state, &options->joblog);
    kernel_variable_check(state);
}

/* ---- the parser ------------------------------------------------------------------------------ */

void prime_options_parse(prime_options *options, const prime_program *program, int argc,
                         char **argv) {
    *options = (prime_options){.completed = program->completed, .retries = RETRIES_DEFAULT};
    parse_input input = {program, options};
    char doc[1024];
    if (!takes_workers(program)) {
        snprintf(doc, sizeof doc, "%s\v%s", program->doc, EXIT_DOC);
    } else {
        snprintf(doc, sizeof doc,
                 "%s\vWORKERS is a number from 1 to %d. Without it there is one for each processor "
                 "that may be used.\n\n%s",
                 program->doc, CF_WORKERS_MAX, EXIT_DOC);
    }
    const command_line_option rows[] = {
        {"order", 'o', "map|completed",
         "Print results in the order of submission, or as they are completed", .parse = parse_order,
         .value = &options->completed},
        {"method", 'm', "trial|wheel|vector|bpsw", "How a number is tested (trial)",
         .parse = parse_method, .value = &options->method},
        {"split", 's', .doc = "Spread the divisors of each number over all workers; bpsw has none",
         .flag = &options->split},
        {"numbers", 'n', "FILE",
         "Check the numbers in FILE (- is standard input), one a line; # begins a comment",
         .text = &options->numbers},
        {"retries", 'R', "N",
         "How often a number is tried again when its worker dies (" STRING(RETRIES_DEFAULT) ")",
         .number = &options->retries, .max = CF_RETRIES_MAX},
        {"timeout", 't', "SECONDS",
         "How long the test of one number may take, 1.5 say; it is not tried again",
         .duration_ns = &options->timeout_ns},
        command_line_stats(&options->stats),
        command_line_json('j', &options->json),
        observing_trace_option(&options->observing),
        observing_report_option(&options->observing),
        joblog_option_file(&options->joblog),
        joblog_option_resume(&options->joblog),
        command_line_progress(&options->progress),
        command_line_metrics(&options->metrics),
        {0},
    };
    const command_line line = {
        .doc = doc,
        .args_doc = takes_workers(program) ? "[WORKERS]" : NULL,
        .options = rows,
        .take = parse_workers,
        .check = check_together,
        .input = &input,
    };
    command_line_parse(&line, argc, argv);
}
