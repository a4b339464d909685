#include "mpi/job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

job_options job;
ledger *shared;

static bool failed;

/* ---- checks ---------------------------------------------------------------------------------- */

void complain(const char *file, int line, const char *what) {
    printf("rank %d: %s:%d: not so: %s\n", own_rank(), file, line, what);
    failed = true;
}

void complain_of(const char *file, int line, const char *what, long long is, long long expected) {
    printf("rank %d: %s:%d: %s is %lld, not %lld\n", own_rank(), file, line, what, is, expected);
    failed = true;
}

/* ---- ranks ----------------------------------------------------------------------------------- */

int own_rank(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *text = getenv(names[i]);
        if (text != NULL) {
            return atoi(text);
        }
    }
    return 0;
}

/* On a thread of the library's. */
static void tell(void *context, const char *sentence) {
    (void)context;
    fprintf(stderr, "mpi_job: %s\n", sentence);
}

bool lead(const cf_pool_options *options, cf_executor **executor) {
    job.mpi.report = tell;
    cf_status status = cf_mpi_create(options, &job.mpi, executor);
    if (status != CF_OK && status != CF_ESERVED) {
        printf("rank %d: %s: %s\n", own_rank(), cf_status_name(status), cf_mpi_reason());
        exit(EXIT_FAILURE);
    }
    CHECK((status == CF_OK) == (*executor != NULL));
    return status == CF_OK;
}

/* ---- tasks ----------------------------------------------------------------------------------- */

void pause_for(int64_t ns) {
    const struct timespec pause = {.tv_sec = ns / SECOND, .tv_nsec = ns % SECOND};
    nanosleep(&pause, NULL);
}

uint64_t answer_to(uint64_t number) {
    return (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static int note(const void *arg, void *result, cf_task_context *ctx) {
    const uint64_t number = *(const uint64_t *)arg;
    (void)ctx;
    counter_add(&shared->begun, 1);
    if (number < LEDGER_RUNS) {
        atomic_fetch_add(&shared->runs[number], 1);
    }
    if (job.task_ns > 0) {
        pause_for(job.task_ns);
    }
    *(uint64_t *)result = answer_to(number);
    counter_add(&shared->ended, 1);
    return 0;
}

const cf_task note_task = {
    .name = "note",
    .run = note,
    .arg_size = sizeof(uint64_t),
    .result_size = sizeof(uint64_t),
};

cf_future *submit(cf_executor *executor, const cf_task *task, const void *arg) {
    cf_future *future;
    const cf_status status = cf_executor_submit(executor, task, arg, &future);
    if (status != CF_OK) {
        printf("rank 0: submit: %s\n", cf_status_name(status));
        exit(EXIT_FAILURE);
    }
    return future;
}

cf_exception ending_of(cf_future *future) {
    cf_exception exception = {.status = CF_ETIMEDOUT};
    CHECK_EQUAL(cf_future_exception(future, LONG_WAIT, &exception), CF_OK);
    return exception;
}

enum {
    WORKS = 1 << 17 /* the first of its tasks, in the ledger */
};

void check_works(cf_executor *executor) {
    cf_future *futures[20];
    for (uint64_t i = 0; i < COUNT_OF(futures); i++) {
        futures[i] = submit(executor, &note_task, &(uint64_t){WORKS + i});
    }
    for (uint64_t i = 0; i < COUNT_OF(futures); i++) {
        uint64_t result = 0;
        CHECK_EQUAL(cf_future_result(futures[i], LONG_WAIT, &result), CF_OK);
        CHECK_EQUAL(result, answer_to(WORKS + i));
        cf_future_release(futures[i]);
    }
}

/* ---- the program ----------------------------------------------------------------------------- */

static int64_t nanoseconds(const char *seconds) {
    return (int64_t)(strtod(seconds, NULL) * (double)SECOND);
}

static void read_option(const char *name, const char *value) {
    if (strcmp(name, "silence") == 0) {
        job.mpi.silence_ns = nanoseconds(value);
    } else if (strcmp(name, "gather") == 0) {
        job.mpi.gather_ns = nanoseconds(value);
    } else if (strcmp(name, "workers") == 0) {
        job.mpi.workers_per_rank = (unsigned)atoi(value);
    } else if (strcmp(name, "threads") == 0) {
        job.mpi.pool = atoi(value) != 0 ? CF_MPI_THREADS : CF_MPI_PROCESSES;
    } else if (strcmp(name, "rank_0") == 0) {
        job.mpi.use_rank_0 = atoi(value) != 0;
    } else if (strcmp(name, "count") == 0) {
        job.count = (size_t)atoll(value);
    } else if (strcmp(name, "map") == 0) {
        job.map = (size_t)atoll(value);
    } else if (strcmp(name, "us") == 0) {
        job.task_ns = atoll(value) * MICROSECOND;
    } else if (strcmp(name, "before") == 0) {
        job.before_ns = nanoseconds(value);
    } else if (strcmp(name, "library") == 0) {
        job.module = value;
    } else if (strcmp(name, "level") == 0) {
        job.level = atoi(value);
    } else if (strcmp(name, "random") == 0) {
        job.random = (unsigned)atoi(value);
    } else {
        fprintf(stderr, "mpi_job: no option '%s'\n", name);
        exit(2);
    }
}

static void open_ledger(void) {
    const char *path = getenv("CF_TEST_LEDGER");
    if (path == NULL) {
        shared = shared_alloc(sizeof *shared);
        return;
    }
    const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, sizeof *shared) != 0) {
        perror(path);
        exit(2);
    }
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
}

#ifdef OTHER_BUILD
#define BUILD "another"
#else
#define BUILD "the usual"
#endif

static const job_case *find_case(const char *name) {
    const job_case *const all[] = {create_cases, life_cases, task_cases, work_cases};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        for (const job_case *one = all[i]; one->name != NULL; one++) {
            if (strcmp(one->name, name) == 0) {
                return one;
            }
        }
    }
    return NULL;
}

int main(int argc, char **argv) {
    const job_case *chosen = argc > 1 ? find_case(argv[1]) : NULL;
    if (chosen == NULL) {
        fprintf(stderr, "mpi_job (%s build): no such case\n", BUILD);
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value != NULL) {
            *value++ = '\0';
        }
        read_option(argv[i], value != NULL ? value : "1");
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    open_ledger();
    chosen->run();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
