#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- time ------------------------------------------------------------------------------------ */

int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

void spin_for(int64_t ns) {
    int64_t end = now_ns() + ns;
    while (now_ns() < end) {}
}

/* ---- randomness and size --------------------------------------------------------------------- */

uint64_t test_seed(const char *test) {
    const char *given = getenv("CF_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)now_ns();
    fprintf(stderr, "%s: CF_TEST_SEED=%" PRIu64 "\n", test, seed);
    return seed;
}

uint64_t random_next(uint64_t *seed) {
    /* SplitMix64 (Steele, Lea, Flood 2014): every seed will do, 0 too. */
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

size_t scaled(size_t count) {
    const char *mult = getenv("CF_TEST_MULT");
    size_t times = mult ? strtoul(mult, NULL, 10) : 1;
    return count * (times ? times : 1);
}

/* ---- memory shared with worker processes ----------------------------------------------------- */

static struct {
    char *start;
    size_t size, used;
} area;

void shared_area_use(void *start, size_t size) {
    area.start = start;
    area.size = size;
}

void shared_area_reset(void) {
    if (area.used > 0 && madvise(area.start, area.used, MADV_REMOVE) != 0) {
        perror("madvise");
        abort();
    }
    area.used = 0;
}

static void *take_of_area(size_t size) {
    const size_t pages = (size + PAGE - 1) / PAGE * PAGE;
    if (pages > area.size - area.used) {
        fprintf(stderr, "the memory that ranks share is too small\n");
        abort();
    }
    area.used += pages;
    return area.start + area.used - pages;
}

void *shared_alloc(size_t size) {
    if (area.start != NULL) {
        return take_of_area(size);
    }
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        abort();
    }
    return memory;
}

void shared_free(void *memory, size_t size) {
    if (area.start == NULL) {
        munmap(memory, size);
    }
}

/* ---- meeting points -------------------------------------------------------------------------- */

/* Of futex(2). The kernel's header is not on the path of every C library. */
enum {
    OP_WAIT = 0,
    OP_WAKE = 1
};

void counter_add(counter *c, uint32_t by) {
    atomic_fetch_add(&c->value, by);
    syscall(SYS_futex, &c->value, OP_WAKE, INT_MAX, NULL, NULL, 0);
}

uint32_t counter_get(const counter *c) {
    return atomic_load(&c->value);
}

bool counter_wait(counter *c, uint32_t at_least) {
    const int64_t end = now_ns() + LONG_WAIT;
    for (uint32_t seen = counter_get(c); seen < at_least; seen = counter_get(c)) {
        int64_t left = end - now_ns();
        if (left <= 0) {
            return false;
        }
        struct timespec t = {.tv_sec = left / SECOND, .tv_nsec = left % SECOND};
        syscall(SYS_futex, &c->value, OP_WAIT, seen, &t, NULL, 0);
    }
    return true;
}

/* ---- tasks ----------------------------------------------------------------------------------- */

static int run_square(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    uint64_t n = *(const uint64_t *)arg;
    *(uint64_t *)result = n * n;
    return 0;
}

const cf_task square_task = {.name = "square",
                             .run = run_square,
                             .arg_size = sizeof(uint64_t),
                             .result_size = sizeof(uint64_t),
                             .result_type = "uint64_t"};

static int run_error(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    return *(const int *)arg;
}

const cf_task error_task = {.name = "error", .run = run_error, .arg_size = sizeof(int)};

static int run_add(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    counter_add(*(counter *const *)arg, 1);
    return 0;
}

const cf_task add_task = {.name = "add", .run = run_add, .arg_size = sizeof(counter *)};

static int run_blocker(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const blocker *b = arg;
    counter_add(b->begun, 1);
    if (!counter_wait(b->gate, 1)) {
        return ETIMEDOUT;
    }
    counter_add(b->ran, 1);
    *(uint64_t *)result = b->value;
    return 0;
}

const cf_task blocker_task = {.name = "blocker",
                              .run = run_blocker,
                              .arg_size = sizeof(blocker),
                              .result_size = sizeof(uint64_t)};

static int run_whereabouts(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    *(whereabouts *)result = (whereabouts){.pid = getpid(),
                                           .parent = getppid(),
                                           .worker = cf_task_worker(ctx),
                                           .attempt = cf_task_attempt(ctx)};
    return 0;
}

const cf_task whereabouts_task = {
    .name = "whereabouts", .run = run_whereabouts, .result_size = sizeof(whereabouts)};

/* ---- processes ------------------------------------------------------------------------------- */

/* State letter and parent from /proc/PID/stat; false when there is no such process. */
static bool process_stat(pid_t pid, char *state, pid_t *parent) {
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "re");
    if (!f) {
        return false;
    }
    size_t length = fread(line, 1, sizeof line - 1, f);
    fclose(f);
    line[length] = '\0';
    const char *after_name = strrchr(line, ')');
    return after_name && sscanf(after_name + 1, " %c %d", state, parent) == 2;
}

bool process_alive(pid_t pid) {
    char state;
    pid_t parent;
    return process_stat(pid, &state, &parent) && state != 'Z' && state != 'X';
}

char process_state(pid_t pid) {
    char state;
    pid_t parent;
    return process_stat(pid, &state, &parent) ? state : '?';
}

size_t child_count(void) {
    size_t count = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *e = proc ? readdir(proc) : NULL; e; e = readdir(proc)) {
        char state;
        pid_t parent;
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        count += pid > 0 && process_stat(pid, &state, &parent) && parent == getpid();
    }
    if (proc) {
        closedir(proc);
    }
    return count;
}

static size_t entry_count(const char *path) {
    size_t count = 0;
    DIR *dir = opendir(path);
    while (dir && readdir(dir)) {
        count++;
    }
    if (dir) {
        closedir(dir);
    }
    return count;
}

size_t fd_count(void) {
    return entry_count("/proc/self/fd");
}

size_t thread_count(void) {
    return entry_count("/proc/self/task");
}

bool threads_fall_to(size_t count) {
    const int64_t end = now_ns() + LONG_WAIT;
    while (thread_count() > count) {
        if (now_ns() > end) {
            return false;
        }
        sched_yield();
    }
    return true;
}

bool process_ends(pid_t pid, int64_t timeout_ns) {
    const int64_t end = now_ns() + timeout_ns;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0 && errno == ESRCH) {
        return true;
    }
    if (fd >= 0) { /* readable once the process is a zombie or gone */
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = poll(&p, 1, (int)(timeout_ns / MILLISECOND));
        close(fd);
        return ready == 1;
    }
    while (process_alive(pid)) { /* no pidfd here, as under valgrind */
        if (now_ns() > end) {
            return false;
        }
        sched_yield();
    }
    return true;
}

bool process_stop(pid_t pid) {
    const int64_t end = now_ns() + LONG_WAIT;
    char state = '?';
    pid_t parent;
    if (kill(pid, SIGSTOP) != 0) {
        return false;
    }
    while (process_stat(pid, &state, &parent) && state != 'T' && now_ns() < end) {
        sched_yield();
    }
    return state == 'T';
}

bool process_freeze(pid_t pid) {
    int status;
    return ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0 &&
           ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0 && waitpid(pid, &status, __WALL) == pid &&
           WIFSTOPPED(status);
}

void process_thaw(pid_t pid) {
    ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

pid_t host_start(host_body *body, void *context) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* nor does it outlive a test that timed out */
        alarm((unsigned)(LONG_WAIT / SECOND) + 10);
        int result = body(context);
        fflush(NULL);
        _exit(result);
    }
    return pid;
}

int host_wait(pid_t host) {
    int status;
    while (waitpid(host, &status, 0) < 0) {
        if (errno != EINTR) {
            return -1;
        }
    }
    return status;
}

int host_run(host_body *body, void *context) {
    pid_t host = host_start(body, context);
    return host < 0 ? -1 : host_wait(host);
}

void host_complain(const char *file, int line, const char *condition) {
    fprintf(stderr, "%s:%d: not true: %s\n", file, line, condition);
}
