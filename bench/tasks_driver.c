/* What do tasks cost: to submit, to map, to wait for, to keep? By ours and by others.
 *
 * submit.py, map.py, latency.py and memory.py run this, a process for each sample, so that the first
 * pass of each is the first of its process. It prints JSON: one line with the figures; before it, where
 * somebody is to look at the process from outside, a line each time, after which it waits for one on
 * standard input.
 *
 * Every result is checked, those of a pass by their sum. */
#include "bench/tasks_driver.h"
#include "platform/clock.h"
#include "programs/base/command_line.h"
#include "programs/base/output.h"

#include <error.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

enum {
    SETTLE_NS = 20000000 /* from the workers' start to the first pass */
};

/* ---- the contenders -------------------------------------------------------------------------- */

static const task_contender *const PEERS[] = {
    &tasks_loop,    &tasks_condvar,   &tasks_futex,
#ifdef HAVE_LIBGOMP
    &tasks_libgomp, &tasks_libgomp_1,
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

const char *const way_names[WAYS] = {"all", "window", "as_completed", "many", "payload"};

static void parse_ways(struct argp_state *state, const char *option, char *list, void *value) {
    driver_options *options = value;
    options->ways_count = 0;
    for (char *name = strtok(list, ","); name != NULL; name = strtok(NULL, ",")) {
        submit_way way = 0;
        while (way < WAYS && strcmp(name, way_names[way]) != 0) {
            way++;
        }
        if (way == WAYS || options->ways_count == WAYS) {
            argp_error(state, "%s: there is no '%s', or there are too many", option, name);
        }
        options->ways[options->ways_count++] = way;
    }
}

static void parse_shape(struct argp_state *state, const char *name, char *text, void *shape) {
    static const char *const names[SHAPES] = {"even", "mixed", "late"};
    item_shape i = 0;
    while (i < SHAPES && strcmp(text, names[i]) != 0) {
        i++;
    }
    if (i == SHAPES) {
        argp_error(state, "%s: there is no '%s'", name, text);
    }
    *(item_shape *)shape = i;
}

static void list(struct argp_state *state, const char *name, char *text, void *value) {
    (void)state, (void)name, (void)text, (void)value;
    list_contenders();
    exit(0);
}

typedef struct question {
    const char *name;
    void (*measure)(const driver_options *options);
} question;

static const question QUESTIONS[] = {
    {"submit", measure_submit},   {"map", measure_map},   {"balance", measure_balance},
    {"latency", measure_latency}, {"idle", measure_idle}, {"memory", measure_memory},
    {"stream", measure_stream},
};

static void parse_word(struct argp_state *state, char *word, void *data) {
    driver_options *options = data;
    if (state->arg_num > 1) {
        argp_usage(state);
    }
    if (state->arg_num == 0) {
        for (size_t i = 0; i < COUNT_OF(QUESTIONS); i++) {
            if (strcmp(QUESTIONS[i].name, word) == 0) {
                options->measure = QUESTIONS[i].measure;
                return;
            }
        }
        argp_error(state, "'%s' is not a question", word);
    }
    options->contender = contender_named(word);
    if (options->contender == NULL) {
        argp_error(state, "there is no contender '%s' in this build", word);
    }
}

static void check_words(struct argp_state *state, void *unused) {
    (void)unused;
    if (state->arg_num < 2) {
        argp_usage(state);
    }
}

static driver_options parse(int argc, char **argv) {
    driver_options options = {.workers = 2,
                              .count = 1000000,
                              .passes = 6,
                              .window = 1024,
                              .payload = sizeof(addends),
                              .item_ns = 100,
                              .shape = SHAPE_EVEN,
                              .seed = 1,
                              .ways = {WAY_ALL},
                              .ways_count = 1};
    const command_line_option rows[] = {
        {"list", .doc = "Print the contenders of this build and do no more", .parse = list},
        {"workers", 0, "N", "How many (2)", .number = &options.workers, .min = 1,
         .max = CF_WORKERS_MAX},
        {"count", 0, "N", "Tasks or items in a pass (10^6)", .number = &options.count, .min = 1,
         .max = UINT32_MAX},
        {"passes", 0, "N", "How many, one after the other (6)", .number = &options.passes, .min = 1,
         .max = 1000},
        {"ways", 0, "LIST",
         "submit: all, window, as_completed, many, payload; more than one alternate (all)",
         .parse = parse_ways, .value = &options},
        {"window", 0, "N", "submit: tasks under way (1024)", .number = &options.window, .min = 1,
         .max = UINT32_MAX},
        {"payload", 0, "BYTES", "submit: an argument (16)", .number = &options.payload, .min = 8,
         .max = CF_PAYLOAD_MAX},
        {"pause", 0, "US", "latency: before each task (0)", .number = &options.pause_us,
         .max = 1000000},
        {"item", 0, "NS", "balance: what an item takes (100)", .number = &options.item_ns, .min = 1,
         .max = 1000000000},
        {"shape", 0, "even|mixed|late",
         "balance: all alike; heavy-tailed, 10 ns to 10 ms; half of the time in items of "
         "10^4 times NS, all of them at the end (even)",
         .parse = parse_shape, .value = &options.shape},
        {"seed", 0, "N", "balance: of the mixed ones (1)", .number = &options.seed,
         .max = UINT32_MAX},
        {0},
    };
    const command_line line = {
        .doc = "Measures what tasks cost, and prints JSON."
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

void require(const driver_options *options, bool has) {
    if (!has) {
        error(EXIT_USAGE, 0, "%s cannot be asked that", options->contender->name);
    }
}

void open_contender(const driver_options *options) {
    options->contender->open(options->workers);
    sleep_ns(SETTLE_NS);
}

submit_job submit_job_of(const driver_options *options) {
    const size_t size = options->contender->memory_size;
    submit_job job = {.count = options->count,
                      .window = options->window,
                      .payload = options->payload,
                      .memory = allocated(options->count, size)};
    if (options->contender->memory_is_apart) {
        memset(job.memory, UINT8_MAX, job.count * size);
    }
    return job;
}

void check_result(const driver_options *options, uint64_t result, uint64_t expected) {
    check_result_of(options->contender->name, result, expected);
}

uint64_t sum_below(uint64_t count) {
    return count % 2 == 0 ? count / 2 * (count - 1) : (count - 1) / 2 * count;
}

uint64_t sum_of_addends(uint64_t count) {
    return sum_below(count) * (1 + ADDENDS_FACTOR);
}

void print_head(const driver_options *options) {
    output_print("{\"contender\":\"%s\",\"workers\":%u,\"count\":%u", options->contender->name,
                 options->workers, options->count);
}

int64_t look_at_me(uint64_t done) {
    const int64_t start = plat_now_ns();
    output_print("{\"at\":%" PRIu64 "}\n", done);
    output_flush();
    for (int character = getchar(); character != '\n' && character != EOF;) {
        character = getchar();
    }
    return plat_now_ns() - start;
}

/* ---- the gate -------------------------------------------------------------------------------- */

/* Event counters and no memory: the tasks may be in other processes. */
static int arrivals = -1, passes = -1;

static void add_to(int counter) {
    const uint64_t one = 1;
    if (write(counter, &one, sizeof one) != (ssize_t)sizeof one) {
        bench_fail("the gate");
    }
}

static void take_from(int counter) {
    uint64_t one;
    if (read(counter, &one, sizeof one) != (ssize_t)sizeof one) {
        bench_fail("the gate");
    }
}

void gate_open(void) {
    arrivals = eventfd(0, EFD_SEMAPHORE);
    passes = eventfd(0, EFD_SEMAPHORE);
}

void gate_pass(void) {
    add_to(arrivals);
    take_from(passes);
}

void gate_await(unsigned workers) {
    while (workers-- > 0) {
        take_from(arrivals);
    }
}

void gate_release(unsigned workers) {
    while (workers-- > 0) {
        add_to(passes);
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

int main(int argc, char **argv) {
    output_prepare(argv);
    const driver_options options = parse(argc, argv);
    options.measure(&options);
    return 0;
}
