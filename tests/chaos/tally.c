#include "tally.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FAULTS_PRINTED = 20
};

#define PATIENCE_NS (2 * SECOND)

tally *chaos;
uint64_t chaos_seed;
const char *chaos_suite;

static _Atomic uint32_t *printed; /* shared too */

int64_t tally_begin(const char *suite, int argc, char **argv) {
    chaos_suite = suite;
    char *end = NULL;
    long seconds = argc == 2 ? strtol(argv[1], &end, 10) : 0;
    if (argc > 2 || (argc == 2 && (*argv[1] == '\0' || *end != '\0' || seconds <= 0))) {
        fprintf(stderr, "usage: %s [SECONDS]\n", suite);
        exit(2);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    chaos = shared_alloc(sizeof *chaos + sizeof *printed);
    printed = (_Atomic uint32_t *)(chaos + 1);
    chaos_seed = test_seed(suite);
    return seconds;
}

void tally_fault(_Atomic uint64_t *count, const char *format, ...) {
    char text[512];
    va_list rest;
    tally_add(count, 1);
    if (atomic_fetch_add(printed, 1) >= FAULTS_PRINTED) {
        return;
    }
    va_start(rest, format);
    vsnprintf(text, sizeof text, format, rest);
    va_end(rest);
    fprintf(stderr, "%s: %s (CF_TEST_SEED=%" PRIu64 ")\n", chaos_suite, text, chaos_seed);
}

bool tally_is_clean(void) {
    return chaos->lost == 0 && chaos->duplicated == 0 && chaos->hung == 0 && chaos->leaked == 0;
}

int tally_end(void) {
    printf("chaos %s: kills=%" PRIu64 " tasks=%" PRIu64 " steps=%" PRIu64 " points=%" PRIu64
           " calls=%" PRIu64 " lost=%" PRIu64 " duplicated=%" PRIu64 " hung=%" PRIu64
           " leaked=%" PRIu64 " seed=%" PRIu64 "\n",
           chaos_suite, chaos->kills, chaos->tasks, chaos->steps, chaos->points, chaos->calls,
           chaos->lost, chaos->duplicated, chaos->hung, chaos->leaked, chaos_seed);
    return tally_is_clean() ? 0 : 1;
}

/* ---- leaks ----------------------------------------------------------------------------------- */

static size_t count_mappings(void) {
    char line[512];
    size_t count = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        count += strstr(line, "memfd:") != NULL || strstr(line, "/dev/zero") != NULL;
    }
    if (maps != NULL) {
        fclose(maps);
    }
    return count;
}

belongings belongings_now(void) {
    return (belongings){
        .descriptors = fd_count(),
        .threads = thread_count(),
        .children = child_count(),
        .mappings = count_mappings(),
    };
}

static bool has_more(const belongings *now, const belongings *before) {
    return now->descriptors > before->descriptors || now->threads > before->threads ||
           now->children > before->children || now->mappings > before->mappings;
}

static void check(const char *what, size_t now, size_t before, const char *after_what) {
    if (now > before) {
        tally_fault(&chaos->leaked, "%zu %s more after %s", now - before, what, after_what);
    }
}

void belongings_check(const belongings *before, const char *after_what) {
    belongings now = belongings_now();
    const int64_t until_ns = now_ns() + PATIENCE_NS;
    while (has_more(&now, before) && now_ns() < until_ns) {
        usleep(1000);
        now = belongings_now();
    }
    check("descriptors", now.descriptors, before->descriptors, after_what);
    check("threads", now.threads, before->threads, after_what);
    check("children", now.children, before->children, after_what);
    check("mappings", now.mappings, before->mappings, after_what);
}
