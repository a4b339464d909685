/* Executors that are refused, that come one after the other, and programs that use MPI themselves.
 * */
#include "mpi/job.h"

#include <mpi.h>
#include <stdlib.h>

/* ---- who has initialised MPI ----------------------------------------------------------------- */

/* The program has done so, with job.level; it finalises MPI too. */
static void run_initialised(void) {
    static const int levels[] = {MPI_THREAD_SINGLE, MPI_THREAD_FUNNELED, MPI_THREAD_SERIALIZED,
                                 MPI_THREAD_MULTIPLE};
    cf_executor *executor;
    int provided, sum = 0, own = own_rank(), ranks;
    MPI_Init_thread(NULL, NULL, levels[job.level], &provided);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    printf("rank %d: level %s\n", own, provided == levels[job.level] ? "as asked for" : "other");
    const cf_status status = cf_mpi_create(NULL, &job.mpi, &executor);
    if (status == CF_OK) {
        check_works(executor);
        cf_executor_destroy(executor);
    } else if (status != CF_ESERVED) {
        printf("rank %d: %s: %s\n", own, cf_status_name(status), cf_mpi_reason());
        CHECK(executor == NULL);
    }
    MPI_Allreduce(&own, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD); /* it is the program's again */
    CHECK_EQUAL(sum, ranks * (ranks - 1) / 2);
    MPI_Finalize();
}

/* Rank 0 uses MPI with another rank beside the executor, where MPI allows that. */
static void run_without(void) {
    int provided;
    MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &provided);
    cf_executor *executor = NULL;
    if (own_rank() < 2) { /* ranks above never call cf_mpi_create */
        const cf_status status = cf_mpi_create(NULL, &job.mpi, &executor);
        printf("rank %d: %s: %s\n", own_rank(), cf_status_name(status), cf_mpi_reason());
        CHECK(status != CF_OK && executor == NULL);
    } else {
        pause_for(job.before_ns);
    }
    pause_for(job.before_ns / 4); /* mpirun may end all when the first has ended */
    _Exit(EXIT_FAILURE);
}

/* ---- several executors ----------------------------------------------------------------------- */

static void run_two(void) {
    cf_executor *first, *second = NULL;
    if (!lead(NULL, &first)) {
        return;
    }
    CHECK_EQUAL(cf_mpi_create(NULL, &job.mpi, &second), CF_EUNSUPPORTED);
    CHECK(second == NULL);
    printf("%s\n", cf_mpi_reason());
    check_works(first);
    cf_executor_destroy(first);
}

/* Ranks serve each in turn; with `map` ranks of processes and of threads. */
static void run_sequence(void) {
    for (size_t i = 0; i < job.count; i++) {
        cf_executor *executor;
        if (lead(NULL, &executor)) {
            check_works(executor);
            cf_executor_destroy(executor);
        }
    }
    printf("rank %d: done\n", own_rank());
}

/* Rank 0 makes one executor only, the others would serve more. */
static void run_more_servers(void) {
    cf_executor *executor;
    if (lead(NULL, &executor)) {
        check_works(executor);
        cf_executor_destroy(executor);
    } else {
        const cf_status status = cf_mpi_create(NULL, &job.mpi, &executor);
        CHECK_EQUAL(status, CF_ESERVED);
    }
}

/* Rank 0 exits while tasks run, and others are pending. */
static void run_exit(void) {
    cf_executor *executor;
    job.task_ns = 60 * SECOND;
    if (!lead(NULL, &executor)) {
        return;
    }
    for (uint64_t i = 0; i < 100; i++) {
        cf_future_release(submit(executor, &note_task, &i));
    }
    CHECK(counter_wait(&shared->begun, 1));
}

/* ---- options --------------------------------------------------------------------------------- */

static void run_invalid(void) {
    cf_executor *executor;
    const cf_pool_options given = {.max_workers = 2};
    cf_mpi_options wrong = {.workers_per_rank = 2};
    CHECK_EQUAL(cf_mpi_create(&given, &wrong, &executor), CF_EINVAL);
    CHECK(executor == NULL);
    printf("rank %d: %s\n", own_rank(), cf_mpi_reason());
    wrong = (cf_mpi_options){.silence_ns = -1};
    CHECK_EQUAL(cf_mpi_create(NULL, &wrong, &executor), CF_EINVAL);
    wrong = (cf_mpi_options){.gather_ns = -1};
    CHECK_EQUAL(cf_mpi_create(NULL, &wrong, &executor), CF_EINVAL);
    wrong = (cf_mpi_options){.workers_per_rank = CF_WORKERS_MAX + 1};
    CHECK_EQUAL(cf_mpi_create(NULL, &wrong, &executor), CF_EINVAL);
    CHECK_EQUAL(cf_mpi_create(NULL, NULL, NULL), CF_EINVAL);
    if (lead(NULL, &executor)) {
        check_works(executor);
        cf_executor_destroy(executor);
    }
}

/* Two ranks with 700 workers each are too many; all ranks are told. */
static void run_too_many(void) {
    cf_executor *executor;
    job.mpi.workers_per_rank = 700;
    const cf_status status = cf_mpi_create(NULL, &job.mpi, &executor);
    printf("rank %d: %s: %s\n", own_rank(), cf_status_name(status), cf_mpi_reason());
    CHECK(executor == NULL);
    exit(EXIT_FAILURE);
}

const job_case create_cases[] = {
    {"initialised", run_initialised}, {"without", run_without},           {"two", run_two},
    {"sequence", run_sequence},       {"more_servers", run_more_servers}, {"exit", run_exit},
    {"invalid", run_invalid},         {"too_many", run_too_many},         {NULL, NULL},
};
