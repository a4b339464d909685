/* stream_lines threads|processes FILE: calls a function for each line of a file of any length.
 *
 * A stream takes only as many items from its source as keep the workers busy. So a file of a
 * hundred gigabytes needs the memory of a few lines. */
#include <cfutures.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The argument. A worker gets a copy; if workers are processes, it must not contain pointers. */
typedef struct line {
    char text[1000]; /* a longer line is split */
} line;

static int run_count_words(const void *arg, void *result, cf_task_context *context) {
    (void)context;
    unsigned words = 0;
    for (const char *c = ((const line *)arg)->text, *before = " "; *c != '\0'; before = c++) {
        words += isspace((unsigned char)*before) && !isspace((unsigned char)*c);
    }
    *(unsigned *)result = words;
    return 0;
}

static const cf_task COUNT_WORDS = {
    .name = "count_words",
    .run = run_count_words,
    .arg_size = sizeof(line),
    .result_size = sizeof(unsigned),
};

/* The source. The stream calls it on this thread, when there is room for one more line. */
static cf_source_answer read_line(void *context, void *arg) {
    return fgets(arg, sizeof(line), context) != NULL ? CF_SOURCE_ITEM : CF_SOURCE_END;
}

static void must(cf_status status, const char *what) {
    if (status != CF_OK) {
        fprintf(stderr, "%s: %s\n", what, cf_status_message(status));
        exit(EXIT_FAILURE);
    }
}

int main(int argc, char **argv) {
    const bool processes = argc == 3 && strcmp(argv[1], "processes") == 0;
    FILE *file = argc == 3 ? fopen(argv[2], "r") : NULL;
    if (file == NULL || (!processes && strcmp(argv[1], "threads") != 0)) {
        fprintf(stderr, "Usage: stream_lines threads|processes FILE\n");
        return EXIT_FAILURE;
    }
    cf_executor *pool;
    must((processes ? cf_process_pool_create : cf_thread_pool_create)(NULL, &pool), "create");

    /* A line fails if it takes over two seconds. If its worker dies, it is tried once more. */
    const cf_stream_options options = {.timeout_ns = 2000000000, .retries = 1};
    cf_stream *stream;
    must(cf_stream_open(pool, &COUNT_WORDS, read_line, file, &options, &stream), "open");

    cf_status status;
    cf_stream_item item;
    uint64_t words = 0, failed = 0, lines = 0;
    while ((status = cf_stream_next(stream, CF_FOREVER, &item)) == CF_OK) {
        lines = item.index + 1; /* in the file's order, without .as_completed */
        if (item.exception.status == CF_OK) {
            words += *(const unsigned *)item.result;
        } else {
            failed++;
        }
    }
    must(status == CF_EEXHAUSTED ? CF_OK : status, "next");
    cf_stream_close(stream);
    cf_executor_destroy(pool);
    printf("%" PRIu64 " lines, %" PRIu64 " words, %" PRIu64 " failed\n", lines, words, failed);
    return ferror(file) || fclose(file) != 0 || failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
