#define _GNU_SOURCE /* program_invocation_name */
#include "programs/base/activity.h"

#include "platform/clock.h"
#include "programs/base/seconds.h"
#include "programs/base/terminal_line.h"

#include <errno.h>
#include <inttypes.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- the notes ------------------------------------------------------------------------------- */

/* Only its worker writes it. A reader takes what it reads for whole if `begun_ns` is the same before and after: each
 * store is a release and each load an acquire, so none passes the one of `begun_ns` before it. */
typedef struct note {
    alignas(64) _Atomic int64_t begun_ns; /* 0 = it runs nothing */
    _Atomic uint64_t what;
    _Atomic int64_t process; /* that has begun it: a process that died has ended nothing */
    _Atomic uint64_t text[ACTIVITY_TEXT / sizeof(uint64_t)];
} note;

static note *board; /* CF_WORKERS_MAX of them; NULL: nothing is noted */
static _Atomic int64_t self;

void activity_prepare(void) {
    void *memory = mmap(NULL, CF_WORKERS_MAX * sizeof(note), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    board = memory == MAP_FAILED ? NULL : memory;
}

static int64_t this_process(void) {
    int64_t process = atomic_load_explicit(&self, memory_order_relaxed);
    if (process == 0) {
        process = getpid();
        atomic_store_explicit(&self, process, memory_order_relaxed);
    }
    return process;
}

void activity_begin(unsigned worker, uint64_t what, const char *text, size_t length,
                    int64_t now_ns) {
    if (board == NULL) {
        return;
    }
    note *n = &board[worker];
    uint64_t words[ACTIVITY_TEXT / sizeof(uint64_t)] = {0};
    activity_end(worker); /* of a worker that died there may still be a note */
    if (text != NULL) {
        memcpy(words, text, length < ACTIVITY_TEXT - 1 ? length : ACTIVITY_TEXT - 1);
        for (size_t i = 0; i < ACTIVITY_TEXT / sizeof(uint64_t); i++) {
            atomic_store_explicit(&n->text[i], words[i], memory_order_release);
        }
    }
    atomic_store_explicit(&n->what, what, memory_order_release);
    atomic_store_explicit(&n->process, this_process(), memory_order_release);
    atomic_store_explicit(&n->begun_ns, now_ns, memory_order_release);
}

void activity_end(unsigned worker) {
    if (board != NULL) {
        atomic_store_explicit(&board[worker].begun_ns, 0, memory_order_release);
    }
}

typedef struct noted {
    int64_t begun_ns;
    uint64_t what;
    int64_t process;
    char text[ACTIVITY_TEXT];
} noted;

/* begun_ns: 0 = it runs nothing, or is between two tasks */
static noted read_note(unsigned worker) {
    noted read = {0};
    if (board == NULL) {
        return read;
    }
    note *n = &board[worker];
    uint64_t words[ACTIVITY_TEXT / sizeof(uint64_t)];
    const int64_t begun_ns = atomic_load_explicit(&n->begun_ns, memory_order_acquire);
    for (size_t i = 0; i < ACTIVITY_TEXT / sizeof(uint64_t); i++) {
        words[i] = atomic_load_explicit(&n->text[i], memory_order_acquire);
    }
    memcpy(read.text, words, sizeof read.text);
    read.what = atomic_load_explicit(&n->what, memory_order_acquire);
    read.process = atomic_load_explicit(&n->process, memory_order_acquire);
    if (atomic_load_explicit(&n->begun_ns, memory_order_relaxed) == begun_ns) {
        read.begun_ns = begun_ns;
    }
    return read;
}

/* ---- the screen ------------------------------------------------------------------------------ */

#define LINES_USUAL 24
#define LINES_LEAST 6
#define LINES_MOST  64

void activity_page_begin(activity_page *page) {
    struct winsize window;
    const bool is_terminal = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row > 0;
    const unsigned rows = is_terminal ? window.ws_row : LINES_USUAL;
    page->length = 0;
    page->lines = 0;
    page->most = rows < LINES_LEAST ? LINES_LEAST : rows > LINES_MOST ? LINES_MOST : rows;
    page->most -= 2; /* for what stands there before and after */
}

void activity_page_add(activity_page *page, const char *format, ...) {
    char line[512];
    va_list values;
    const int head = snprintf(line, sizeof line - 1, "%s: ", program_invocation_name);
    va_start(values, format);
    const int rest = vsnprintf(line + head, sizeof line - 1 - (size_t)head, format, values);
    va_end(values);
    size_t length = (size_t)head + (size_t)(rest < 0 ? 0 : rest);
    length = length < sizeof line - 2 ? length : sizeof line - 2;
    line[length++] = '\n';
    if (page->length + length <= sizeof page->text) {
        memcpy(page->text + page->length, line, length);
        page->length += length;
        page->lines++;
    }
}

void activity_page_show(const activity_page *page) {
    terminal_line_make_way(page->text, page->length);
}

/* ---- the workers of an executor -------------------------------------------------------------- */

typedef struct worker_line {
    unsigned worker;
    bool is_rank; /* of MPI: nobody here knows what it does */
    cf_worker_stats stats;
    noted note;
} worker_line;

/* Those that run something first, the longest of them on top; then by number. */
static int compare(const void *left, const void *right) {
    const worker_line *a = left, *b = right;
    const int64_t first = a->note.begun_ns != 0 ? a->note.begun_ns : INT64_MAX;
    const int64_t second = b->note.begun_ns != 0 ? b->note.begun_ns : INT64_MAX;
    if (first != second) {
        return first < second ? -1 : 1;
    }
    return (a->worker > b->worker) - (a->worker < b->worker);
}

static worker_line read_worker(cf_executor *executor, unsigned worker) {
    worker_line line = {.worker = worker, .note = read_note(worker)};
    cf_executor_worker_stats(executor, worker, &line.stats);
    line.is_rank = strcmp(cf_executor_kind(executor), "mpi") == 0;
    const bool is_process = strcmp(cf_executor_kind(executor), "process_pool") == 0;
    if (is_process && line.note.process != line.stats.id) {
        line.note.begun_ns = 0; /* by the one before it, which died */
    }
    return line;
}

static void add_worker(activity_page *page, const worker_line *line, activity_describe_fn *describe,
                       int64_t now_ns) {
    char id[32] = "", what[160] = "idle; ", done[48];
    if (line->stats.id > 0) {
        snprintf(id, sizeof id, " (%" PRId64 ")", line->stats.id);
    }
    snprintf(done, sizeof done, "%" PRIu64 " task%s done", line->stats.tasks,
             line->stats.tasks == 1 ? "" : "s");
    if (line->note.begun_ns != 0) {
        char item[112];
        const int64_t for_ns = now_ns - line->note.begun_ns;
        describe(line->note.what, line->note.text, item, sizeof item);
        snprintf(what, sizeof what, "%s for %.3f s; ", item, seconds(for_ns > 0 ? for_ns : 0));
    }
    activity_page_add(page, "worker %u%s: %s%s", line->worker, id, line->is_rank ? "" : what, done);
}

static void add_workers(activity_page *page, worker_line *lines, unsigned count,
                        activity_describe_fn *describe) {
    const int64_t now_ns = plat_now_ns();
    unsigned i = 0, busy = 0;
    qsort(lines, count, sizeof *lines, compare);
    for (; i < count && (page->lines + 1 < page->most || i + 1 == count); i++) {
        add_worker(page, &lines[i], describe, now_ns);
    }
    if (i < count) {
        const unsigned left = count - i;
        for (; i < count; i++) {
            busy += lines[i].note.begun_ns != 0;
        }
        activity_page_add(page, "%u more workers, of which %u are busy", left, busy);
    }
}

void activity_print(cf_executor *executor, const char *head, activity_describe_fn *describe) {
    activity_page page;
    cf_stats s;
    activity_page_begin(&page);
    activity_page_add(&page, "%s", head);
    if (executor != NULL && cf_executor_stats(executor, &s) == CF_OK) {
        activity_page_add(&page,
                          "%" PRIu64 " task%s wait, %" PRIu64 " run, %" PRIu64
                          " are done; retries: %" PRIu64 ", restarts of workers: %" PRIu64,
                          s.pending, s.pending == 1 ? "" : "s", s.running, s.finished, s.retries,
                          s.restarts);
        worker_line *lines = calloc(s.workers, sizeof *lines);
        for (unsigned i = 0; lines != NULL && i < s.workers; i++) {
            lines[i] = read_worker(executor, i);
        }
        if (lines != NULL) {
            add_workers(&page, lines, s.workers, describe);
        }
        free(lines);
    }
    activity_page_show(&page);
}
