#include "programs/flags/flags2_options.h"

#include "programs/base/command_line.h"
#include "programs/flags/flags_program.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define RETRIES_MAX 100u

enum {
    KEY_RETRIES = 0x300,
    KEY_SIZE_LIMIT,
    KEY_FSYNC,
    KEY_SKIP_EXISTING,
    KEY_JSON,
};

/* With --max-size in place of --size-limit, --m would no longer be short for --max_req. */
static const struct argp_option OPTIONS[] = {
    {.name = "all", .key = 'a', .doc = "Get all available flags (AD to ZW)"},
    {.name = "every", .key = 'e', .doc = "Get flags for every possible code (AA to ZZ)"},
    {.name = "limit", .key = 'l', .arg = "N", .doc = "Limit to the N first codes"},
    {.name = "max_req", .key = 'm', .arg = "CONCURRENT", .doc = "Most requests at once"},
    {.name = "max-req", .key = 'm', .flags = OPTION_ALIAS},
    {.name = "server",
     .key = 's',
     .arg = "LABEL",
     .doc = "Server to hit; one of DELAY, ERROR, LOCAL, REMOTE (LOCAL)"},
    {.name = "verbose", .key = 'v', .doc = "Tell of each code what became of it"},
    {.name = "retries",
     .key = KEY_RETRIES,
     .arg = "N",
     .doc = "Try again up to N times, after a pause, what may go well next time: statuses 408, "
            "429, 500, 502, 503 and 504, timeouts, dropped connections (0)"},
    {.name = "size-limit",
     .key = KEY_SIZE_LIMIT,
     .arg = "BYTES",
     .doc = "Take a longer answer for an error (1048576)"},
    {.name = "fsync", .key = KEY_FSYNC, .doc = "A flag is downloaded when it is on the disk"},
    {.name = "skip-existing",
     .key = KEY_SKIP_EXISTING,
     .doc = "Do not ask for what the folder has already"},
    {.name = "json", .key = KEY_JSON, .doc = "Print one JSON object a line instead of text"},
    {.key = 'h', .doc = "The same as --help", .group = -1},
    COMMAND_LINE_DIGITS,
    {0},
};

/* ---- servers ----------------------------------------------------------------------------------- */

static const struct {
    const char *label;
    const char *site;
} SERVERS[] = {
    {"LOCAL", "http://localhost:8000/flags"},
    {"DELAY", "http://localhost:8001/flags"},
    {"ERROR", "http://localhost:8002/flags"},
    {"REMOTE", REMOTE_SITE},
};
#define SERVERS_COUNT (sizeof SERVERS / sizeof SERVERS[0])

static size_t parse_server(struct argp_state *state, const char *text) {
    size_t i = 0;
    while (i < SERVERS_COUNT && strcasecmp(text, SERVERS[i].label) != 0) {
        i++;
    }
    if (i == SERVERS_COUNT) {
        argp_error(state, "--server: '%s' is none of DELAY, ERROR, LOCAL, REMOTE", text);
    }
    return i;
}

/* ---- codes ------------------------------------------------------------------------------------- */

typedef struct parse_input {
    const flags2_program *program;
    flags2_options *options;
    size_t server;
    unsigned most, limit;
    bool all, every;
    code_set named;         /* by arguments */
    const char *first_name; /* of them; NULL = none */
    const char *no_code;    /* the first argument that is none */
} parse_input;

static void take_name(parse_input *input, const char *text) {
    if (input->first_name == NULL) {
        input->first_name = text;
    }
    if (!code_set_add_text(&input->named, text) && input->no_code == NULL) {
        input->no_code = text;
    }
}

/* --every before --all before those named before the 20. */
static void choose_codes(struct argp_state *state) {
    parse_input *input = state->input;
    flags2_options *options = input->options;
    code_set set = {0};
    if (input->every) {
        code_set_add_every(&set);
    } else if (input->all) {
        code_set_add(&set, COUNTRY_CODES, COUNTRY_CODES_COUNT);
    } else if (input->no_code != NULL) {
        argp_error(state, "'%s' is not a country code from A to Z or AA to ZZ", input->no_code);
    } else if (input->first_name != NULL) {
        set = input->named;
    } else {
        code_set_add(&set, POP20, POP20_COUNT);
    }
    options->count = code_set_list(&set, options->codes, input->limit);
}

/* ---- all of it --------------------------------------------------------------------------------- */

static void finish(struct argp_state *state) {
    const parse_input *input = state->input;
    flags2_options *options = input->options;
    choose_codes(state);
    options->label = SERVERS[input->server].label;
    if (options->download.site == NULL) {
        options->download.site = SERVERS[input->server].site;
    }
    options->most = input->most < input->program->most ? input->most : input->program->most;
    if (options->most > options->count) {
        options->most = (unsigned)options->count;
    }
}

static error_t parse_option(int key, char *text, struct argp_state *state) {
    parse_input *input = state->input;
    flags2_options *options = input->options;
    char word[64];

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->download;
        return 0;
    case 'a':
        input->all = true;
        return 0;
    case 'e':
        input->every = true;
        return 0;
    case 'l':
        input->limit = command_line_number(state, "--limit", text, 1, UINT_MAX);
        return 0;
    case 'm':
        input->most = command_line_number(state, "--max-req", text, 1, UINT_MAX);
        return 0;
    case 's':
        input->server = parse_server(state, text);
        return 0;
    case 'v':
        options->verbose = true;
        return 0;
    case 'h':
        argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
        return 0;
    case KEY_RETRIES:
        options->retries = command_line_number(state, "--retries", text, 0, RETRIES_MAX);
        return 0;
    case KEY_SIZE_LIMIT:
        options->size_limit = command_line_number(state, "--size-limit", text, 1, INT_MAX);
        return 0;
    case KEY_FSYNC:
        options->sync = true;
        return 0;
    case KEY_SKIP_EXISTING:
        options->skip_existing = true;
        return 0;
    case KEY_JSON:
        options->json = true;
        return 0;
    case ARGP_KEY_ARG:
        take_name(input, text);
        return 0;
    case ARGP_KEY_END:
        finish(state);
        return 0;
    default:
        if (!command_line_is_negative(key, text, word, sizeof word)) {
            return ARGP_ERR_UNKNOWN;
        }
        take_name(input, strdup(word)); /* which is no code: the program ends with it */
        return 0;                       /* NOLINT(clang-analyzer-unix.Malloc) */
    }
}

void flags2_options_parse(flags2_options *options, const flags2_program *program, int argc,
                          char **argv) {
    *options = (flags2_options){
        .download = DOWNLOAD_OPTIONS_DEFAULT,
        .size_limit = SIZE_LIMIT_DEFAULT,
    };
    parse_input input = {
        .program = program,
        .options = options,
        .most = program->most_by_default,
        .limit = UINT_MAX,
    };
    char doc[1024];
    snprintf(doc, sizeof doc,
             "Download flags for country codes%s. Default: top 20 countries by population."
             "\vCC is a country code, or its first letter (B for BA to BZ). By default %u requests "
             "are made at once, at most %u.\n\n%s",
             program->doc, program->most_by_default, program->most, DOWNLOAD_EXIT_DOC);
    static const struct argp_child CHILDREN[] = {{.argp = &DOWNLOAD_ARGP}, {0}};
    const struct argp argp = {
        .options = OPTIONS,
        .parser = parse_option,
        .args_doc = "[CC ...]",
        .doc = doc,
        .children = CHILDREN,
    };
    command_line_parse(&argp, 0, argc, argv, &input);
}
