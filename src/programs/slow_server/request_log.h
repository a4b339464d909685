/* What is told of requests, on standard output and in a file. Every line is one write, so lines of
 * several threads stay whole and can be read at once. If standard output cannot be written, the program ends with a
 * message and EXIT_IO. If the file cannot be written later, its disk is full say, lines are left out of it
 * until it can be written again; a message says so once. */
#ifndef PROGRAMS_REQUEST_LOG_H
#define PROGRAMS_REQUEST_LOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct request_log {
    const char *path; /* NULL: no file */
    int descriptor;
    int64_t start_ns;     /* of plat_now_ns(), which arrivals are counted from */
    pthread_mutex_t lock; /* of the file, from a line's first byte to its last, and of: */
    bool has_failed;
} request_log;

/* Begins the file, unless `path` is NULL. If that cannot be done the program ends with a message and EXIT_IO. */
void request_log_open(request_log *log, const char *path);

/* In the file: a request that came at arrival_ns is answered. `code` is two characters. */
void request_log_answer(request_log *log, int64_t arrival_ns, int64_t delay_ns, unsigned status,
                        const char *code);

/* On standard output: "CC delay: 0.78s" and "CC *** client closed". */
void request_log_delay(const char *code, int64_t delay_ns);
void request_log_closed(const char *code);

#endif
