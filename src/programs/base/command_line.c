#define _GNU_SOURCE /* vasprintf */
#include "programs/base/command_line.h"

#include "programs/base/decimal.h"
#include "programs/base/output.h"
#include "programs/base/userinfo.h"

#include <assert.h>
#include <errno.h>
#include <error.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_LONG = 256, /* and above: the keys of options without a short form */
    OPTIONS_MAX = 32,
    DIGITS = 10
};

typedef struct parser {
    const command_line *line;
    const command_line_option *options[OPTIONS_MAX];
    struct argp_option rows[OPTIONS_MAX + DIGITS + 1]; /* of the options; and of digits */
    size_t count;                                      /* of options */
    const command_line_positional *positional;         /* the next one */
} parser;

/* ---- values ---------------------------------------------------------------------------------- */

void command_line_error(struct argp_state *state, const char *format, ...) {
    va_list values;
    char *message;
    va_start(values, format);
    if (vasprintf(&message, format, values) < 0) {
        error(EXIT_USAGE, ENOMEM, "the command line");
    }
    va_end(values);
    argp_error(state, "%s", userinfo_hide(message));
    free(message);
}

/* From min to `accepted`, where the message names `max`. */
static unsigned number_up_to(struct argp_state *state, const char *name, const char *text,
                             unsigned min, unsigned max, unsigned accepted) {
    uint64_t value = 0;
    if (!decimal_parse(text, strlen(text), min, accepted, &value)) {
        command_line_error(state, "%s: '%s' is not a number from %u to %u", name, text, min, max);
    }
    return (unsigned)value;
}

unsigned command_line_number(struct argp_state *state, const char *name, const char *text,
                             unsigned min, unsigned max) {
    return number_up_to(state, name, text, min, max, max);
}

void command_line_number_once(struct argp_state *state, const char *name, const char *text,
                              unsigned max, unsigned *number) {
    if (*number != 0) {
        command_line_error(state, "'%s': %s, a number from 1 to %u, is given once", text, name,
                           max);
    }
    *number = command_line_number(state, name, text, 1, max);
}

int64_t command_line_seconds(struct argp_state *state, const char *name, const char *text) {
    const double most = 1e9;
    double seconds;
    if (!decimal_parse_real(text, &seconds) || seconds > most || seconds * 1e9 < 1) {
        command_line_error(state, "%s: '%s' is not a number of seconds above 0 and up to %.0f",
                           name, text, most);
    }
    return (int64_t)(seconds * 1e9);
}

void command_line_folder(struct argp_state *state, const char *name, char *text, void *value) {
    if (text[0] == '\0') {
        command_line_error(state, "%s: '' is not the name of a folder", name);
    }
    *(const char **)value = text;
}

static void take_value(struct argp_state *state, const command_line_option *option, char *text) {
    char name[32];
    snprintf(name, sizeof name, "--%s", option->name);
    if (option->flag != NULL) {
        *option->flag = true;
    } else if (option->text != NULL) {
        *option->text = text;
    } else if (option->duration_ns != NULL) {
        *option->duration_ns = command_line_seconds(state, name, text);
    } else if (option->number != NULL) {
        const unsigned number = number_up_to(state, name, text, option->min, option->max,
                                             option->more_is_max ? UINT_MAX : option->max);
        *option->number = number < option->max ? number : option->max;
    } else {
        option->parse(state, name, text, option->value);
    }
}

static void take_argument(struct argp_state *state, char *text) {
    parser *p = state->input;
    if (p->line->take != NULL) {
        p->line->take(state, text, p->line->input);
        return;
    }
    const command_line_positional *next = p->positional;
    if (next->name == NULL) {
        command_line_error(state, "'%s': an argument too many", text);
    }
    *next->number = command_line_number(state, next->name, text, next->min, next->max);
    p->positional++;
}

/* ---- argp ------------------------------------------------------------------------------------ */

static const command_line_option *find_option(const parser *p, int key) {
    size_t i = 0;
    while (i < p->count && p->rows[i].key != key) {
        i++;
    }
    return i < p->count ? p->options[i] : NULL;
}

static bool has_arguments(const command_line *line) {
    return line->take != NULL || line->positionals != NULL;
}

static error_t parse_option(int key, char *text, struct argp_state *state) {
    const parser *p = state->input;
    const command_line_option *option = find_option(p, key);
    char word[64];
    if (option != NULL) {
        take_value(state, option, text);
    } else if (key >= '0' && key <= '9') {
        snprintf(word, sizeof word, "-%c%s", key, text == NULL ? "" : text);
        take_argument(state, word);
    } else if (key == ARGP_KEY_ARG && has_arguments(p->line)) {
        take_argument(state, text);
    } else if (key == ARGP_KEY_END && p->line->check != NULL) {
        p->line->check(state, p->line->input);
    } else {
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static void add_options(parser *p, const command_line_option *option) {
    for (; option != NULL && (option->name != NULL || option->key != 0); option++) {
        assert(p->count < OPTIONS_MAX);
        p->options[p->count] = option;
        p->rows[p->count] = (struct argp_option){
            .name = option->name,
            .key = option->key != 0 ? option->key : KEY_LONG + (int)p->count,
            .arg = option->arg,
            .flags = option->flags,
            .doc = option->doc,
            .group = option->group,
        };
        p->count++;
    }
}

/* For argp -5 is the option 5, and the rest of the word its argument. */
static void add_digits(parser *p) {
    for (int digit = 0; digit < DIGITS; digit++) {
        p->rows[p->count + (size_t)digit] = (struct argp_option){
            .key = '0' + digit, .arg = "", .flags = OPTION_ARG_OPTIONAL | OPTION_HIDDEN};
    }
}

/* How many options the first `length` bytes of the name may mean. */
static size_t count_meanings(const parser *p, const char *name, size_t length) {
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++) {
        const char *known = p->rows[i].name;
        if (known != NULL && strncmp(known, name, length) == 0) {
            if (known[length] == '\0') {
                return 1;
            }
            count++;
        }
    }
    return count;
}

/* getopt shows an unknown option with its value, which may be a URL with a password. */
static void hide_values_of_unknown(const parser *p, int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        char *name = argv[i] + 2, *equals = strchr(argv[i], '=');
        if (strncmp(argv[i], "--", 2) == 0 && equals != NULL && strchr(equals, '@') != NULL &&
            count_meanings(p, name, (size_t)(equals - name)) != 1) {
            equals[1] = '\0';
        }
    }
}

static void print_version(FILE *stream, struct argp_state *state) {
    fprintf(stream, "%s (primepool) %s\n", state->name, PRIMEPOOL_VERSION);
}

void command_line_parse(const command_line *line, int argc, char **argv) {
    parser p = {.line = line, .positional = line->positionals};
    add_options(&p, line->more_options); /* first: others after -h would join its group */
    add_options(&p, line->options);
    if (has_arguments(line)) {
        add_digits(&p);
    }
    hide_values_of_unknown(&p, argc, argv);
    const struct argp argp = {
        .options = p.rows, .parser = parse_option, .args_doc = line->args_doc, .doc = line->doc};
    /* In order, so that a negative number is known by its place. */
    const unsigned flags = line->positionals != NULL ? ARGP_IN_ORDER : 0;
    argp_err_exit_status = EXIT_USAGE;
    argp_program_version_hook = print_version;
    const int problem = argp_parse(&argp, argc, argv, flags, NULL, &p);
    if (problem != 0) {
        error(EXIT_USAGE, problem, "the command line");
    }
}

/* ---- options of several programs ------------------------------------------------------------- */

command_line_option command_line_json(int key, bool *flag) {
    return (command_line_option){"json", key, .doc = "Print one JSON object a line instead of text",
                                 .flag = flag};
}

command_line_option command_line_stats(bool *flag) {
    return (command_line_option){"stats", 'S', .doc = "After the last line, tell what the run cost",
                                 .flag = flag};
}

command_line_option command_line_progress(bool *flag) {
    return (command_line_option){
        "progress", .doc = "Show on the terminal how far it is, and the time left", .flag = flag};
}

command_line_option command_line_metrics(const char **file) {
    return (command_line_option){"metrics", 0, "FILE",
                                 "Write to FILE, each second, what was counted, for Prometheus",
                                 .text = file};
}
