#include "programs/demo/demo.h"

#include "programs/base/output.h"

#include <error.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void demo_prepare(const char *doc, const char *args_doc, const command_line_positional *positionals,
                  int argc, char **argv) {
    static const command_line_positional NONE[] = {{0}};
    const command_line line = {
        .doc = doc,
        .args_doc = args_doc,
        .positionals = positionals != NULL ? positionals : NONE,
    };
    output_prepare(argv);
    command_line_parse(&line, argc, argv);
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
