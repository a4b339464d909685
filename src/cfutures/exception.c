/* How a task ended, in words: the same words in every locale, and with every C library. */
#include <cfutures.h>

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Without SIG. Their numbers differ between processors. */
static const char *signal_name(int number) {
    switch (number) {
#define SIGNAL_CASE(name)                                                                          \
    case SIG##name:                                                                                \
        return #name;
        SIGNAL_CASE(HUP)
        SIGNAL_CASE(INT)
        SIGNAL_CASE(QUIT)
        SIGNAL_CASE(ILL)
        SIGNAL_CASE(TRAP)
        SIGNAL_CASE(ABRT)
        SIGNAL_CASE(BUS)
        SIGNAL_CASE(FPE)
        SIGNAL_CASE(KILL)
        SIGNAL_CASE(USR1)
        SIGNAL_CASE(SEGV)
        SIGNAL_CASE(USR2)
        SIGNAL_CASE(PIPE)
        SIGNAL_CASE(ALRM)
        SIGNAL_CASE(TERM)
        SIGNAL_CASE(STKFLT)
        SIGNAL_CASE(CHLD)
        SIGNAL_CASE(CONT)
        SIGNAL_CASE(STOP)
        SIGNAL_CASE(TSTP)
        SIGNAL_CASE(TTIN)
        SIGNAL_CASE(TTOU)
        SIGNAL_CASE(URG)
        SIGNAL_CASE(XCPU)
        SIGNAL_CASE(XFSZ)
        SIGNAL_CASE(VTALRM)
        SIGNAL_CASE(PROF)
        SIGNAL_CASE(WINCH)
        SIGNAL_CASE(POLL)
        SIGNAL_CASE(PWR)
        SIGNAL_CASE(SYS)
#undef SIGNAL_CASE
    }
    return NULL;
}

static void describe_signal(int number, char *text, size_t size) {
    const char *name = signal_name(number);
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

/* What the C library says of a number that is not an errno: nothing about it. */
static bool is_unknown(const char *words) {
    return strncmp(words, "Unknown error", 13) == 0 /* glibc */ ||
           strcmp(words, "No error information") == 0 /* musl */;
}

/* begin: what stands before the words. */
static void describe_error(const char *begin, int number, char *text, size_t size) {
    char words[80];
    if (strerror_r(number, words, sizeof words) == 0 && !is_unknown(words)) {
        snprintf(text, size, "%s: %s", begin, words);
    } else {
        snprintf(text, size, "%s: %d", begin, number);
    }
}

static void describe_broken(const cf_exception *exception, char *text, size_t size) {
    const char *broken = cf_status_message(CF_EBROKEN);
    bool by_initializer = exception->worker >= 0;
    bool died = exception->signal != 0 || exception->exit_code != 0;
    char why[120];
    if (exception->task_error != 0) {
        describe_error(by_initializer ? "error" : "fork", exception->task_error, why, sizeof why);
    } else {
        describe_worker(exception, why, sizeof why);
    }
    if (by_initializer) {
        snprintf(text, size, "error: %s (initializer of worker %d: %s)", broken, exception->worker,
                 why);
    } else if (died || exception->task_error != 0) {
        snprintf(text, size, "error: %s (no worker begins: %s)", broken, why);
    } else {
        snprintf(text, size, "error: %s", broken);
    }
}

static void describe(const cf_exception *exception, char *text, size_t size) {
    switch (exception->status) {
    case CF_EWORKER:
        describe_worker(exception, text, size);
        break;
    case CF_EDEADLINE:
        snprintf(text, size, "timed out after %gs", (double)exception->timeout_ns / 1e9);
        break;
    case CF_ETASK:
        describe_error("error", exception->task_error, text, size);
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
}

/* The program's locale decides about the comma in 1,5s and the language of strerror. The locale "C"
 * is static in glibc and musl: newlocale allocates nothing for it. */
char *cf_exception_describe(const cf_exception *exception, char *text, size_t size) {
    locale_t before = uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0));
    describe(exception, text, size);
    uselocale(before);
    return text;
}
