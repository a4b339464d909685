#include "programs/slow_server/slow_server_options.h"

#include "programs/base/command_line.h"
#include "programs/base/decimal.h"
#include "programs/base/output.h"

#include <errno.h>
#include <error.h>
#include <limits.h>
#include <sys/random.h>

static const char DOC[] =
    "Serve images of flags as /flags/cc/cc.gif over HTTP, each after a random delay, and some not "
    "at all: a server to test download programs with."
    "\v"
    "PORT is a number from 0 to 65535, by default 8001; 0 is any port that is free.\n\n"
    "Exit status: 0 ended by SIGINT or SIGTERM, 2 a usage error, 3 the port cannot be had, or a "
    "file or the output cannot be read or written.";

/* The number from 0 to `most` that the text is, or a usage error. */
static double parse_real(struct argp_state *state, const char *name, const char *text,
                         const char *unit, double most) {
    double value;
    if (!decimal_parse_real(text, &value) || value > most) {
        argp_error(state, "%s: '%s' is not a number %sfrom 0 to %.0f", name, text, unit, most);
    }
    return value;
}

static void parse_rate(struct argp_state *state, const char *name, char *text, void *rate) {
    *(double *)rate = parse_real(state, name, text, "", 1);
}

static void parse_delay(struct argp_state *state, const char *name, char *text, void *delay_ns) {
    *(int64_t *)delay_ns = (int64_t)(parse_real(state, name, text, "of seconds ", 1e6) * 1e9);
}

static void parse_seed(struct argp_state *state, const char *name, char *text, void *seed) {
    *(uint64_t *)seed = command_line_number(state, name, text, 0, UINT_MAX);
}

#define MIN_DELAY_NS INT64_C(500000000) /* by default, if that is not above the longest */
#define NOT_GIVEN    (-1)

/* What no value shows to be wrong by itself. */
static void check_together(struct argp_state *state, void *data) {
    slow_server_options *options = data;
    fault_settings *faults = &options->faults;
    if (faults->min_delay_ns == NOT_GIVEN) {
        faults->min_delay_ns =
            faults->max_delay_ns < MIN_DELAY_NS ? faults->max_delay_ns : MIN_DELAY_NS;
    }
    if (faults->min_delay_ns > faults->max_delay_ns) {
        argp_error(state, "--min-delay: %g seconds are more than the %g of --max-delay",
                   (double)faults->min_delay_ns / 1e9, (double)faults->max_delay_ns / 1e9);
    }
    if (options->export_to != NULL && options->directory != NULL) {
        argp_error(state, "--export: writes its own images, not those of --directory");
    }
}

static uint64_t random_seed(void) {
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed) {
        error(EXIT_IO, errno, "no random seed");
    }
    return seed;
}

void slow_server_options_parse(slow_server_options *options, int argc, char **argv) {
    *options = (slow_server_options){
        .port = 8001,
        .bind = "127.0.0.1",
        .faults = {.min_delay_ns = NOT_GIVEN, .max_delay_ns = 5000000000, .seed = random_seed()},
    };
    fault_settings *faults = &options->faults;
    const command_line_option rows[] = {
        {"bind", 'b', "ADDR", "Where to listen (127.0.0.1)", .text = &options->bind},
        {"directory", 'd', "DIR",
         "Serve the files DIR/flags/CC/CC.gif instead of images of its own",
         .parse = command_line_folder, .value = &options->directory},
        {"error-rate", 'e', "P", "Answer with status 418 at that rate, from 0 to 1 (0)",
         .parse = parse_rate, .value = &faults->error_rate},
        {"min-delay", 0, "SECONDS", "The shortest delay (0.5, or less if the longest is shorter)",
         .parse = parse_delay, .value = &faults->min_delay_ns},
        {"max-delay", 0, "SECONDS", "The longest delay (5); if both are 0 there is none",
         .parse = parse_delay, .value = &faults->max_delay_ns},
        {"seed", 0, "N",
         "The same N gives the nth request for a code the same delay and error (a random one)",
         .parse = parse_seed, .value = &faults->seed},
        {"log", 0, "FILE", "Write a line to FILE for each answer: arrival, delay, status, code",
         .text = &options->log},
        observing_trace_option(&options->observing),
        {"export", 0, "DIR", "Write its images to DIR/flags/CC/CC.gif, and end",
         .parse = command_line_folder, .value = &options->export_to},
        {0},
    };
    const command_line line = {
        .doc = DOC,
        .args_doc = "[PORT]",
        .options = rows,
        .positionals = (command_line_positional[]){{"PORT", 0, 65535, &options->port}, {0}},
        .check = check_together,
        .input = options,
    };
    command_line_parse(&line, argc, argv);
}
