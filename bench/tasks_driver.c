/* What do tasks cost: to submit, to map, to wait for, to keep? By ours and by others.
 *
 * submit.py, map.py, latency.py and memory.py run this, a process for each sample, so that the first
 * pass of each is the first of its process. It prints JSON: one line with the figures; before it, where
 * somebody is to look at the process from outside, a line each time, after which it waits for one on
 * standard input.
 *
 * Every result is checked, all those of a pass by their sum. */
#include "bench/splitmix.h"
#include "bench/tasks.h"
#include "programs/command_line.h"
#include "programs/monotonic.h"
#include "programs/output.h"

#include <error.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

enum {
    EXIT_WRONG = 1,             /* a result is wrong, or a contender failed */
    SETTLE_NS = 20000000,       /* from the workers' start to the first pass */
    CALIBRATION_STEPS = 1 << 22 /* of the busy loop, some ms */
};

void task_bench_fail(const char *what) {
    error(EXIT_WRONG, 0, "%s", what);
    abort(); /* error has exited */
}

static void *allocated(size_t count, size_t size) {
    void *memory = calloc(count, size > 0 ? size : 1);
    if (memory == NULL) {
        task_bench_fail("no memory");
    }
    return memory;
}

/* ---- the contenders -------------------------------------------------------------------------- */

static const task_contender *const PEERS[] = {
    &tasks_loop,    &tasks_condvar, &tasks_futex,
#ifdef HAVE_LIBGOMP
    &tasks_libgomp,
#endif
#ifdef HAVE_ONETBB
    &tasks_onetbb,
#endif
#ifdef HAVE_GLIB
    &tasks_glib,
#endif
#ifdef HAVE_LIBUV
    &tasks_libuv,
#endif
};

static const task_contender *contender_at(size_t i) {
    if (i < tasks_ours_count) {
        return &tasks_ours[i];
    }
    i -= tasks_ours_count;
    return i < COUNT_OF(PEERS) ? PEERS[i] : NULL;
}

static const task_contender *contender_named(const char *name) {
    const task_contender *one = NULL;
    for (size_t i = 0; (one = contender_at(i)) != NULL; i++) {
        if (strcmp(one->name, name) == 0) {
            break;
        }
    }
    return one;
}

/* Those that are in this build, and the peers' versions. */
static void list_contenders(void) {
    const task_contender *one;
    output_print("{");
    for (size_t i = 0; (one = contender_at(i)) != NULL; i++) {
        output_print("%s\"%s\":\"%s\"", i == 0 ? "" : ",", one->name,
                     one->version == NULL ? "" : one->version());
    }
    output_print("}\n");
}

/* ---- the command line ------------------------------------------------------------------------ */

typedef struct driver_options driver_options;

/* A question: what is asked of a contender, and which ones it can be asked. */
typedef struct question {
    const char *name;
    void (*measure)(const driver_options *options);
} question;

struct driver_options {
    const question *question;
    const task_contender *contender;
    unsigned workers;
    unsigned count;
    unsigned passes;
    unsigned window;
    unsigned payload;
    unsigned pause_us;
    unsigned seed;
    double item_ns;
    const char *shape;
    submit_way ways[WAYS];
    size_t ways_count;
};

enum { /* options without a short form */
    KEY_LIST = 256,
    KEY_WORKERS,
    KEY_COUNT,
    KEY_PASSES,
    KEY_WAYS,
    KEY_WINDOW,
    KEY_PAYLOAD,
    KEY_PAUSE,
    KEY_ITEM,
    KEY_SHAPE,
    KEY_SEED,
};

static const struct argp_option OPTIONS[] = {
    {.name = "list", .key = KEY_LIST, .doc = "Print the contenders of this build and do no more"},
    {.name = "workers", .key = KEY_WORKERS, .arg = "N", .doc = "How many (2)"},
    {.name = "count", .key = KEY_COUNT, .arg = "N", .doc = "Tasks or items in a pass (10^6)"},
    {.name = "passes", .key = KEY_PASSES, .arg = "N", .doc = "How many, one after the other (6)"},
    {.name = "ways",
     .key = KEY_WAYS,
     .arg = "LIST",
     .doc = "submit: all, window, as_completed, many, payload; more than one alternate (all)"},
    {.name = "window", .key = KEY_WINDOW, .arg = "N", .doc = "submit: tasks under way (1024)"},
    {.name = "payload", .key = KEY_PAYLOAD, .arg = "BYTES", .doc = "submit: an argument (16)"},
    {.name = "pause", .key = KEY_PAUSE, .arg = "US", .doc = "latency: before each task (0)"},
    {.name = "item", .key = KEY_ITEM, .arg = "NS", .doc = "balance: what an item takes (100)"},
    {.name = "shape",
     .key = KEY_SHAPE,
     .arg = "even|mixed|late",
     .doc = "balance: all alike; heavy-tailed, 10 ns to 10 ms; or 1 in 10^4 of 10^4 times NS, "
            "all of them at the end (even)"},
    {.name = "seed", .key = KEY_SEED, .arg = "N", .doc = "balance: of the mixed ones (1)"},
    {0},
};

static const char *const WAY_NAMES[WAYS] = {"all", "window", "as_completed", "many", "payload"};

static void parse_ways(struct argp_state *state, driver_options *options, char *list) {
    options->ways_count = 0;
    for (char *name = strtok(list, ","); name != NULL; name = strtok(NULL, ",")) {
        submit_way way = 0;
        while (way < WAYS && strcmp(name, WAY_NAMES[way]) != 0) {
            way++;
        }
        if (way == WAYS || options->ways_count == WAYS) {
            argp_error(state, "--ways: there is no '%s', or there are too many", name);
        }
        options->ways[options->ways_count++] = way;
    }
}

static void measure_submit(const driver_options *options);

static const question QUESTIONS[] = {
    {"submit", measure_submit},
};

static void parse_word(struct argp_state *state, driver_options *options, const char *word) {
    if (state->arg_num == 0) {
        for (size_t i = 0; i < COUNT_OF(QUESTIONS); i++) {
            if (strcmp(QUESTIONS[i].name, word) == 0) {
                options->question = &QUESTIONS[i];
                return;
            }
        }
        argp_error(state, "'%s' is no question", word);
    }
    options->contender = contender_named(word);
    if (options->contender == NULL) {
        argp_error(state, "there is no contender '%s' in this build", word);
    }
}

static error_t parse_option(int key, char *text, struct argp_state *state) {
    driver_options *options = state->input;
    switch (key) {
    case KEY_LIST:
        list_contenders();
        exit(0);
    case KEY_WORKERS:
        options->workers = command_line_number(state, "--workers", text, 1, CF_WORKERS_MAX);
        return 0;
    case KEY_COUNT:
        options->count = command_line_number(state, "--count", text, 1, UINT32_MAX);
        return 0;
    case KEY_PASSES:
        options->passes = command_line_number(state, "--passes", text, 1, 1000);
        return 0;
    case KEY_WAYS:
        parse_ways(state, options, text);
        return 0;
    case KEY_WINDOW:
        options->window = command_line_number(state, "--window", text, 1, UINT32_MAX);
        return 0;
    case KEY_PAYLOAD:
        options->payload = command_line_number(state, "--payload", text, 8, CF_PAYLOAD_MAX);
        return 0;
    case KEY_PAUSE:
        options->pause_us = command_line_number(state, "--pause", text, 0, 1000000);
        return 0;
    case KEY_ITEM:
        options->item_ns = command_line_number(state, "--item", text, 1, 1000000000);
        return 0;
    case KEY_SHAPE:
        options->shape = text;
        return 0;
    case KEY_SEED:
        options->seed = command_line_number(state, "--seed", text, 0, UINT32_MAX);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1) {
            argp_usage(state);
        }
        parse_word(state, options, text);
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num < 2) {
            argp_usage(state);
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static driver_options parse(int argc, char **argv) {
    driver_options options = {.workers = 2,
                              .count = 1000000,
                              .passes = 6,
                              .window = 1024,
                              .payload = sizeof(addends),
                              .item_ns = 100,
                              .shape = "even",
                              .seed = 1,
                              .ways = {WAY_ALL},
                              .ways_count = 1};
    const struct argp argp = {
        .options = OPTIONS,
        .parser = parse_option,
        .args_doc = "QUESTION CONTENDER",
        .doc =
            "Measures what tasks cost, and prints JSON."
            "\vExit status: 0 done, 1 a wrong result or a contender that failed, 2 a usage error, "
            "3 the figures cannot be written.",
    };
    command_line_parse(&argp, 0, argc, argv, &options);
    return options;
}

/* ---- what all questions share ---------------------------------------------------------------- */

static void sleep_ns(int64_t ns) {
    const struct timespec duration = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    nanosleep(&duration, NULL);
}

/* What the workers' start still has to do is done, and they are asleep: for all contenders alike. */
static void open_contender(const driver_options *options) {
    options->contender->open(options->workers);
    sleep_ns(SETTLE_NS);
}

static void require(const driver_options *options, bool has) {
    if (!has) {
        error(EXIT_USAGE, 0, "%s cannot be asked that", options->contender->name);
    }
}

static void check_sum(const driver_options *options, uint64_t sum, uint64_t expected) {
    if (sum != expected) {
        error(EXIT_WRONG, 0, "%s: the results' sum is %" PRIu64 " and should be %" PRIu64,
              options->contender->name, sum, expected);
    }
}

/* Of 0 to count - 1, modulo 2^64. */
static uint64_t sum_below(uint64_t count) {
    return count % 2 == 0 ? count / 2 * (count - 1) : (count - 1) / 2 * count;
}

static uint64_t sum_of_addends(uint64_t count) {
    return sum_below(count) * (1 + ADDENDS_FACTOR);
}

static void print_figures(const char *name, const double *figures, size_t count) {
    output_print(",\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        output_print("%s%.4f", i == 0 ? "" : ",", figures[i]);
    }
    output_print("]");
}

static void print_head(const driver_options *options) {
    output_print("{\"contender\":\"%s\",\"workers\":%u,\"count\":%u", options->contender->name,
                 options->workers, options->count);
}

/* From calloc: of the system, and not there before it is touched. */
static void *task_memory(const driver_options *options) {
    const size_t size = options->contender->memory_size;
    void *memory = allocated(options->count, size);
    if (options->contender->memory_is_apart) {
        memset(memory, UINT8_MAX, options->count * size);
    }
    return memory;
}

static submit_job submit_job_of(const driver_options *options) {
    return (submit_job){
        .count = options->count, .window = options->window, .payload = options->payload};
}

/* ---- submit ---------------------------------------------------------------------------------- */

/* The first pass is the first in its process; where there is more than one way they alternate. */
static void measure_submit(const driver_options *options) {
    const task_contender *one = options->contender;
    for (size_t i = 0; i < options->ways_count; i++) {
        require(options, one->ways[options->ways[i]] != NULL);
    }
    submit_job job = submit_job_of(options);
    double *ns = allocated(WAYS * options->passes, sizeof *ns);
    job.memory = task_memory(options);
    open_contender(options);
    for (size_t pass = 0; pass < options->passes; pass++) {
        for (size_t i = 0; i < options->ways_count; i++) {
            const size_t place = pass % 2 == 0 ? i : options->ways_count - 1 - i;
            const int64_t start = monotonic_ns();
            const uint64_t sum = one->ways[options->ways[place]](&job);
            const int64_t passed = monotonic_ns() - start;
            check_sum(options, sum, sum_of_addends(job.count));
            ns[place * options->passes + pass] = (double)passed / (double)job.count;
        }
    }
    print_head(options);
    for (size_t i = 0; i < options->ways_count; i++) {
        print_figures(WAY_NAMES[options->ways[i]], ns + i * options->passes, options->passes);
    }
    output_print("}\n");
    one->close();
    free(job.memory);
    free(ns);
}

/* ---- in a task ------------------------------------------------------------------------------- */

/* Event counters and no memory: in a process pool the tasks are in other processes. */
static int gate_arrivals = -1, gate_passes = -1;

void gate_pass(void) {
    uint64_t one = 1;
    if (write(gate_arrivals, &one, sizeof one) != (ssize_t)sizeof one ||
        read(gate_passes, &one, sizeof one) != (ssize_t)sizeof one) {
        task_bench_fail("the gate");
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

int main(int argc, char **argv) {
    output_prepare(argv);
    const driver_options options = parse(argc, argv);
    options.question->measure(&options);
    return 0;
}
