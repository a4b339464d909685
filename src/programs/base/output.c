#define _GNU_SOURCE /* program_invocation_name, memrchr */
#include "programs/base/output.h"

#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static sigset_t only_sigpipe(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    return set;
}

/* Not exit(): what is still in the buffer has nowhere to go, and workers may be running. A thread
 * of a pool has SIGPIPE blocked: there a closed pipe is an error, and is made a signal here. */
void output_failed(int problem) {
    if (problem == EPIPE) {
        const sigset_t pipe_signal = only_sigpipe();
        signal(SIGPIPE,
               SIG_DFL); /* libcurl leaves it ignored when threads close connections at once */
        pthread_sigmask(SIG_UNBLOCK, &pipe_signal, NULL);
        raise(SIGPIPE);
    }
    error(0, problem, "standard output");
    _exit(EXIT_IO);
}

static struct {
    void (*on_failure)(void *data); /* NULL: failures are not put off */
    void *data;
    int problem; /* the first one that was; 0 = none */
} deferred;

/* Returns only where failures are put off. */
static void fail(int problem) {
    if (deferred.on_failure == NULL) {
        output_failed(problem);
    }
    if (deferred.problem == 0) {
        deferred.problem = problem;
        deferred.on_failure(deferred.data);
    }
}

void output_defer_failure(void (*on_failure)(void *data), void *data) {
    const sigset_t pipe_signal = only_sigpipe();
    pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    deferred.data = data;
    deferred.on_failure = on_failure;
}

void output_settle(void) {
    deferred.on_failure = NULL;
    if (deferred.problem != 0) {
        output_failed(deferred.problem);
    }
}

bool output_has_failed(void) {
    return deferred.problem != 0;
}

static atomic_uint_fast64_t counted; /* threads of a pool may print too */

uint64_t output_count(void) {
    return atomic_load_explicit(&counted, memory_order_relaxed);
}

static void count(uint64_t bytes) {
    atomic_fetch_add_explicit(&counted, bytes, memory_order_relaxed);
}

void output_print(const char *format, ...) {
    va_list values;
    va_start(values, format);
    const int length = vprintf(format, values);
    if (length < 0) {
        fail(errno);
    } else {
        count((uint64_t)length);
    }
    va_end(values);
}

void output_flush(void) {
    if (fflush(stdout) != 0) {
        fail(errno);
    }
}

int output_try_write(const char *text, size_t length) {
    while (length > 0) {
        ssize_t written = write(STDOUT_FILENO, text, length);
        if (written < 0 && errno == EAGAIN) { /* somebody who shares it wants it not to wait */
            poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, -1);
        } else if (written < 0 && errno != EINTR) {
            return errno;
        } else if (written > 0) {
            text += written;
            length -= (size_t)written;
        }
    }
    return 0;
}

void output_write(const char *text, size_t length) {
    const int problem = output_try_write(text, length);
    if (problem != 0) {
        fail(problem);
    }
    count(length);
}

static bool is_regular_file(void) {
    struct stat status;
    return fstat(STDOUT_FILENO, &status) == 0 && S_ISREG(status.st_mode);
}

/* The whole lines of the text that PIPE_BUF bytes have room for; a line that is longer goes whole. */
static size_t lines_at_once(const char *text, size_t length) {
    if (length <= PIPE_BUF) {
        return length;
    }
    const char *end = memrchr(text, '\n', PIPE_BUF);
    if (end == NULL) {
        end = memchr(text, '\n', length);
    }
    return end == NULL ? length : (size_t)(end - text) + 1;
}

void output_write_lines(const char *text, size_t length) {
    if (is_regular_file()) {
        output_write(text, length);
        return;
    }
    while (length > 0) {
        const size_t some = lines_at_once(text, length);
        output_write(text, some);
        text += some;
        length -= some;
    }
}

static void check_at_exit(void) {
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        output_failed(errno);
    }
}

/* Opens what is missing the wrong way round: using it stays the error that it would have been. */
static void open_standard_descriptors(void) {
    static const int MODE[] = {O_WRONLY, O_RDONLY, O_RDONLY};
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", MODE[fd]) != fd) {
            _exit(EXIT_IO);
        }
    }
}

void output_prepare(char **argv) {
    open_standard_descriptors();
    signal(SIGPIPE, SIG_DFL);
    argv[0] = program_invocation_name = program_invocation_short_name;
    if (atexit(check_at_exit) != 0) {
        output_failed(errno);
    }
}
