#include "programs/flags/flags2_options.h"

#include "download/site.h"
#include "programs/base/output.h"
#include "programs/flags/flags_program.h"

#include <errno.h>
#include <error.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RETRIES_MAX 100u

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

static void parse_server(struct argp_state *state, const char *name, char *text, void *server) {
    size_t i = 0;
    while (i < SERVERS_COUNT && strcasecmp(text, SERVERS[i].label) != 0) {
        i++;
    }
    if (i == SERVERS_COUNT) {
        command_line_error(state, "%s: '%s' is none of DELAY, ERROR, LOCAL, REMOTE", name, text);
    }
    *(size_t *)server = i;
}

/* ---- codes ------------------------------------------------------------------------------------- */

typedef struct parse_input {
    flags2_options *options;
    size_t server; /* SERVERS_COUNT = not given */
    unsigned limit;
    bool all, every;
    bool names;     /* are there arguments? */
    code_set named; /* by them */
    char *no_code;  /* the first of them that is none */
} parse_input;

static void take_name(struct argp_state *state, char *text, void *data) {
    (void)state;
    parse_input *input = data;
    input->names = true;
    if (!code_set_add_text(&input->named, text) && input->no_code == NULL) {
        input->no_code = strdup(text);
    }
}

/* --every before --all before those named before the 20. */
static void choose_codes(struct argp_state *state, const parse_input *input) {
    flags2_options *options = input->options;
    code_set set = {0};
    if (input->every) {
        code_set_add_every(&set);
    } else if (input->all) {
        code_set_add(&set, COUNTRY_CODES, COUNTRY_CODES_COUNT);
    } else if (input->no_code != NULL) {
        command_line_error(state, "'%s' is not a country code from A to Z or AA to ZZ",
                           input->no_code);
    } else if (input->names) {
        set = input->named;
    } else {
        code_set_add(&set, POP20, POP20_COUNT);
    }
    options->count = code_set_list(&set, options->codes, input->limit);
}

/* ---- the site ---------------------------------------------------------------------------------- */

static const char *require_text(const char *text) {
    if (text == NULL) {
        error(EXIT_ITEM, ENOMEM, "the command line");
    }
    return text;
}

/* The label of --server stays beside --base-url; LOCAL, the default, would be wrong there. */
static void choose_site(flags2_options *options, size_t server) {
    const char **site = &options->download.site;
    if (server < SERVERS_COUNT) {
        options->label = SERVERS[server].label;
    } else {
        server = 0;
        options->label = *site == NULL ? SERVERS[0].label : require_text(site_host(*site));
    }
    if (*site == NULL) {
        *site = SERVERS[server].site;
    }
    options->shown_site = require_text(site_shown(*site));
}

/* ---- all of it --------------------------------------------------------------------------------- */

static void finish(struct argp_state *state, void *data) {
    const parse_input *input = data;
    flags2_options *options = input->options;
    joblog_options_check(state, &options->joblog);
    choose_codes(state, input);
    free(input->no_code);
    choose_site(options, input->server);
    if (options->most > options->count) {
        options->most = (unsigned)options->count;
    }
}

static void show_help(struct argp_state *state, const char *name, char *text, void *value) {
    (void)name, (void)text, (void)value;
    argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
}

void flags2_options_parse(flags2_options *options, const flags2_program *program, int argc,
                          char **argv) {
    *options = (flags2_options){
        .most = program->most_by_default,
        .size_limit = SIZE_LIMIT_DEFAULT,
    };
    parse_input input = {
        .options = options,
        .server = SERVERS_COUNT,
        .limit = UINT_MAX,
    };
    char doc[1024], most_doc[128];
    snprintf(most_doc, sizeof most_doc,
             "Most requests at once; a number above %u counts as %u (%u)", program->most,
             program->most, program->most_by_default);
    snprintf(doc, sizeof doc,
             "Download flags for country codes%s. Default: top 20 countries by population."
             "\vCC is a country code, or its first letter (B for BA to BZ).\n\n%s",
             program->doc, DOWNLOAD_DOC);
    /* With --max-size in place of --size-limit, --m would no longer be short for --max_req. */
    const command_line_option rows[] = {
        {"all", 'a', .doc = "Get all available flags (AD to ZW)", .flag = &input.all},
        {"every", 'e', .doc = "Get flags for every possible code (AA to ZZ)", .flag = &input.every},
        {"limit", 'l', "N", "Limit to the N first codes", .number = &input.limit, .min = 1,
         .max = UINT_MAX},
        {"max-req", 'm', "CONCURRENT", most_doc, .number = &options->most, .min = 1,
         .max = program->most, .more_is_max = true},
        {"max_req", 'm', .flags = OPTION_ALIAS},
        {"server", 's', "LABEL", "Server to hit; one of DELAY, ERROR, LOCAL, REMOTE (LOCAL)",
         .parse = parse_server, .value = &input.server},
        {"verbose", 'v', .doc = "Tell of each code what became of it", .flag = &options->verbose},
        {"retries", 0, "N",
         "Try again up to N times, after a pause, what may go well next time: statuses 408, "
         "429, 500, 502, 503 and 504, timeouts, dropped connections (0)",
         .number = &options->retries, .max = RETRIES_MAX},
        {"size-limit", 0, "BYTES", "Take a longer answer for an error (1048576)",
         .number = &options->size_limit, .min = 1, .max = INT_MAX},
        {"fsync", .doc = "A flag is downloaded when it is on the disk", .flag = &options->sync},
        {"skip-existing", .doc = "Do not ask for what the folder has already",
         .flag = &options->skip_existing},
        command_line_json(0, &options->json),
        joblog_option_file(&options->joblog),
        joblog_option_resume(&options->joblog),
        command_line_metrics(&options->metrics),
        {.key = 'h', .doc = "The same as --help", .group = -1, .parse = show_help},
        {0},
    };
    const command_line line = {
        .doc = doc,
        .args_doc = "[CC ...]",
        .options = rows,
        .take = take_name,
        .check = finish,
        .input = &input,
    };
    download_options_parse(&options->download, NULL, &line, argc, argv);
}
