#include "programs/slow_server/slow_server_options.h"

#include "programs/base/command_line.h"
#include "programs/base/output.h"

#include <errno.h>
#include <error.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { /* options without a short form */
    KEY_EXPORT = 256,
    KEY_MIN_DELAY,
    KEY_MAX_DELAY,
    KEY_SEED,
    KEY_LOG,
};

static const struct argp_option OPTIONS[] = {
    {.name = "bind", .key = 'b', .arg = "ADDR", .doc = "Where to listen (127.0.0.1)"},
    {.name = "directory",
     .key = 'd',
     .arg = "DIR",
     .doc = "Serve the files DIR/flags/CC/CC.gif instead of images of its own"},
    {.name = "error-rate",
     .key = 'e',
     .arg = "P",
     .doc = "Answer with status 418 at that rate, from 0 to 1 (0)"},
    {.name = "min-delay",
     .key = KEY_MIN_DELAY,
     .arg = "SECONDS",
     .doc = "The shortest delay (0.5)"},
    {.name = "max-delay",
     .key = KEY_MAX_DELAY,
     .arg = "SECONDS",
     .doc = "The longest delay (5); if both are 0 there is none"},
    {.name = "seed",
     .key = KEY_SEED,
     .arg = "N",
     .doc = "The same N gives the nth request for a code the same delay and error (a random one)"},
    {.name = "log",
     .key = KEY_LOG,
     .arg = "FILE",
     .doc = "Write a line to FILE for each answer: arrival, delay, status, code"},
    {.name = "export",
     .key = KEY_EXPORT,
     .arg = "DIR",
     .doc = "Write its images to DIR/flags/CC/CC.gif, and end"},
    COMMAND_LINE_DIGITS,
    {0},
};

static const char DOC[] =
    "Serve images of flags as /flags/cc/cc.gif over HTTP, each after a random delay, and some not "
    "at all: a server to test download programs with."
    "\v"
    "PORT is a number from 0 to 65535, by default 8001; 0 is any port that is free.\n\n"
    "Exit status: 0 ended by SIGINT or SIGTERM, 2 a usage error, 3 the port cannot be had, or a "
    "file or the output cannot be read or written.";

/* The number from 0 to `most` that the text is, or a usage error. */
static double parse_real(struct argp_state *state, const char *option, const char *text,
                         const char *unit, double most) {
    const bool plain = text[0] != '\0' && text[strspn(text, "0123456789.")] == '\0';
    char *end;
    const double value = strtod(text, &end);
    if (!plain || *end != '\0' || value > most) {
        argp_error(state, "%s: '%s' is not a number %sfrom 0 to %.0f", option, text, unit, most);
    }
    return value;
}

static int64_t parse_delay(struct argp_state *state, const char *option, const char *text) {
    return (int64_t)(parse_real(state, option, text, "of seconds ", 1e6) * 1e9);
}

static void take_port(struct argp_state *state, const char *text) {
    slow_server_options *options = state->input;
    if (state->arg_num > 0) {
        argp_error(state, "'%s': an argument too many", text);
    }
    options->port = command_line_number(state, "PORT", text, 0, 65535);
}

/* What no value shows to be wrong by itself. */
static void check_together(struct argp_state *state) {
    const slow_server_options *options = state->input;
    if (options->faults.min_delay_ns > options->faults.max_delay_ns) {
        argp_error(state, "--min-delay: %g seconds are more than the %g of --max-delay",
                   (double)options->faults.min_delay_ns / 1e9,
                   (double)options->faults.max_delay_ns / 1e9);
    }
    if (options->export_to != NULL && options->directory != NULL) {
        argp_error(state, "--export: writes its own images, not those of --directory");
    }
}

static const char *parse_folder(struct argp_state *state, const char *option, const char *text) {
    if (text[0] == '\0') {
        argp_error(state, "%s: '' is not the name of a folder", option);
    }
    return text;
}

static error_t parse_option(int key, char *text, struct argp_state *state) {
    slow_server_options *options = state->input;
    char word[64];
    switch (key) {
    case 'b':
        options->bind = text;
        return 0;
    case 'd':
        options->directory = parse_folder(state, "--directory", text);
        return 0;
    case 'e':
        options->faults.error_rate = parse_real(state, "--error-rate", text, "", 1);
        return 0;
    case KEY_MIN_DELAY:
        options->faults.min_delay_ns = parse_delay(state, "--min-delay", text);
        return 0;
    case KEY_MAX_DELAY:
        options->faults.max_delay_ns = parse_delay(state, "--max-delay", text);
        return 0;
    case KEY_SEED:
        options->faults.seed = command_line_number(state, "--seed", text, 0, UINT_MAX);
        return 0;
    case KEY_LOG:
        options->log = text;
        return 0;
    case KEY_EXPORT:
        options->export_to = parse_folder(state, "--export", text);
        return 0;
    case ARGP_KEY_ARG:
        take_port(state, text);
        return 0;
    case ARGP_KEY_END:
        check_together(state);
        return 0;
    default:
        if (!command_line_is_negative(key, text, word, sizeof word)) {
            return ARGP_ERR_UNKNOWN;
        }
        take_port(state, word);
        return 0;
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
    static const struct argp argp = {
        .options = OPTIONS, .parser = parse_option, .args_doc = "[PORT]", .doc = DOC};
    *options = (slow_server_options){
        .port = 8001,
        .bind = "127.0.0.1",
        .faults = {.min_delay_ns = 500000000, .max_delay_ns = 5000000000, .seed = random_seed()},
    };
    /* In order, so that a negative number is known by its place. */
    command_line_parse(&argp, ARGP_IN_ORDER, argc, argv, options);
}
