#include "programs/flags/download_options.h"

#include "programs/base/command_line.h"

#include <string.h>
#include <strings.h>

enum {
    KEY_BASE_URL = 0x200,
    KEY_DEST,
    KEY_TIMEOUT,
    KEY_DEADLINE,
    KEY_CACERT,
};

static const struct argp_option OPTIONS[] = {
    {.name = "base-url",
     .key = KEY_BASE_URL,
     .arg = "URL",
     .doc = "Get the flag of BR from URL/br/br.gif"},
    {.name = "dest",
     .key = KEY_DEST,
     .arg = "DIR",
     .doc = "Save it as DIR/BR.gif; DIR is made if it is missing (downloaded)"},
    {.name = "timeout",
     .key = KEY_TIMEOUT,
     .arg = "SECONDS",
     .doc = "How long it may take to connect, and how long a connection may be silent (6.1)"},
    {.name = "deadline",
     .key = KEY_DEADLINE,
     .arg = "SECONDS",
     .doc = "How long one whole transfer may take (30)"},
    {.name = "cacert",
     .key = KEY_CACERT,
     .arg = "FILE",
     .doc = "Trust the certificates in FILE (PEM) in place of the system's"},
    {0},
};

/* What is the same with and without. */
static void cut_slashes(char *text) {
    size_t length = strlen(text);
    while (length > 1 && text[length - 1] == '/') {
        text[--length] = '\0';
    }
}

static const char *parse_url(struct argp_state *state, char *text) {
    if (strncasecmp(text, "http://", 7) != 0 && strncasecmp(text, "https://", 8) != 0) {
        argp_error(state, "--base-url: '%s' does not begin with http:// or https://", text);
    }
    const char *host = strchr(text, ':') + 1;
    if (host[strspn(host, "/")] == '\0' || strpbrk(text, "?#") != NULL) {
        argp_error(state, "--base-url: '%s' is not a URL that a path can be added to", text);
    }
    cut_slashes(text);
    return text;
}

static error_t parse_option(int key, char *text, struct argp_state *state) {
    download_options *options = state->input;
    switch (key) {
    case KEY_BASE_URL:
        options->site = parse_url(state, text);
        return 0;
    case KEY_DEST:
        if (text[0] == '\0') {
            argp_error(state, "--dest: '' is not the name of a folder");
        }
        cut_slashes(text);
        options->folder = text;
        return 0;
    case KEY_TIMEOUT:
        options->timeout_ns = command_line_seconds(state, "--timeout", text);
        return 0;
    case KEY_DEADLINE:
        options->deadline_ns = command_line_seconds(state, "--deadline", text);
        return 0;
    case KEY_CACERT:
        options->ca_file = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp DOWNLOAD_ARGP = {.options = OPTIONS, .parser = parse_option};
