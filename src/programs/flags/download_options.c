#include "programs/flags/download_options.h"

#include "download/site.h"

#include <string.h>
#include <strings.h>

/* What is the same with and without. */
static void cut_slashes(char *text) {
    size_t length = strlen(text);
    while (length > 1 && text[length - 1] == '/') {
        text[--length] = '\0';
    }
}

static void parse_url(struct argp_state *state, const char *name, char *text, void *site) {
    if (strncasecmp(text, "http://", 7) != 0 && strncasecmp(text, "https://", 8) != 0) {
        command_line_error(state, "%s: '%s' does not begin with http:// or https://", name, text);
    }
    if (!site_is_valid(text) || strpbrk(text, "?#") != NULL) {
        command_line_error(state, "%s: '%s' is not a URL that a path can be added to", name, text);
    }
    cut_slashes(text);
    *(const char **)site = text;
}

static void parse_dest(struct argp_state *state, const char *name, char *text, void *folder) {
    command_line_folder(state, name, text, folder);
    cut_slashes(text);
}

void download_options_parse(download_options *options, const char *default_site,
                            const command_line *line, int argc, char **argv) {
    *options = (download_options){
        .site = default_site,
        .folder = "downloaded",
        .timeout_ns = INT64_C(6100000000),
        .deadline_ns = INT64_C(30000000000),
    };
    const command_line_option rows[] = {
        {"base-url", 0, "URL", "Get the flag of BR from URL/br/br.gif", .parse = parse_url,
         .value = &options->site},
        {"dest", 0, "DIR", "Save it as DIR/BR.gif; DIR is made if it is missing (downloaded)",
         .parse = parse_dest, .value = &options->folder},
        {"timeout", 0, "SECONDS",
         "How long it may take to connect, and how long a connection may be silent (6.1)",
         .duration_ns = &options->timeout_ns},
        {"deadline", 0, "SECONDS", "How long one whole transfer may take (30)",
         .duration_ns = &options->deadline_ns},
        {"cacert", 0, "FILE", "Trust the certificates in FILE (PEM) in place of the system's",
         .text = &options->ca_file},
        {"allow-downgrade", .doc = "Follow redirects from https to http, which is not encrypted",
         .flag = &options->allow_downgrade},
        observing_trace_option(&options->observing),
        observing_report_option(&options->observing),
        {0},
    };
    command_line with_rows = *line;
    with_rows.more_options = rows;
    command_line_parse(&with_rows, argc, argv);
}
