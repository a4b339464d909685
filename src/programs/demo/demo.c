#include "programs/demo/demo.h"

#include "programs/base/command_line.h"
#include "programs/base/output.h"

#include <error.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- the command line ------------------------------------------------------------------------ */

static void take_argument(struct argp_state *state, const char *text) {
    demo_number **next = state->input;
    if (*next == NULL || (*next)->name == NULL) {
        argp_error(state, "'%s': an argument too many", text);
        return; /* not reached, but only the C library knows */
    }
    demo_number *number = (*next)++;
    number->value = command_line_number(state, number->name, text, number->min, number->max);
}

static error_t parse_option(int key, char *text, struct argp_state *state) {
    char word[64];
    if (key == ARGP_KEY_ARG) {
        take_argument(state, text);
    } else if (command_line_is_negative(key, text, word, sizeof word)) {
        take_argument(state, word);
    } else {
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

void demo_prepare(const char *doc, const char *args_doc, demo_number *numbers, int argc,
                  char **argv) {
    static const struct argp_option OPTIONS[] = {COMMAND_LINE_DIGITS, {0}};
    const struct argp argp = {
        .options = OPTIONS, .parser = parse_option, .args_doc = args_doc, .doc = doc};
    output_prepare(argv);
    /* In order, so that a negative number is known by its place. */
    command_line_parse(&argp, ARGP_IN_ORDER, argc, argv, &numbers);
}

/* ---- printing -------------------------------------------------------------------------------- */

void demo_display(const char *format, ...) {
    char text[1024], stamp[16], line[sizeof text + sizeof stamp + 4];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);

    const time_t now = time(NULL);
    struct tm local = {0};
    localtime_r(&now, &local);
    strftime(stamp, sizeof stamp, "%H:%M:%S", &local);
    int length = snprintf(line, sizeof line, "[%s] %s\n", stamp, text);
    output_write(line, (size_t)length);
}

/* ---- failures -------------------------------------------------------------------------------- */

void demo_require(cf_status status, const char *what) {
    if (status != CF_OK) {
        error(EXIT_ITEM, 0, "cannot %s: %s", what, cf_status_message(status));
    }
}

void demo_require_success(const cf_exception *exception) {
    if (exception->status == CF_OK) {
        return;
    }
    if (exception->status == CF_EWORKER && exception->signal == SIGPIPE) {
        raise(SIGPIPE);
    }
    if (exception->status == CF_EWORKER && exception->exit_code == EXIT_IO) {
        exit(EXIT_IO);
    }
    char reason[128];
    error(EXIT_ITEM, 0, "a task failed: %s",
          cf_exception_describe(exception, reason, sizeof reason));
}
