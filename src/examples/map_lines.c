/* map_lines threads|processes FILE: counts the letters and distinct bytes of each line, in order.
 *
 * Lines differ in length, so a task gets the place of its line and reads the line itself. The line
 * "hang" shows the use of a time limit, the line "crash" the use of processes. */
#define _POSIX_C_SOURCE 200809L
#include <cfutures.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The argument: all arguments of a stream have one size, but lines do not. */
typedef struct {
    off_t start;
    size_t length;
} place;
typedef struct {
    uint64_t letters;
    unsigned distinct;
} counts;
typedef struct {
    FILE *file;
    char *line;
    size_t room;
    off_t at;
    int error;
} reader;
static int fd; /* opened before the pool is made, so that worker processes have it too */

static int count_line(const void *arg, void *result, cf_task_context *ctx) {
    const place *p = arg;
    counts *c = result;
    unsigned char buffer[4096], seen[256] = {0};
    for (size_t done = 0; done < p->length;) {
        size_t want = p->length - done < sizeof buffer ? p->length - done : sizeof buffer;
        ssize_t n = pread(fd, buffer, want, p->start + (off_t)done);
        if (n <= 0)
            return n < 0 ? errno : EIO;
        if (p->length == 5 && n == 5 && memcmp(buffer, "crash", 5) == 0)
            abort();
        if (p->length == 4 && n == 4 && memcmp(buffer, "hang", 4) == 0) {
            while (!cf_task_cancelled(ctx)) {}
            return ETIMEDOUT;
        }
        for (ssize_t i = 0; i < n; i++) {
            c->letters += isalpha(buffer[i]) != 0;
            c->distinct += !seen[buffer[i]];
            seen[buffer[i]] = 1;
        }
        done += (size_t)n;
    }
    return 0;
}

static cf_source_answer next_line(void *context, void *arg) {
    reader *r = context;
    errno = 0;
    ssize_t n = getline(&r->line, &r->room, r->file);
    if (n < 0) {
        r->error = feof(r->file) ? 0 : errno ? errno : EIO;
        return CF_SOURCE_END;
    }
    *(place *)arg = (place){r->at, (size_t)n - (r->line[n - 1] == '\n')};
    r->at += n;
    return CF_SOURCE_ITEM;
}

int main(int argc, char **argv) {
    bool processes = argc == 3 && strcmp(argv[1], "processes") == 0;
    if (argc != 3 || (!processes && strcmp(argv[1], "threads") != 0))
        return fprintf(stderr, "usage: %s threads|processes FILE\n", argv[0]), 2;
    if ((fd = open(argv[2], O_RDONLY | O_CLOEXEC)) < 0)
        return perror(argv[2]), 1;

    const cf_task task = {
        .run = count_line, .arg_size = sizeof(place), .result_size = sizeof(counts)};
    const cf_stream_options options = {.chunk = 64, .retries = 1, .timeout_ns = 2000000000};
    cf_executor *ex = NULL;
    cf_stream *stream = NULL;
    cf_stream_item item;
    reader r = {0};
    cf_status s = (processes ? cf_process_pool_create : cf_thread_pool_create)(NULL, &ex);
    if (s == CF_OK && !(r.file = fdopen(fd, "r")))
        return perror(argv[2]), 1;
    if (s == CF_OK)
        s = cf_stream_open(ex, &task, next_line, &r, &options, &stream);
    while (s == CF_OK && (s = cf_stream_next(stream, CF_FOREVER, &item)) == CF_OK) {
        const counts *c = item.result;
        char why[200];
        if (c)
            printf("%" PRIu64 ": %" PRIu64 " %u\n", item.index + 1, c->letters, c->distinct);
        else
            printf("%" PRIu64 ": %s\n", item.index + 1,
                   cf_exception_describe(&item.exception, why, sizeof why));
    }
    cf_stream_close(stream);
    cf_executor_destroy(ex);
    free(r.line);
    if (s != CF_EEXHAUSTED)
        fprintf(stderr, "%s: %s\n", argv[0], cf_status_message(s));
    if (r.error)
        fprintf(stderr, "%s: %s\n", argv[2], strerror(r.error));
    return s != CF_EEXHAUSTED || r.error || fflush(stdout) != 0;
}
