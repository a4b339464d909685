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
#ifdef PRIMEPOOL_HAVE_MPI
#include "programs/base/mpi_ranks.h"
#endif

#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_DIGITS_DEFAULT 10000
#define BLOCK_MOST         (512 << 10)
#define MAX_DIGITS_MOST    1000000

#ifdef PRIMEPOOL_HAVE_OPENMP
#define OPENMP_CHOICE "openmp|"
#define OPENMP_NAME   ", openmp"
#else
#define OPENMP_CHOICE ""
#define OPENMP_NAME   ""
#endif
#ifdef PRIMEPOOL_HAVE_MPI
#define MPI_CHOICE "|mpi"
#define MPI_NAME   ", mpi"
#else
#define MPI_CHOICE ""
#define MPI_NAME   ""
#endif

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
    {"threads", cf_thread_pool_create, NULL, "thread"},
    {"processes", cf_process_pool_create, NULL, "process"},
#ifdef PRIMEPOOL_HAVE_OPENMP
    {"openmp", cf_openmp_create, NULL, "OpenMP thread"},
#endif
    {"serial", cf_serial_create, NULL, "main thread"},
#ifdef PRIMEPOOL_HAVE_MPI
    {"mpi", mpi_ranks_create, mpi_ranks_is_helper, "MPI rank"},
#endif
};
#define EXECUTORS_COUNT (sizeof EXECUTORS / sizeof EXECUTORS[0])

/* ---- values: each either sets its option or ends the program with a usage error --------------- */

static void parse_executor(struct argp_state *state, const char *name, char *text, void *value) {
    size_t i = 0;
    while (i < EXECUTORS_COUNT && strcmp(text, EXECUTORS[i].name) != 0) {
        i++;
    }
    if (i == EXECUTORS_COUNT) {
        argp_error(state,
                   "%s: '%s' is not in this build, only threads, processes" OPENMP_NAME MPI_NAME
                   " and serial",
                   name, text);
    }
    *(const primecheck_executor **)value = &EXECUTORS[i];
}

/* Which of two words it is. */
static bool parse_choice(struct argp_state *state, const char *name, const char *text,
                         const char *first, const char *second) {
    const bool is_second = strcmp(text, second) == 0;
    if (!is_second && strcmp(text, first) != 0) {
        argp_error(state, "%s: '%s' is neither '%s' nor '%s'", name, text, first, second);
    }
    return is_second;
}

static void parse_order(struct argp_state *state, const char *name, char *text, void *completed) {
    *(bool *)completed = parse_choice(state, name, text, "input", "completed");
}

static void parse_only(struct argp_state *state, const char *name, char *text, void *shown) {
    *(unsigned *)shown = parse_choice(state, name, text, "primes", "composites")
                             ? CHECK_SHOW_COMPOSITES
                             : CHECK_SHOW_PRIMES;
}

static void parse_method(struct argp_state *state, const char *name, char *text, void *value) {
    primecheck_options *options = value;
    options->method = text;
    if (strcmp(text, "auto") == 0 || strcmp(text, "bpsw") == 0) {
        options->check.method = CHECK_BY_BATCH;
        return;
    }
    options->check.method = prime_method_find(text);
    if (options->check.method == PRIME_METHODS_COUNT) {
        argp_error(state,
                   "%s: method '%s' is not in this build, only auto, bpsw, trial, wheel and vector",
                   name, text);
    }
}

static bool parse_bound(const char *text, size_t length, uint64_t *bound) {
    const number_token t = token_read(text, length, SIZE_MAX);
    *bound = t.value;
    return t.kind == TOKEN_SMALL;
}

static void parse_range(struct argp_state *state, const char *name, char *text, void *value) {
    primecheck_options *options = value;
    uint64_t *range = options->range;
    const char *dots = strstr(text, "..");
    options->has_range = true;
    if (dots == NULL || !parse_bound(text, (size_t)(dots - text), &range[0]) ||
        !parse_bound(dots + 2, strlen(dots + 2), &range[1])) {
        argp_error(state, "%s: '%s' is not A..B, two numbers from 0 to %" PRIu64, name, text,
                   UINT64_MAX);
    }
    if (range[0] > range[1]) {
        argp_error(state, "%s: '%s' is empty: the first number must not be the greater one", name,
                   text);
    }
}

/* Whether it is a number is found out later. Of -c5 argp takes the 5 for an option. */
static void add_word(struct argp_state *state, char *text, void *data) {
    primecheck_options *options = data;
    char *word = state->argv[state->next - 1];
    if (strncmp(word, text, strlen(text)) != 0) {
        argp_error(state, "%s: %c is no option", word, text[1]);
    }
    options->words[options->words_count++] = word;
}

/* ---- together --------------------------------------------------------------------------------- */

static void check_range(struct argp_state *state, const primecheck_options *options) {
    if (options->words[0] != NULL || options->file != NULL) {
        argp_error(state, "--range: takes no other numbers");
    }
    if (options->joblog.file != NULL) {
        argp_error(state, "--range: is sieved, so there are no blocks that --joblog could tell of");
    }
    if (options->method != NULL || options->check.prove) {
        argp_error(state, "--range: is sieved, so neither --method nor --prove can be had");
    }
    if (options->check.shown == CHECK_SHOW_COMPOSITES) {
        argp_error(state, "--range: --only=composites: only primes are found");
    }
    if (options->observing.trace != NULL || options->observing.report != NULL) {
        argp_error(state, "--range: is sieved by threads that are not ours, so there is neither "
                          "--trace nor --report");
    }
    if (!prime_range_available()) {
        argp_error(state, "--range: needs primesieve, which this build lacks");
    }
}

/* What no value shows to be wrong by itself. */
static void check_together(struct argp_state *state, void *data) {
    const primecheck_options *options = data;
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
    joblog_options_check(state, &options->joblog);
    kernel_variable_check(state);
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

#ifdef PRIMEPOOL_HAVE_MPI
/* Before it is parsed: it may ask for the executor mpi, "-e mpi", "-empi", "--executor=mpi". */
static bool may_ask_for_mpi(int argc, char **argv) {
    static const char NAME[] = "mpi";
    for (int i = 1; i < argc; i++) {
        const size_t length = strlen(argv[i]);
        if (length >= strlen(NAME) && strcmp(argv[i] + length - strlen(NAME), NAME) == 0) {
            return true;
        }
    }
    return false;
}

/* Rank 0 says for all ranks what is wrong. */
static void parse_line(const command_line *line, int argc, char **argv) {
    if (may_ask_for_mpi(argc, argv)) {
        mpi_ranks_mute();
    }
    command_line_parse(line, argc, argv);
    mpi_ranks_unmute();
}
#else
#define parse_line command_line_parse
#endif

void primecheck_options_parse(primecheck_options *options, int argc, char **argv) {
    *options = (primecheck_options){
        .executor = &EXECUTORS[0],
        .words = calloc((size_t)argc + 1, sizeof *options->words),
        .check = {.method = CHECK_BY_BATCH, .shown = CHECK_SHOW_ALL},
    };
    if (options->words == NULL) {
        error(EXIT_ITEM, errno, "the command line");
    }
    check_settings *check = &options->check;
    unsigned max_digits = MAX_DIGITS_DEFAULT, block = 0;
    const command_line_option rows[] = {
        {"workers", 'w', "N", "How many (the CPUs that may be used)", .number = &options->workers,
         .min = 1, .max = CF_WORKERS_MAX},
        {"executor", 'e', "threads|processes|" OPENMP_CHOICE "serial" MPI_CHOICE,
         "What the workers are (threads)", .parse = parse_executor, .value = &options->executor},
        {"file", 'f', "FILE", "Read the numbers from FILE instead (- is standard input)",
         .text = &options->file},
        {"order", 'o', "input|completed",
         "Print results in the order of the input, or as they are completed", .parse = parse_order,
         .value = &options->completed},
        {"only", 0, "primes|composites", "Print only those, each alone on its line",
         .parse = parse_only, .value = &check->shown},
        {"count", 'c', .doc = "Print only how many there are of each kind",
         .flag = &options->count},
        {"range", 'r', "A..B", "Print every prime from A to B; with --count how many there are",
         .parse = parse_range, .value = options},
        {"prove",
         .doc = "Prove the primality of numbers above 2^64-1, which else are probable primes",
         .flag = &check->prove},
        {"method", 'm', "auto|bpsw|trial|wheel|vector",
         "How a number is tested (auto, which is bpsw)", .parse = parse_method, .value = options},
        {"max-digits", 0, "N",
         "Take what has more digits for no number (" STRING(MAX_DIGITS_DEFAULT) ")",
         .number = &max_digits, .min = 1, .max = MAX_DIGITS_MOST},
        {"block", 0, "BYTES",
         "How much of the input a worker gets at a time, if no number is longer (131072; less for "
         "slow methods, proofs and JSON)",
         .number = &block, .min = 1, .max = BLOCK_MOST},
        command_line_json('j', &options->json),
        command_line_progress(&options->progress),
        command_line_metrics(&options->metrics),
        command_line_stats(&options->stats),
        observing_trace_option(&options->observing),
        observing_report_option(&options->observing),
        joblog_option_file(&options->joblog),
        joblog_option_resume(&options->joblog),
        {0},
    };
    const command_line line = {
        .doc = DOC,
        .args_doc = "[NUMBER...]",
        .options = rows,
        .take = add_word,
        .check = check_together,
        .input = options,
    };
    parse_line(&line, argc, argv);
    check->format = options->count                   ? CHECK_COUNTS
                    : options->json                  ? CHECK_JSON_LINES
                    : check->shown != CHECK_SHOW_ALL ? CHECK_NUMBER_LINES
                                                     : CHECK_VERDICT_LINES;
    check->max_digits = max_digits;
    check->soft_limit = block != 0 ? block : block_soft_limit(options);
    check->block_limit =
        number_reader_limit(check->soft_limit, check_most_token(check->max_digits));
}
