#include "programs/base/command_line.h"

#include "programs/base/decimal.h"
#include "programs/base/output.h"

#include <error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_version(FILE *stream, struct argp_state *state) {
    fprintf(stream, "%s (primepool) %s\n", state->name, PRIMEPOOL_VERSION);
}

void command_line_parse(const struct argp *argp, unsigned flags, int argc, char **argv,
                        void *input) {
    argp_err_exit_status = EXIT_USAGE;
    argp_program_version_hook = print_version;
    int problem = argp_parse(argp, argc, argv, flags, NULL, input);
    if (problem != 0) {
        error(EXIT_USAGE, problem, "the command line");
    }
}

unsigned command_line_number(struct argp_state *state, const char *what, const char *text,
                             unsigned min, unsigned max) {
    uint64_t value = 0;
    if (!decimal_parse(text, strlen(text), min, max, &value)) {
        argp_error(state, "%s: '%s' is not a number from %u to %u", what, text, min, max);
    }
    return (unsigned)value;
}

int64_t command_line_seconds(struct argp_state *state, const char *what, const char *text) {
    const double most = 1e9;
    bool plain = text[0] != '\0' && text[strspn(text, "0123456789.")] == '\0';
    char *end;
    double seconds = strtod(text, &end);
    if (!plain || *end != '\0' || seconds > most || seconds * 1e9 < 1) {
        argp_error(state, "%s: '%s' is not a number of seconds above 0 and up to %.0f", what, text,
                   most);
    }
    return (int64_t)(seconds * 1e9);
}

bool command_line_is_negative(int key, const char *rest, char *word, size_t size) {
    if (key < '0' || key > '9') {
        return false;
    }
    snprintf(word, size, "-%c%s", key, rest == NULL ? "" : rest);
    return true;
}
