#include "soak_samples.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SAMPLES_MOST = 4096,
    PARTS = 4, /* of the second half of a run: what leaks grows from each to the next */
    PRINTED = 12,
    IN_VAIN_MOST = 2,
};

#define PATIENCE_NS (SECOND / 2)

/* How much each may grow in a round, on average over the second half. A pool that is forgotten, or one
 * allocation of each of its tasks, is more. */
static const struct {
    const char *name;
    const char *unit;
    double limit;
    uint64_t least; /* less in all is chance */
    bool is_count;  /* never more than at the end of the first half */
} measures[MEASURES] = {
    [CALLER_MALLOC] = {"malloc", "B", 16, 512, false},
    [CALLER_RSS] = {"rss", "KiB", 1, 256, false},
    [CALLER_PSS] = {"pss", "KiB", 1, 256, false},
    [NURSERY_PSS] = {"nurseries", "KiB", 1, 256, false},
    [WORKER_PSS] = {"workers", "KiB", 1, 256, false},
    [ADDRESSES] = {"addresses", "KiB", 1, 256, false},
    [MAPPINGS] = {"mappings", "", 0.02, 3, false},
    [DESCRIPTORS] = {"descriptors", "", 0, 0, true},
    [OF_NURSERIES] = {"of nurseries", "", 0, 0, true},
    [THREADS] = {"threads", "", 0, 0, true},
    [PROCESSES] = {"processes", "", 0, 0, true},
};

/* tcache counts what it keeps as given out, and one arena for each thread grows by chance. */
void samples_begin(char **argv) {
    static const char tunables[] = "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1";
    const char *now = getenv("GLIBC_TUNABLES");
    if (now == NULL || strcmp(now, tunables) != 0) {
        setenv("GLIBC_TUNABLES", tunables, 1);
        execv("/proc/self/exe", argv);
        perror("soak: exec");
        exit(2);
    }
}

/* ---- one sample ------------------------------------------------------------------------------ */

static uint64_t in_use(void) {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

/* In KiB, of a process. 0 if it has ended. */
static uint64_t field_of(pid_t pid, const char *file, const char *field) {
    char path[64], line[256];
    uint64_t value = 0;
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    FILE *lines = fopen(path, "re");
    while (lines != NULL && fgets(line, sizeof line, lines) != NULL) {
        if (strncmp(line, field, strlen(field)) == 0) {
            value = strtoull(line + strlen(field), NULL, 10);
            break;
        }
    }
    if (lines != NULL) {
        fclose(lines);
    }
    return value;
}

static uint64_t line_count(const char *path) {
    char block[4096];
    uint64_t count = 0;
    size_t size;
    FILE *file = fopen(path, "re");
    while (file != NULL && (size = fread(block, 1, sizeof block, file)) > 0) {
        for (size_t i = 0; i < size; i++) {
            count += block[i] == '\n';
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

static pid_t parent_of(pid_t pid) {
    char path[64], text[512];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        const char *end = strrchr(text, ')');
        if (end == NULL || sscanf(end + 1, " %*c %d", &parent) != 1) {
            parent = 0;
        }
        fclose(file);
    }
    return (pid_t)parent;
}

static uint64_t descriptors_of(pid_t pid) {
    char path[64];
    uint64_t count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *folder = opendir(path);
    for (struct dirent *e = folder ? readdir(folder) : NULL; e; e = readdir(folder)) {
        count += isdigit((unsigned char)e->d_name[0]) != 0;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return count;
}

/* The caller's children are nurseries, and their children workers. */
static void look_at_processes(sample *s) {
    const pid_t caller = getpid();
    DIR *proc = opendir("/proc");
    s->of[PROCESSES] = 1;
    s->of[OF_NURSERIES] = s->of[NURSERY_PSS] = s->of[WORKER_PSS] = 0;
    for (struct dirent *e = proc ? readdir(proc) : NULL; e; e = readdir(proc)) {
        const pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        const pid_t parent = pid > 0 ? parent_of(pid) : 0;
        const bool is_nursery = parent == caller;
        if (parent <= 1 || !(is_nursery || parent_of(parent) == caller)) {
            continue;
        }
        s->of[PROCESSES]++;
        if (is_nursery) {
            s->of[OF_NURSERIES] += descriptors_of(pid);
        }
        s->of[is_nursery ? NURSERY_PSS : WORKER_PSS] += field_of(pid, "smaps_rollup", "Pss:");
    }
    if (proc != NULL) {
        closedir(proc);
    }
}

static void look_at_counts(sample *s) {
    s->of[DESCRIPTORS] = fd_count();
    s->of[THREADS] = thread_count();
    look_at_processes(s);
}

bool sample_has_more(const sample *now, const sample *before) {
    for (int m = 0; m < MEASURES; m++) {
        if (measures[m].is_count && now->of[m] > before->of[m]) {
            return true;
        }
    }
    return false;
}

sample sample_take(uint64_t round, const sample *expected) {
    static unsigned in_vain; /* waits in a row: what leaks is not waited for again and again */
    sample s = {.round = round};
    const int64_t until_ns = now_ns() + (in_vain < IN_VAIN_MOST ? PATIENCE_NS : 0);
    look_at_counts(&s);
    while (expected != NULL && sample_has_more(&s, expected) && now_ns() < until_ns) {
        usleep(1000);
        look_at_counts(&s);
    }
    in_vain = expected != NULL && sample_has_more(&s, expected) ? in_vain + 1 : 0;
#ifdef __GLIBC__
    malloc_trim(0); /* else it has some MiB or has not, by chance */
#endif
    s.of[CALLER_MALLOC] = in_use();
    s.of[MAPPINGS] = line_count("/proc/self/maps");
    s.of[CALLER_RSS] = field_of(getpid(), "smaps_rollup", "Rss:");
    s.of[CALLER_PSS] = field_of(getpid(), "smaps_rollup", "Pss:");
    s.of[ADDRESSES] = field_of(getpid(), "status", "VmSize:");
    return s;
}

void samples_print_head(void) {
    printf("%8s", "round");
    for (int m = 0; m < MEASURES; m++) {
        printf("  %s%s%s", measures[m].name, *measures[m].unit ? " " : "", measures[m].unit);
    }
    printf("\n");
}

static int width_of(int m) {
    return (int)(strlen(measures[m].name) + strlen(measures[m].unit) + (*measures[m].unit != '\0'));
}

void sample_print(const sample *s) {
    printf("%8" PRIu64, s->round);
    for (int m = 0; m < MEASURES; m++) {
        printf("  %*" PRIu64, width_of(m), s->of[m]);
    }
    printf("\n");
}

/* ---- all of them ----------------------------------------------------------------------------- */

static sample kept[SAMPLES_MOST]; /* no malloc: that would be measured */
static size_t kept_count;
static uint64_t given, every = 1;

void samples_add(const sample *s) {
    if (given++ % every != 0) {
        return;
    }
    if (kept_count == SAMPLES_MOST) {
        for (size_t i = 0; i < SAMPLES_MOST / 2; i++) {
            kept[i] = kept[2 * i];
        }
        kept_count = SAMPLES_MOST / 2;
        every *= 2;
    }
    kept[kept_count++] = *s;
}

static int compare(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t median(int m, size_t from, size_t to) {
    static uint64_t sorted[SAMPLES_MOST];
    for (size_t i = from; i < to; i++) {
        sorted[i - from] = kept[i].of[m];
    }
    qsort(sorted, to - from, sizeof *sorted, compare);
    return sorted[(to - from) / 2];
}

/* How much it grows in a round; 0 unless it grows by more than chance, from each part of the second half to the
 * next, and still in the last two parts. What is taken once and kept (an arena's growth) is a step, which two
 * parts at most see. A short run has few samples in a part, and so may see three steps. */
static double growth(int m) {
    const size_t half = kept_count / 2, length = (kept_count - half) / PARTS;
    uint64_t before = 0, first = 0;
    for (size_t part = 0; part < PARTS; part++) {
        const uint64_t now = median(m, half + part * length, half + (part + 1) * length);
        if (part > 0 && now <= before) {
            return 0;
        }
        first = part == 0 ? now : first;
        before = now;
    }
    const uint64_t late = kept[half + (PARTS - 2) * length].of[m];
    if (before - first < measures[m].least || kept[kept_count - 1].of[m] <= late) {
        return 0;
    }
    const uint64_t rounds =
        kept[half + (PARTS - 1) * length + length / 2].round - kept[half + length / 2].round;
    return (double)(before - first) / (double)rounds;
}

static uint64_t most(int m, size_t from, size_t to) {
    uint64_t value = 0;
    for (size_t i = from; i < to; i++) {
        value = kept[i].of[m] > value ? kept[i].of[m] : value;
    }
    return value;
}

static void judge(int m) {
    const size_t half = kept_count / 2;
    if (measures[m].is_count) {
        const uint64_t before = most(m, 0, half), after = most(m, half, kept_count);
        if (after > before) {
            tally_fault(&chaos->leaked, "%s grow: %" PRIu64 " in the first half, %" PRIu64 " later",
                        measures[m].name, before, after);
        }
        return;
    }
    const double grows = growth(m);
    if (grows > measures[m].limit) {
        tally_fault(&chaos->leaked, "%s grow: by %.2f %s a round, to %" PRIu64, measures[m].name,
                    grows, measures[m].unit, kept[kept_count - 1].of[m]);
    }
}

void samples_judge(void) {
    samples_print_head();
    for (size_t i = 0; i < kept_count; i += 1 + kept_count / PRINTED) {
        sample_print(&kept[i]);
    }
    if (kept_count > 0) {
        sample_print(&kept[kept_count - 1]);
    }
    if (kept_count < 4 * PARTS) {
        tally_fault(&chaos->hung, "only %zu samples: too few to tell what grows", kept_count);
        return;
    }
    for (int m = 0; m < MEASURES; m++) {
        judge(m);
    }
}
