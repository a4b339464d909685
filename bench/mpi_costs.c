/* What the steps of an executor on MPI cost here, and what comes of it: the inputs of scale.py.
 *
 *     mpirun -n 2 bench_mpi_costs costs         a JSON object for scale.py --costs
 *     mpirun -n W+1 bench_mpi_costs rates       a JSON list for scale.py --measured, of W workers
 *
 * Costs of messages are those of the calls of MPI that the executor makes, between ranks 0 and 1. Their
 * sizes are those of a task with 8 bytes of argument and of its answer. The cost of a task is what more of
 * them take in the manager's thread where many travel in one message; that of copying, what an item of a
 * map takes there. Rates are of tasks that sleep: so the ranks need no processors of their own. */
#include "bench/driver.h"
#include "platform/clock.h"
#include "programs/base/output.h"

#include <cfutures_mpi.h>
#include <dirent.h>
#include <error.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRIPS = 20000,
    TRIP_BYTES = 56, /* a task's message: head, entry, argument */
    TASKS = 400000,
    ITEMS = 4000000,
    TAG = 2,
};

static void check(cf_status status) {
    if (status != CF_OK) {
        bench_fail(cf_status_message(status));
    }
}

static void check_mpi(int status) {
    if (status != MPI_SUCCESS) {
        bench_fail("MPI");
    }
}

static int by_value(const void *a, const void *b) {
    const int64_t difference = *(const int64_t *)a - *(const int64_t *)b;
    return (difference > 0) - (difference < 0);
}

static double median(int64_t *values, size_t count) {
    qsort(values, count, sizeof *values, by_value);
    return (double)values[count / 2];
}

/* ---- messages -------------------------------------------------------------------------------- */

typedef struct trips {
    int64_t send_ns[TRIPS];    /* MPI_Isend, and the MPI_Test that frees it */
    int64_t receive_ns[TRIPS]; /* MPI_Iprobe that finds it, MPI_Get_count, MPI_Recv */
    int64_t look_ns[TRIPS];    /* MPI_Iprobe that finds nothing */
    int64_t trip_ns[TRIPS];    /* from before the send to after the receive */
} trips;

static void send_to(int rank, MPI_Comm comm, int64_t *ns) {
    static char bytes[TRIP_BYTES];
    MPI_Request request;
    int left = 0;
    const int64_t start = plat_now_ns();
    check_mpi(MPI_Isend(bytes, TRIP_BYTES, MPI_BYTE, rank, TAG, comm, &request));
    while (!left) {
        check_mpi(MPI_Test(&request, &left, MPI_STATUS_IGNORE));
    }
    *ns = plat_now_ns() - start;
}

static void receive(MPI_Comm comm, int64_t *look_ns, int64_t *ns) {
    static char bytes[TRIP_BYTES];
    MPI_Status status;
    int arrived = 0, count;
    int64_t start = 0;
    while (!arrived) {
        *look_ns = start == 0 ? *look_ns : plat_now_ns() - start;
        start = plat_now_ns();
        check_mpi(MPI_Iprobe(MPI_ANY_SOURCE, TAG, comm, &arrived, &status));
    }
    check_mpi(MPI_Get_count(&status, MPI_BYTE, &count));
    check_mpi(MPI_Recv(bytes, count, MPI_BYTE, status.MPI_SOURCE, TAG, comm, &status));
    *ns = plat_now_ns() - start;
}

static void trip(MPI_Comm comm, int rank, trips *all) {
    int64_t ignored = 0;
    for (size_t i = 0; i < TRIPS; i++) {
        if (rank == 0) {
            const int64_t start = plat_now_ns();
            send_to(1, comm, &all->send_ns[i]);
            receive(comm, &all->look_ns[i], &all->receive_ns[i]);
            all->trip_ns[i] = plat_now_ns() - start;
        } else if (rank == 1) {
            receive(comm, &ignored, &ignored);
            send_to(0, comm, &ignored);
        }
    }
}

/* ---- tasks ----------------------------------------------------------------------------------- */

static int increment(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    *(uint64_t *)result = *(const uint64_t *)arg + 1;
    return 0;
}

static const cf_task INCREMENT = {
    .name = "increment", .run = increment, .arg_size = 8, .result_size = 8};

/* Results in how long it has slept. */
static int doze(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const int64_t start = plat_now_ns();
    sleep_ns(*(const int64_t *)arg);
    *(int64_t *)result = plat_now_ns() - start;
    return 0;
}

static const cf_task DOZE = {.name = "doze", .run = doze, .arg_size = 8, .result_size = 8};

static bool is_manager(const char *thread) {
    char path[300], name[32] = "";
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", thread);
    FILE *file = fopen(path, "r");
    const bool is =
        file != NULL && fgets(name, sizeof name, file) != NULL && strcmp(name, "cf-mpi\n") == 0;
    if (file != NULL) {
        fclose(file);
    }
    return is;
}

static int64_t cpu_ns_of(const char *thread) {
    char path[300];
    long long ns = -1;
    snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", thread);
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%lld", &ns) != 1) {
        bench_fail("the manager's processor time cannot be read");
    }
    fclose(file);
    return ns;
}

/* Nanoseconds of processor time that the manager's thread has used. */
static int64_t manager_cpu_ns(void) {
    DIR *threads = opendir("/proc/self/task");
    const struct dirent *entry = NULL;
    while (threads != NULL && (entry = readdir(threads)) != NULL && !is_manager(entry->d_name)) {}
    if (entry == NULL) {
        bench_fail("the executor's thread cf-mpi was not found");
    }
    const int64_t ns = cpu_ns_of(entry->d_name);
    closedir(threads);
    return ns;
}

static double submit_all(cf_executor *executor, cf_future **futures) {
    const int64_t start = manager_cpu_ns();
    for (uint64_t i = 0; i < TASKS; i++) {
        check(cf_executor_submit(executor, &INCREMENT, &i, &futures[i]));
    }
    for (uint64_t i = 0; i < TASKS; i++) {
        uint64_t result;
        check(cf_future_result(futures[i], CF_FOREVER, &result));
        check_result_of("mpi", result, i + 1);
        cf_future_release(futures[i]);
    }
    return (double)(manager_cpu_ns() - start) / TASKS;
}

static double map_all(cf_executor *executor, const uint64_t *in, uint64_t *out) {
    const int64_t start = manager_cpu_ns();
    check(cf_executor_map(executor, &INCREMENT, in, ITEMS, out, NULL));
    check_result_of("mpi", out[ITEMS - 1], ITEMS);
    return (double)(manager_cpu_ns() - start) / ITEMS;
}

static void print_costs(cf_executor *executor, trips *all) {
    cf_future **futures = allocated(TASKS, sizeof *futures);
    uint64_t *in = allocated(ITEMS, sizeof *in), *out = allocated(ITEMS, sizeof *out);
    for (uint64_t i = 0; i < ITEMS; i++) {
        in[i] = i;
    }
    submit_all(executor, futures);
    const double task_ns = submit_all(executor, futures);
    map_all(executor, in, out);
    const double item_ns = map_all(executor, in, out);
    const double send_ns = median(all->send_ns, TRIPS), receive_ns = median(all->receive_ns, TRIPS);
    const double way_ns = median(all->trip_ns, TRIPS) / 2 - send_ns - receive_ns;
    output_print("{\"machine\":\"MPI ranks on one machine\",\"manager_send_ns\":%.0f,"
                 "\"manager_receive_ns\":%.0f,\"manager_chunk_ns\":%.0f,\"manager_copy_ns\":%.2f,"
                 "\"worker_message_ns\":%.0f,\"latency_ns\":%.0f}\n",
                 send_ns, receive_ns, task_ns, item_ns, send_ns + receive_ns,
                 way_ns > 0 ? way_ns : 0);
    free(futures);
    free(in);
    free(out);
}

/* ---- rates ----------------------------------------------------------------------------------- */

enum {
    DOZES_MOST = 20000
};

static void print_rate(cf_executor *executor, int64_t ns, size_t count, size_t chunk, bool first) {
    static int64_t in[DOZES_MOST], out[DOZES_MOST];
    const cf_map_options options = {.chunk = chunk};
    const unsigned workers = cf_executor_max_workers(executor);
    int64_t slept_ns = 0;
    for (size_t i = 0; i < count; i++) {
        in[i] = ns;
    }
    check(cf_executor_map(executor, &DOZE, in, count / 10, out, &options));
    const int64_t start = plat_now_ns();
    check(cf_executor_map(executor, &DOZE, in, count, out, &options));
    const int64_t took_ns = plat_now_ns() - start;
    for (size_t i = 0; i < count; i++) {
        slept_ns += out[i];
    }
    output_print("%s{\"workers\":%u,\"task_ns\":%.0f,\"chunk\":%zu,\"pack\":1,"
                 "\"tasks_per_second\":%.1f}",
                 first ? "[" : ",\n ", workers, (double)slept_ns / (double)count, chunk,
                 (double)count / ((double)took_ns / 1e9));
}

static void print_rates(cf_executor *executor) {
    print_rate(executor, 100000, 20000, 1, true);
    print_rate(executor, 1000000, 3000, 1, false);
    print_rate(executor, 10000000, 300, 1, false);
    print_rate(executor, 100000, 20000, 20, false);
    output_print("]\n");
}

/* ---- the whole ------------------------------------------------------------------------------- */

int main(int argc, char **argv) {
    static trips all;
    const bool costs = argc == 2 && strcmp(argv[1], "costs") == 0;
    int provided, rank;
    output_prepare(argv);
    if (argc != 2 || (!costs && strcmp(argv[1], "rates") != 0)) {
        error(EXIT_USAGE, 0, "costs or rates?");
    }
    check_mpi(MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided));
    check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    if (costs) {
        trip(MPI_COMM_WORLD, rank, &all);
    }
    cf_executor *executor;
    const cf_mpi_options mpi = {.workers_per_rank = 1};
    const cf_status status = cf_mpi_create(NULL, &mpi, &executor);
    if (status == CF_OK) {
        costs ? print_costs(executor, &all) : print_rates(executor);
        cf_executor_destroy(executor);
    } else if (status != CF_ESERVED) {
        bench_fail(cf_mpi_reason());
    }
    MPI_Finalize();
    return 0;
}
