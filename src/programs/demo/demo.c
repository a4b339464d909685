#define _GNU_SOURCE
#include "programs/demo/demo.h"

#include "programs/base/output.h"
#include "programs/base/refusal.h"

#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static observing_options wanted;

void demo_prepare(const char *doc, const char *args_doc, const command_line_option *options,
                  const command_line_positional *positionals, int argc, char **argv) {
    static const command_line_positional NONE[] = {{0}};
    const command_line_option more[] = {
        observing_trace_option(&wanted),
        observing_report_option(&wanted),
        {0},
    };
    const command_line line = {
        .doc = doc,
        .args_doc = args_doc,
        .options = options,
        .more_options = more,
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
    char text[64];
    snprintf(text, sizeof text, "cannot %s", what);
    require_ok(status, text);
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
    if (exception->status == CF_ENOMEM || exception->status == CF_EAGAIN) { /* it never ran */
        demo_require(exception->status, "run the tasks");
    }
    char reason[128];
    error(EXIT_ITEM, 0, "a task failed: %s",
          cf_exception_describe(exception, reason, sizeof reason));
}

/* ---- what the run was ------------------------------------------------------------------------ */

observing *demo_observe(const char *worker, unsigned asked) {
    const observing_subject subject = {
        .program = program_invocation_short_name,
        .worker = worker,
        .ordered = true,
        .asked = asked,
    };
    return observing_begin(&wanted, &subject);
}

int demo_end(cf_executor *pool, observing *observed) {
    cf_executor_shutdown(pool, true, false);
    const int code = observing_end(observed);
    cf_executor_destroy(pool);
    return code;
}

/* ---- a map ----------------------------------------------------------------------------------- */

/* The arguments from `next` to `end`, one for each call. */
typedef struct arguments {
    const char *next, *end;
    size_t size; /* of one */
} arguments;

static cf_source_answer give_argument(void *context, void *arg) {
    arguments *from = context;
    if (from->next == from->end) {
        return CF_SOURCE_END;
    }
    memcpy(arg, from->next, from->size);
    from->next += from->size;
    return CF_SOURCE_ITEM;
}

int demo_map(unsigned workers, const cf_task *task, const void *args, size_t count,
             void (*show)(const cf_stream_item *item)) {
    demo_display("Script starting.");
    cf_executor *pool;
    observing *observed = demo_observe("thread", workers);
    const cf_pool_options options = {.max_workers = workers,
                                     .observer = observing_observer(observed)};
    demo_require(cf_thread_pool_create(&options, &pool), "create the pool");
    observing_executor(observed, pool);

    cf_stream *results;
    arguments from = {args, (const char *)args + count * task->arg_size, task->arg_size};
    const cf_stream_options map = {.chunk = 1, .size_hint = count};
    demo_require(cf_stream_open(pool, task, give_argument, &from, &map, &results), "begin");
    char text[64];
    demo_display("results: %s", cf_stream_describe(results, text, sizeof text));

    demo_display("Waiting for individual results:");
    cf_status status;
    cf_stream_item item;
    while ((status = cf_stream_next(results, CF_FOREVER, &item)) == CF_OK) {
        demo_require_success(&item.exception);
        show(&item);
        snprintf(text, sizeof text, "%" PRIu64, item.index);
        observing_handed(observed, item.index, text);
    }
    if (status != CF_EEXHAUSTED) {
        demo_require(status, "go on");
    }
    cf_stream_close(results);
    return demo_end(pool, observed);
}
