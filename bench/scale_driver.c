/* How many tasks a second do workers run that one manager feeds by messages, or a tree of managers?
 *
 * scale.py runs this program bench_scale, a process for each figure. It prints a line of JSON. */
#include "bench/driver.h"
#include "bench/scale_model.h"
#include "programs/base/command_line.h"
#include "programs/base/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const double NS_MAX = 1e15; /* eleven days: sums of it are exact enough */
static const uint64_t MESSAGES_MAX = UINT64_C(1) << 40;

static double parse_ns_from(struct argp_state *state, const char *name, const char *text,
                            bool zero_too) {
    char *end;
    errno = 0;
    const double ns = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(ns >= 0 && ns <= NS_MAX) ||
        (ns == 0 && !zero_too)) { /* not a number fails every comparison */
        argp_error(state, "%s: '%s' is not a number of nanoseconds %s to %.0e", name, text,
                   zero_too ? "from 0" : "above 0", NS_MAX);
    }
    return ns;
}

static void parse_cost(struct argp_state *state, const char *name, char *text, void *value) {
    *(double *)value = parse_ns_from(state, name, text, true);
}

static void parse_length(struct argp_state *state, const char *name, char *text, void *value) {
    *(double *)value = parse_ns_from(state, name, text, false);
}

static void parse_lengths(struct argp_state *state, const char *name, char *text, void *value) {
    const bool is_exponential = strcmp(text, "exponential") == 0;
    if (!is_exponential && strcmp(text, "constant") != 0) {
        argp_error(state, "%s: '%s' is not 'constant' or 'exponential'", name, text);
    }
    *(bool *)value = is_exponential;
}

static void check(struct argp_state *state, void *data) {
    const scale_setting *setting = data;
    if (setting->managers > setting->workers) {
        argp_error(state, "--managers: %u managers are more than %u workers", setting->managers,
                   setting->workers);
    }
    if (((uint64_t)setting->rounds + setting->warm_up) * setting->workers > MESSAGES_MAX) {
        argp_error(state, "--rounds: more than 2^40 messages");
    }
}

static void parse(int argc, char **argv, scale_setting *setting, unsigned *seed) {
    scale_costs *costs = &setting->costs;
    const command_line_option rows[] = {
        {"workers", 0, "N", "How many (1)", .number = &setting->workers, .min = 1,
         .max = SCALE_WORKERS_MAX},
        {"managers", 0, "N", "Below the root of a tree; 0: no tree, one manager (0)",
         .number = &setting->managers, .max = SCALE_WORKERS_MAX},
        {"task-ns", 0, "NS", "What a worker computes for a task (1000)", .parse = parse_length,
         .value = &setting->task_ns},
        {"lengths", 0, "KIND", "Of tasks: constant, exponential (constant)", .parse = parse_lengths,
         .value = &setting->exponential},
        {"chunk", 0, "N", "Tasks in a chunk (1)", .number = &setting->chunk, .min = 1,
         .max = SCALE_COUNT_MAX},
        {"pack", 0, "N", "Chunks in a message to a worker (1)", .number = &setting->pack, .min = 1,
         .max = SCALE_COUNT_MAX},
        {"credit", 0, "N", "Messages under way to a worker, bundles to a manager (2)",
         .number = &setting->credit, .min = 1, .max = SCALE_CREDIT_MAX},
        {"bundle", 0, "N",
         "Chunks in a message from the root to a manager; 0: four messages for each worker (0)",
         .number = &setting->bundle, .max = SCALE_COUNT_MAX},
        {"warm-up", 0, "N", "Messages a worker before the measurement (8)",
         .number = &setting->warm_up, .max = SCALE_ROUNDS_MAX},
        {"rounds", 0, "N", "Messages a worker in the measurement (24)", .number = &setting->rounds,
         .min = 1, .max = SCALE_ROUNDS_MAX},
        {"seed", 0, "N", "Of exponential lengths (1)", .number = seed, .max = UINT32_MAX},
        {"manager-send-ns", 0, "NS", "Manager: to send a message (0)", .parse = parse_cost,
         .value = &costs->manager_send_ns},
        {"manager-receive-ns", 0, "NS", "Manager: to receive a message (0)", .parse = parse_cost,
         .value = &costs->manager_receive_ns},
        {"manager-chunk-ns", 0, "NS", "Manager: to claim, pack and settle a chunk (0)",
         .parse = parse_cost, .value = &costs->manager_chunk_ns},
        {"manager-copy-ns", 0, "NS", "Manager: to copy a task's argument and result (0)",
         .parse = parse_cost, .value = &costs->manager_copy_ns},
        {"worker-message-ns", 0, "NS", "Worker: to receive a message and to answer it (0)",
         .parse = parse_cost, .value = &costs->worker_message_ns},
        {"worker-chunk-ns", 0, "NS", "Worker: to begin and to end a chunk (0)", .parse = parse_cost,
         .value = &costs->worker_chunk_ns},
        {"latency-ns", 0, "NS", "Of a message, one way (0)", .parse = parse_cost,
         .value = &costs->latency_ns},
        {"manager-poll-ns", 0, "NS", "An idle manager looks for messages so often (0: always)",
         .parse = parse_cost, .value = &costs->manager_poll_ns},
        {"worker-poll-ns", 0, "NS", "An idle worker, likewise (0: always)", .parse = parse_cost,
         .value = &costs->worker_poll_ns},
        {0},
    };
    const command_line line = {
        .doc = "Simulates managers that feed workers by messages, and prints JSON. All costs are 0 "
               "unless given."
               "\vExit status: 0 done, 1 no memory, 2 a usage error, 3 the figures cannot be "
               "written.",
        .options = rows,
        .check = check,
        .input = setting,
    };
    command_line_parse(&line, argc, argv);
}

int main(int argc, char **argv) {
    scale_setting setting = {.task_ns = 1000,
                             .workers = 1,
                             .chunk = 1,
                             .pack = 1,
                             .credit = 2,
                             .warm_up = 8,
                             .rounds = 24};
    unsigned seed = 1;
    scale_result result;
    output_prepare(argv);
    parse(argc, argv, &setting, &seed);
    setting.seed = seed;
    if (!scale_simulate(&setting, &result)) {
        bench_fail("no memory");
    }
    output_print("{\"tasks_per_second\":%.17g,\"formula\":%.17g,\"efficiency\":%.6f,"
                 "\"manager_busy\":%.6f,\"root_busy\":%.6f,\"simulated_ns\":%.0f,"
                 "\"messages\":%" PRIu64 ",\"seed\":%u}\n",
                 result.tasks_per_second, scale_formula(&setting), result.efficiency,
                 result.manager_busy, result.root_busy, result.simulated_ns, result.messages, seed);
    return 0;
}
