#include "programs/prime/prime_options.h"

#include "primes/primes.h"
#include "programs/base/command_line.h"
#include "programs/prime/kernel_variable.h"

#include <stdio.h>
#include <string.h>

#define RETRIES_DEFAULT  2
#define STRING(value)    STRING_OF(value)
#define STRING_OF(value) #value

static const struct argp_option OPTIONS[] = {
    {.name = "order",
     .key = 'o',
     .arg = "map|completed",
     .doc = "Print results in the order of submission, or as they are completed"},
    {.name = "method",
     .key = 'm',
     .arg = "trial|wheel|vector|bpsw",
     .doc = "How a number is tested (trial)"},
    {.name = "split",
     .key = 's',
     .doc = "Spread the divisors of each number over all workers; bpsw has none"},
    {.name = "numbers",
     .key = 'n',
     .arg = "FILE",
     .doc = "Check the numbers in FILE (- is standard input), one a line; # begins a comment"},
    {.name = "retries",
     .key = 'R',
     .arg = "N",
     .doc = "How often a number is tried again when its worker dies (" STRING(RETRIES_DEFAULT) ")"},
    {.name = "timeout",
     .key = 't',
     .arg = "SECONDS",
     .doc = "How long the test of one number may take, 1.5 say; it is not tried again"},
    {.name = "stats", .key = 'S', .doc = "After the last line, tell what the run cost"},
    {.name = "json", .key = 'j', .doc = "Print one JSON object a line instead of text"},
    COMMAND_LINE_DIGITS,
    {0},
};

static const char EXIT_DOC[] =
    "Exit status: 0 done, 1 a number could not be checked, 2 a usage error, 3 the numbers cannot "
    "be read or the results cannot be written.";

typedef struct parse_input {
    const prime_program *program;
    prime_options *options;
} parse_input;

/* ---- values: each either sets its option or ends the program with a usage error -------------- */

static void parse_workers(struct argp_state *state, const char *text) {
    const parse_input *input = state->input;
    if (input->program->workers == NULL) {
        argp_error(state, "'%s': this program takes no WORKERS and no other argument", text);
    }
    if (input->options->workers != 0) {
        argp_error(state, "'%s': WORKERS, a number from 1 to %d, is given once", text,
                   CF_WORKERS_MAX);
    }
    input->options->workers = command_line_number(state, "WORKERS", text, 1, CF_WORKERS_MAX);
}

static bool parse_order(struct argp_state *state, const char *text) {
    bool completed = strcmp(text, "completed") == 0;
    if (!completed && strcmp(text, "map") != 0) {
        argp_error(state, "--order: '%s' is neither map nor completed", text);
    }
    return completed;
}

static size_t parse_method(struct argp_state *state, const char *text) {
    size_t method = prime_method_find(text);
    if (method == PRIME_METHODS_COUNT) {
        argp_error(state,
                   "--method: method '%s' is not in this build, only trial, wheel, vector and bpsw",
                   text);
    }
    return method;
}

/* What no value shows to be wrong by itself. */
static void check_together(struct argp_state *state) {
    const prime_options *options = ((const parse_input *)state->input)->options;
    const prime_method *method = &PRIME_METHODS[options->method];
    if (options->split && method->refute == NULL) {
        argp_error(state, "--split: --method=%s looks for no divisors that could be spread",
                   method->name);
    }
    kernel_variable_check(state);
}

static error_t parse_option(int key, char *text, struct argp_state *state) {
    const parse_input *input = state->input;
    prime_options *options = input->options;
    char word[64];

    switch (key) {
    case 'o':
        options->completed = parse_order(state, text);
        return 0;
    case 'm':
        options->method = parse_method(state, text);
        return 0;
    case 's':
        options->split = true;
        return 0;
    case 'n':
        options->numbers = text;
        return 0;
    case 'R':
        options->retries = command_line_number(state, "--retries", text, 0, CF_RETRIES_MAX);
        return 0;
    case 't':
        options->timeout_ns = command_line_seconds(state, "--timeout", text);
        return 0;
    case 'S':
        options->stats = true;
        return 0;
    case 'j':
        options->json = true;
        return 0;
    case ARGP_KEY_ARG:
        parse_workers(state, text);
        return 0;
    case ARGP_KEY_END:
        check_together(state);
        return 0;
    default:
        if (!command_line_is_negative(key, text, word, sizeof word)) {
            return ARGP_ERR_UNKNOWN;
        }
        parse_workers(state, word);
        return 0;
    }
}

/* ---- the parser ------------------------------------------------------------------------------ */

void prime_options_parse(prime_options *options, const prime_program *program, int argc,
                         char **argv) {
    *options = (prime_options){.completed = program->completed, .retries = RETRIES_DEFAULT};
    parse_input input = {program, options};
    char doc[1024];
    if (program->workers == NULL) {
        snprintf(doc, sizeof doc, "%s\v%s", program->doc, EXIT_DOC);
    } else {
        snprintf(doc, sizeof doc,
                 "%s\vWORKERS is a number from 1 to %d. Without it there is one for each processor "
                 "that may be used.\n\n%s",
                 program->doc, CF_WORKERS_MAX, EXIT_DOC);
    }
    struct argp argp = {
        .options = OPTIONS,
        .parser = parse_option,
        .args_doc = program->workers == NULL ? NULL : "[WORKERS]",
        .doc = doc,
    };
    command_line_parse(&argp, 0, argc, argv, &input);
}
