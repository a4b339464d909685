#include "programs/primecheck/primecheck_options.h"

#include "primes/is_prime_big.h"
#include "primes/prime_range.h"
#include "primes/primes.h"
#include "programs/base/command_line.h"
#include "programs/base/output.h"
#include "programs/prime/kernel_variable.h"
#include "programs/primecheck/number_reader.h"

#ifdef PRIMEPOOL_HAVE_OPENMP
#include <cfutures_openmp.h>
#endif

#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_DIGITS_DEFAULT 10000
#define BLOCK_MOST         (512 << 10)
#define MAX_DIGITS_MOST    1000000
#define STRING(value)      STRING_OF(value)
#define STRING_OF(value)   #value

#ifdef PRIMEPOOL_HAVE_OPENMP
#define OPENMP_CHOICE "openmp|"
#define OPENMP_NAME   ", openmp"
#else
#define OPENMP_CHOICE ""
#define OPENMP_NAME   ""
#endif

enum { /* options without a short form */
    KEY_ONLY = 256,
    KEY_PROVE,
    KEY_MAX_DIGITS,
    KEY_PROGRESS,
    KEY_BLOCK,
};

static const struct argp_option OPTIONS[] = {
    {.name = "workers", .key = 'w', .arg = "N", .doc = "How many (the CPUs that may be used)"},
    {.name = "executor",
     .key = 'e',
     .arg = "threads|processes|" OPENMP_CHOICE "serial",
     .doc = "What the workers are (threads)"},
    {.name = "file",
     .key = 'f',
     .arg = "FILE",
     .doc = "Read the numbers from FILE instead (- is standard input)"},
    {.name = "order",
     .key = 'o',
     .arg = "input|completed",
     .doc = "Print results in the order of the input, or as they are completed"},
    {.name = "only",
     .key = KEY_ONLY,
     .arg = "primes|composites",
     .doc = "Print only those, each alone on its line"},
    {.name = "count", .key = 'c', .doc = "Print only how many there are of each kind"},
    {.name = "range",
     .key = 'r',
     .arg = "A..B",
     .doc = "Print every prime from A to B; with --count how many there are"},
    {.name = "prove",
     .key = KEY_PROVE,
     .doc = "Prove the primality of numbers above 2^64-1, which else are probable primes"},
    {.name = "method",
     .key = 'm',
     .arg = "auto|bpsw|trial|wheel|vector",
     .doc = "How a number is tested (auto, which is bpsw)"},
    {.name = "max-digits",
     .key = KEY_MAX_DIGITS,
     .arg = "N",
     .doc = "Take what has more digits for no number (" STRING(MAX_DIGITS_DEFAULT) ")"},
    {.name = "block",
     .key = KEY_BLOCK,
     .arg = "BYTES",
     .doc =
         "How much of the input a worker gets at a time, if no number is longer (131072; less for "
         "slow methods, proofs and JSON)"},
    {.name = "json", .key = 'j', .doc = "Print one JSON object a line instead of text"},
    {.name = "progress", .key = KEY_PROGRESS, .doc = "Show on the terminal how far it is"},
    {.name = "stats", .key = 'S', .doc = "After the last line, tell what the run cost"},
    COMMAND_LINE_DIGITS,
    {0},
};

static const char DOC[] =
    "Tell which numbers are prime: those given, or else those in FILE or on standard input, one or "
    "more a line, decimal or, with 0x, hexadecimal."
    "\v"
    "Each number is printed as it was written, with 'prime', 'composite' (0 and 1 too) or "
    "'probable-prime'.\n\n"
    "Exit status: 0 done, 1 something was no number or could not be checked, 2 a usage error, 3 "
    "the "
    "numbers cannot be read or the results cannot be written.";

static const primecheck_executor EXECUTORS[] = {
    {"threads", cf_thread_pool_create},
    {"processes", cf_process_pool_create},
#ifdef PRIMEPOOL_HAVE_OPENMP
    {"openmp", cf_openmp_create},
#endif
    {"serial", cf_serial_create},
};
#define EXECUTORS_COUNT (sizeof EXECUTORS / sizeof EXECUTORS[0])

/* ---- values: each either sets its option or ends the program with a usage error --------------- */

static const primecheck_executor *parse_executor(struct argp_state *state, const char *text) {
    size_t i = 0;
    while (i < EXECUTORS_COUNT && strcmp(text, EXECUTORS[i].name) != 0) {
        i++;
    }
    if (i == EXECUTORS_COUNT) {
        argp_error(state,
                   "--executor: '%s' is not in this build, only threads, processes" OPENMP_NAME
                   " and serial",
                   text);
    }
    return &EXECUTORS[i];
}

/* Which of two words it is. */
static bool parse_choice(struct argp_state *state, const char *option, const char *text,
                         const char *first, const char *second) {
    const bool is_second = strcmp(text, second) == 0;
    if (!is_second && strcmp(text, first) != 0) {
        argp_error(state, "%s: '%s' is neither '%s' nor '%s'", option, text, first, second);
    }
    return is_second;
}

static size_t parse_method(struct argp_state *state, const char *text) {
    if (strcmp(text, "auto") == 0 || strcmp(text, "bpsw") == 0) {
        return CHECK_BY_BATCH;
    }
    const size_t method = prime_method_find(text);
    if (method == PRIME_METHODS_COUNT) {
        argp_error(state,
                   "--method: method '%s' is not in this build, only auto, bpsw, trial, wheel and "
                   "vector",
                   text);
    }
    return method;
}

static bool parse_bound(const char *text, size_t length, uint64_t *bound) {
    const number_token t = token_read(text, length, SIZE_MAX);
    *bound = t.value;
    return t.kind == TOKEN_SMALL;
}

static void parse_range(struct argp_state *state, const char *text, uint64_t range[2]) {
    const char *dots = strstr(text, "..");
    if (dots == NULL || !parse_bound(text, (size_t)(dots - text), &range[0]) ||
        !parse_bound(dots + 2, strlen(dots + 2), &range[1])) {
        argp_error(state, "--range: '%s' is not A..B, two numbers from 0 to %" PRIu64, text,
                   UINT64_MAX);
    }
    if (range[0] > range[1]) {
        argp_error(state, "--range: '%s' is empty: the first number must not be the greater one",
                   text);
    }
}

/* ---- together --------------------------------------------------------------------------------- */

static void check_range(struct argp_state *state, const primecheck_options *options) {
    if (options->words[0] != NULL || options->file != NULL) {
        argp_error(state, "--range: takes no other numbers");
    }
    if (options->method != NULL || options->check.prove) {
        argp_error(state, "--range: is sieved, so neither --method nor --prove can be had");
    }
    if (options->check.shown == CHECK_SHOW_COMPOSITES) {
        argp_error(state, "--range: --only=composites: only primes are found");
    }
    if (!prime_range_available()) {
        argp_error(state, "--range: needs primesieve, which this build lacks");
    }
}

/* What no value shows to be wrong by itself. */
static void check_together(struct argp_state *state) {
    primecheck_options *options = state->input;
    if (options->has_range) {
        check_range(state, options);
    }
    if (options->words[0] != NULL && options->file != NULL) {
        argp_error(state, "--file: there are numbers on the command line too");
    }
    if (options->executor->create == cf_serial_create && options->workers > 1) {
        argp_error(state, "--workers: the executor 'serial' has but one");
    }
    if (options->check.prove && options->check.method != CHECK_BY_BATCH) {
        argp_error(state, "--prove: not with --method=%s, which ends at 2^64-1", options->method);
    }
    if (options->check.prove && !is_prime_big_available(true)) {
        argp_error(state, "--prove: needs FLINT and GMP, which this build lacks");
    }
    kernel_variable_check(state);
}

static void add_word(primecheck_options *options, size_t count, char *word) {
    options->words[count] = word;
    options->words[count + 1] = NULL;
}

static error_t parse_option(int key, char *text, struct argp_state *state) {
    primecheck_options *options = state->input;
    static size_t words;
    char word[64];
    switch (key) {
    case 'w':
        options->workers = command_line_number(state, "--workers", text, 1, CF_WORKERS_MAX);
        return 0;
    case 'e':
        options->executor = parse_executor(state, text);
        return 0;
    case 'f':
        options->file = text;
        return 0;
    case 'o':
        options->completed = parse_choice(state, "--order", text, "input", "completed");
        return 0;
    case KEY_ONLY:
        options->check.shown = parse_choice(state, "--only", text, "primes", "composites")
                                   ? CHECK_SHOW_COMPOSITES
                                   : CHECK_SHOW_PRIMES;
        return 0;
    case 'c':
        options->count = true;
        return 0;
    case 'r':
        options->has_range = true;
        parse_range(state, text, options->range);
        return 0;
    case KEY_PROVE:
        options->check.prove = true;
        return 0;
    case 'm':
        options->method = text;
        options->check.method = parse_method(state, text);
        return 0;
    case KEY_MAX_DIGITS:
        options->check.max_digits =
            command_line_number(state, "--max-digits", text, 1, MAX_DIGITS_MOST);
        return 0;
    case KEY_BLOCK:
        options->check.soft_limit = command_line_number(state, "--block", text, 1, BLOCK_MOST);
        return 0;
    case 'j':
        options->json = true;
        return 0;
    case KEY_PROGRESS:
        options->progress = true;
        return 0;
    case 'S':
        options->stats = true;
        return 0;
    case ARGP_KEY_ARG:
        add_word(options, words++, text);
        return 0;
    case ARGP_KEY_END:
        check_together(state);
        return 0;
    default:
        if (!command_line_is_negative(key, text, word, sizeof word)) {
            return ARGP_ERR_UNKNOWN;
        }
        if (strncmp(state->argv[state->next - 1], word, sizeof word - 1) != 0) {
            argp_error(state, "%s: %c is no option", state->argv[state->next - 1], key);
        }
        /* No number, and it will be said so. */
        add_word(options, words++, state->argv[state->next - 1]);
        return 0;
    }
}

/* 128 KiB are some 6000 numbers of 20 digits: the batch test is fastest with thousands. Blocks
 * are shorter for JSON, whose lines are longer than their numbers. Slow methods get one number
 * at a time and proofs 512 bytes, so that a few numbers are spread over all workers. */
static size_t block_soft_limit(const primecheck_options *options) {
    return options->check.method != CHECK_BY_BATCH ? 1
           : options->check.prove                  ? 512
           : options->json                         ? 16 << 10
                                                   : 128 << 10;
}

void primecheck_options_parse(primecheck_options *options, int argc, char **argv) {
    static const struct argp argp = {
        .options = OPTIONS, .parser = parse_option, .args_doc = "[NUMBER...]", .doc = DOC};
    *options = (primecheck_options){
        .executor = &EXECUTORS[0],
        .words = calloc((size_t)argc + 1, sizeof *options->words),
        .check = {.method = CHECK_BY_BATCH,
                  .shown = CHECK_SHOW_ALL,
                  .max_digits = MAX_DIGITS_DEFAULT},
    };
    if (options->words == NULL) {
        error(EXIT_ITEM, errno, "the command line");
    }
    command_line_parse(&argp, 0, argc, argv, options);
    check_settings *check = &options->check;
    check->format = options->count                   ? CHECK_COUNTS
                    : options->json                  ? CHECK_JSON_LINES
                    : check->shown != CHECK_SHOW_ALL ? CHECK_NUMBER_LINES
                                                     : CHECK_VERDICT_LINES;
    if (options->check.soft_limit == 0) {
        options->check.soft_limit = block_soft_limit(options);
    }
    check->block_limit =
        number_reader_limit(check->soft_limit, check_most_token(check->max_digits));
}
