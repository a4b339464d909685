#include "contract/mpi/ranks.h"

#include "contract/rows.h"
#include "support.h"

#include <cfutures_mpi.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define AREA_AT   ((void *)0x100000000000) /* far from where the kernel puts anything on its own */
#define AREA_SIZE ((size_t)64 << 20)

enum {
    NAME_SIZE = 64,
    GLOBALS_SIZE = 1024
};

/* What rank 0 tells the others. */
typedef struct order {
    counter given; /* orders, one for each call of cf_mpi_create */
    counter taken; /* by all other ranks together */
    counter over;
    bool any_options;
    cf_pool_options options;
    char name[NAME_SIZE];
    uintptr_t initializer, finalizer; /* distances */
    unsigned char globals[GLOBALS_SIZE];
} order;

static order *orders;
static unsigned other_ranks; /* rank 0 knows from its first executor */
static cf_executor *living;  /* of this process; NULL = none, or the test has destroyed it */

/* ---- options across ranks -------------------------------------------------------------------- */

extern char __start_seen_by_tasks[], __stop_seen_by_tasks[]; /* the linker's */

static size_t globals_size(void) {
    const size_t size = (size_t)(__stop_seen_by_tasks - __start_seen_by_tasks);
    if (size > GLOBALS_SIZE) {
        abort();
    }
    return size;
}

/* Functions are the same distance apart in all ranks, wherever the program is loaded. 0 = none. */
#define DISTANCE(function) ((function) != NULL ? (uintptr_t)(function) - (uintptr_t)main : 0)
#define AT(distance)       ((distance) != 0 ? (uintptr_t)main + (distance) : 0)

int main(int argc, char **argv);

static void give_order(const cf_pool_options *options) {
    const uint32_t given = counter_get(&orders->given);
    while (counter_get(&orders->taken) < given * other_ranks) {
        usleep(100);
    }
    orders->any_options = options != NULL;
    if (options != NULL) {
        orders->options = *options;
        orders->initializer = DISTANCE(options->initializer);
        orders->finalizer = DISTANCE(options->finalizer);
        snprintf(orders->name, NAME_SIZE, "%s", options->name != NULL ? options->name : "");
    }
    memcpy(orders->globals, __start_seen_by_tasks, globals_size());
    counter_add(&orders->given, 1);
}

static cf_pool_options ordered(void) {
    cf_pool_options options = orders->options;
    options.initializer = (cf_initializer_fn *)AT(orders->initializer);
    options.finalizer = (cf_finalizer_fn *)AT(orders->finalizer);
    return options;
}

/* ---- creation -------------------------------------------------------------------------------- */

static cf_mpi_options mpi_options(void) {
    const char *pool = getenv("CF_TEST_MPI_POOL");
    const char *use_rank_0 = getenv("CF_TEST_MPI_RANK_0");
    return (cf_mpi_options){
        .pool = pool != NULL && strcmp(pool, "threads") == 0 ? CF_MPI_THREADS : CF_MPI_PROCESSES,
        .use_rank_0 = use_rank_0 != NULL,
    };
}

cf_status ranks_create(const cf_pool_options *options, cf_executor **executor) {
    const cf_mpi_options mpi = mpi_options();
    if (executor == NULL) {
        return cf_mpi_create(options, &mpi, NULL); /* not a call that other ranks are to make */
    }
    give_order(options);
    const cf_status status = cf_mpi_create(options, &mpi, executor);
    if (status == CF_OK) {
        living = *executor;
        return CF_OK;
    }
    if (strstr(cf_mpi_reason(), "lives in this process") != NULL) {
        atomic_fetch_sub(&orders->given.value, 1); /* the others are still in the call before */
        mpi_test_skip("mpi: one executor at a time");
    }
    fprintf(stderr, "cf_mpi_create: %s\n", cf_mpi_reason());
    return status;
}

/* The linker leads the tests' calls here. */
void __real_cf_executor_destroy(cf_executor *executor);
void __wrap_cf_executor_destroy(cf_executor *executor);
void __wrap_cf_executor_destroy(cf_executor *executor) {
    living = living == executor ? NULL : living;
    __real_cf_executor_destroy(executor);
}

void ranks_reset(void) {
    if (living != NULL) {
        cf_executor_kill_workers(living);
        cf_executor_destroy(living);
    }
    shared_area_reset();
}

/* ---- the job --------------------------------------------------------------------------------- */

static void end(const char *what) {
    perror(what);
    exit(EXIT_FAILURE);
}

static void map_area(const char *path) {
    const int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0 || ftruncate(file, (off_t)AREA_SIZE) != 0) {
        end(path);
    }
    void *area =
        mmap(AREA_AT, AREA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, file, 0);
    if (area != AREA_AT) {
        end("mmap");
    }
    close(file);
    orders = area;
    const size_t own = (sizeof *orders + PAGE - 1) / PAGE * PAGE;
    shared_area_use((char *)area + own, AREA_SIZE - own);
}

static void serve(void) {
    const pid_t parent = getppid();
    const cf_mpi_options mpi = mpi_options();
    for (uint32_t number = 1; counter_get(&orders->over) == 0; number++) {
        while (counter_get(&orders->given) < number && counter_get(&orders->over) == 0) {
            usleep(200);
            if (getppid() != parent) {
                _exit(EXIT_FAILURE);
            }
        }
        if (counter_get(&orders->over) == 0) {
            memcpy(__start_seen_by_tasks, orders->globals, globals_size());
            cf_pool_options options = ordered();
            cf_executor *executor;
            const bool any_options = orders->any_options;
            char name[NAME_SIZE];
            memcpy(name, orders->name, sizeof name);
            options.name = options.name != NULL ? name : NULL;
            counter_add(&orders->taken, 1);
            cf_mpi_create(any_options ? &options : NULL, &mpi, &executor);
        }
    }
    exit(EXIT_SUCCESS);
}

void ranks_begin(void) {
    const cf_pool_options one_worker = {.max_workers = 1};
    const cf_mpi_options mpi = mpi_options();
    const char *path = getenv("CF_TEST_MPI_AREA");
    cf_executor *executor;
    if (path == NULL) {
        fprintf(stderr, "start it with tests/contract/mpi/run.py\n");
        exit(EXIT_FAILURE);
    }
    map_area(path);
    const cf_status status = cf_mpi_create(&one_worker, &mpi, &executor);
    if (status == CF_ESERVED) {
        serve();
    }
    if (status != CF_OK) {
        fprintf(stderr, "cf_mpi_create: %s\n", cf_mpi_reason());
        exit(EXIT_FAILURE);
    }
    unsigned ranks, working;
    EXPECT(CF_OK, cf_mpi_ranks(executor, &ranks, &working));
    other_ranks = ranks - 1;
    unlink(path); /* all ranks have mapped it */
    cf_executor_destroy(executor);
}

void ranks_end(void) {
    ranks_reset();
    counter_add(&orders->over, 1);
}
