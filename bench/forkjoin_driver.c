/* What does a fork cost, and what does it bring? By ours and by others.
 *
 * forkjoin.py runs this, a process for each sample. It prints a line of JSON with a figure for each pass. Every
 * result is checked. */
#include "bench/forkjoin_driver.h"
#include "programs/base/command_line.h"
#include "programs/base/output.h"

#include <cfutures.h>
#include <error.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    SETTLE_NS = 20000000 /* from the workers' start to the first pass */
};

static const forkjoin_contender *const CONTENDERS[] = {
    &forkjoin_thread_pool, &forkjoin_thread_pool_both, &forkjoin_futures,
    &forkjoin_c,           &forkjoin_c_calls,
#ifdef HAVE_CF_OPENMP
    &forkjoin_openmp,
#endif
#ifdef HAVE_LIBGOMP
    &forkjoin_libgomp,
#endif
#ifdef HAVE_ONETBB
    &forkjoin_onetbb,
#endif
};
static const size_t CONTENDERS_COUNT = sizeof CONTENDERS / sizeof CONTENDERS[0];

/* ---- the command line ------------------------------------------------------------------------ */

/* Prints those that are in this build, and the peers' versions. */
static void list(struct argp_state *state, const char *name, char *text, void *value) {
    (void)state, (void)name, (void)text, (void)value;
    for (size_t i = 0; i < CONTENDERS_COUNT; i++) {
        const forkjoin_contender *one = CONTENDERS[i];
        output_print("%s\"%s\":\"%s\"", i == 0 ? "{" : ",", one->name,
                     one->version == NULL ? "" : one->version());
    }
    output_print("}\n");
    exit(0);
}

static const forkjoin_question *question_named(const char *name) {
    for (size_t i = 0; i < forkjoin_questions_count; i++) {
        if (strcmp(forkjoin_questions[i].name, name) == 0) {
            return &forkjoin_questions[i];
        }
    }
    return NULL;
}

static const forkjoin_contender *contender_named(const char *name) {
    for (size_t i = 0; i < CONTENDERS_COUNT; i++) {
        if (strcmp(CONTENDERS[i]->name, name) == 0) {
            return CONTENDERS[i];
        }
    }
    return NULL;
}

static void parse_word(struct argp_state *state, char *word, void *data) {
    forkjoin_options *options = data;
    if (state->arg_num == 0) {
        options->question = question_named(word);
        if (options->question == NULL) {
            argp_error(state, "'%s' is not a question", word);
        }
    } else if (state->arg_num == 1) {
        options->contender = contender_named(word);
        if (options->contender == NULL) {
            argp_error(state, "there is no contender '%s' in this build", word);
        }
    } else {
        argp_usage(state);
    }
}

/* What is not said is the question's. */
static void check_words(struct argp_state *state, void *data) {
    forkjoin_options *options = data;
    if (state->arg_num < 2) {
        argp_usage(state);
    }
    if (options->count == 0) {
        options->count = options->question->count;
    }
    if (options->ms == 0) {
        options->ms = options->question->ms;
    }
}

static forkjoin_options parse(int argc, char **argv) {
    forkjoin_options options = {.workers = 2, .passes = 3, .cut = 2048, .grain = 256, .seed = 1};
    const command_line_option rows[] = {
        {"list", .doc = "Print the contenders of this build and do no more", .parse = list},
        {"workers", 0, "N", "How many (2)", .number = &options.workers, .min = 1,
         .max = CF_WORKERS_MAX},
        {"count", 0, "N",
         "fib: of which number (32); tree: nodes (10^7); trees: of 100 nodes (10^4); "
         "quicksort, for: numbers (10^7); spine: forks (10^6)",
         .number = &options.count, .min = 1, .max = 1000000000},
        {"passes", 0, "N", "How many, one after the other (3)", .number = &options.passes, .min = 1,
         .max = 100000},
        {"cut", 0, "N", "quicksort: so many numbers are sorted without a fork (2048)",
         .number = &options.cut, .min = 1, .max = UINT32_MAX},
        {"grain", 0, "N", "for: numbers of a part (256)", .number = &options.grain, .min = 1,
         .max = INT32_MAX},
        {"ms", 0, "MS", "coarse: what each half takes (20); idle: what the task computes (1000)",
         .number = &options.ms, .min = 1, .max = 100000},
        {"seed", 0, "N", "quicksort: of the numbers (1)", .number = &options.seed,
         .max = UINT32_MAX},
        {0},
    };
    const command_line line = {
        .doc = "Measures what forks cost and bring, and prints JSON. Questions: fib, tree, trees, "
               "quicksort, spine, coarse, idle, for."
               "\vExit status: 0 done, 1 a wrong result or a contender that failed, 2 a usage "
               "error, 3 the figures cannot be written.",
        .args_doc = "QUESTION CONTENDER",
        .options = rows,
        .take = parse_word,
        .check = check_words,
        .input = &options,
    };
    command_line_parse(&line, argc, argv);
    return options;
}

/* ---- what all questions share ---------------------------------------------------------------- */

void require(const forkjoin_options *options, bool has) {
    if (!has) {
        error(EXIT_USAGE, 0, "%s cannot be asked that", options->contender->name);
    }
}

void open_contender(const forkjoin_options *options) {
    options->contender->open(options->workers);
    sleep_ns(SETTLE_NS);
}

void check_result(const forkjoin_options *options, uint64_t result, uint64_t expected) {
    check_result_of(options->contender->name, result, expected);
}

void print_passes(const forkjoin_options *options, uint64_t count, const char *name,
                  const double *figures) {
    output_print("{\"contender\":\"%s\",\"workers\":%u,\"count\":%" PRIu64,
                 options->contender->name, options->workers, count);
    print_figures(name, figures, options->passes);
    print_end();
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void *measure(void *data) {
    const forkjoin_options *options = data;
    options->question->measure(options);
    return NULL;
}

/* In a thread with as much stack as our workers have: some contenders recurse in the caller. */
int main(int argc, char **argv) {
    output_prepare(argv);
    forkjoin_options options = parse(argc, argv);
    pthread_attr_t attributes;
    pthread_t caller;
    if (pthread_attr_init(&attributes) != 0 ||
        pthread_attr_setstacksize(&attributes, FORKJOIN_STACK) != 0 ||
        pthread_create(&caller, &attributes, measure, &options) != 0 ||
        pthread_join(caller, NULL) != 0) {
        bench_fail("no thread to measure in");
    }
    pthread_attr_destroy(&attributes);
    return 0;
}
