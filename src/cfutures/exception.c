/* What became of a task, in words. */
#define _GNU_SOURCE /* sigabbrev_np, strerrordesc_np: both without locale, state or allocation */
#include <cfutures.h>

#include <stdio.h>
#include <string.h>

static void describe_signal(int number, char *text, size_t size) {
    const char *name = sigabbrev_np(number);
    if (name != NULL) {
        snprintf(text, size, "killed by signal %d (SIG%s)", number, name);
    } else {
        snprintf(text, size, "killed by signal %d", number);
    }
}

static void describe_error(int number, char *text, size_t size) {
    const char *words = strerrordesc_np(number);
    if (words != NULL) {
        snprintf(text, size, "error: %s", words);
    } else {
        snprintf(text, size, "error: %d", number);
    }
}

char *cf_exception_describe(const cf_exception *exception, char *text, size_t size) {
    switch (exception->status) {
    case CF_EWORKER:
        if (exception->signal != 0) {
            describe_signal(exception->signal, text, size);
        } else {
            snprintf(text, size, "exited with status %d", exception->exit_code);
        }
        break;
    case CF_ETASK:
        describe_error(exception->task_error, text, size);
        break;
    case CF_ECANCELLED:
        snprintf(text, size, "cancelled");
        break;
    case CF_OK:
        snprintf(text, size, "%s", cf_status_message(CF_OK));
        break;
    default:
        snprintf(text, size, "error: %s", cf_status_message(exception->status));
        break;
    }
    return text;
}
