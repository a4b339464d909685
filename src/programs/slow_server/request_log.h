/* What is told of requests, on standard output and in a file. Every line is one write, so lines of
 * several threads stay whole and can be read at once. What cannot be written ends the program with a
 * message and EXIT_IO. */
#ifndef PROGRAMS_REQUEST_LOG_H
#define PROGRAMS_REQUEST_LOG_H

#include <stdint.h>

typedef struct request_log {
    const char *path; /* NULL: no file */
    int descriptor;
    int64_t start_ns; /* of plat_now_ns(), which arrivals are counted from */
} request_log;

/* Begins the file, unless `path` is NULL. */
request_log request_log_open(const char *path);

/* In the file: a request that came at arrival_ns is answered. `code` is two characters. */
void request_log_answer(const request_log *log, int64_t arrival_ns, int64_t delay_ns,
                        unsigned status, const char *code);

/* On standard output: "CC delay: 0.78s" and "CC *** client closed". */
void request_log_delay(const char *code, int64_t delay_ns);
void request_log_closed(const char *code);

#endif
