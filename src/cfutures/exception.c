/* How a task ended, in words. */
#define _GNU_SOURCE /* sigabbrev_np, strerrordesc_np: neither uses locale, state or allocation */
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

static void describe_worker(const cf_exception *exception, char *text, size_t size) {
    if (exception->signal != 0) {
        describe_signal(exception->signal, text, size);
    } else {
        snprintf(text, size, "exited with status %d", exception->exit_code);
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

static void describe_broken(const cf_exception *exception, char *text, size_t size) {
    char why[80];
    if (exception->worker < 0) {
        snprintf(text, size, "error: %s", cf_status_message(CF_EBROKEN));
        return;
    }
    if (exception->task_error != 0) {
        describe_error(exception->task_error, why, sizeof why);
    } else {
        describe_worker(exception, why, sizeof why);
    }
    snprintf(text, size, "error: %s (initializer of worker %d: %s)", cf_status_message(CF_EBROKEN),
             exception->worker, why);
}

char *cf_exception_describe(const cf_exception *exception, char *text, size_t size) {
    switch (exception->status) {
    case CF_EWORKER:
        describe_worker(exception, text, size);
        break;
    case CF_EDEADLINE:
        snprintf(text, size, "timed out after %gs", (double)exception->timeout_ns / 1e9);
        break;
    case CF_ETASK:
        describe_error(exception->task_error, text, size);
        break;
    case CF_EBROKEN:
        describe_broken(exception, text, size);
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
