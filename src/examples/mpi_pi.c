/* mpi_pi [BATCHES]: estimates pi by random points, on the ranks of an MPI job.
 *
 *     mpirun -n 3 example_mpi_pi 400       # rank 0 adds up, ranks 1 and 2 count
 *     example_mpi_pi 400                   # alone: one process does all
 *
 * mpi_pi.sbatch starts it on the nodes of a cluster. A batch's points follow from its number. So the sum does
 * not depend on the number of ranks, nor does it matter if a batch runs twice because its rank was lost. */
#include <cfutures_mpi.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define POINTS 1000000 /* of a batch: some milliseconds, many times what it costs to send one */
#define MOST   1000000

/* splitmix64: the state's next value, mixed. */
static double next_fraction(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* How many points of the batch lie in the quarter circle. */
static int count_hits(const void *arg, void *result, cf_task_context *ctx) {
    uint64_t state = *(const uint64_t *)arg << 32, hits = 0;
    (void)ctx;
    for (int i = 0; i < POINTS; i++) {
        double x = next_fraction(&state), y = next_fraction(&state);
        hits += x * x + y * y < 1;
    }
    *(uint64_t *)result = hits;
    return 0;
}
static const cf_task count_task = {.name = "count_hits",
                                   .run = count_hits,
                                   .arg_size = sizeof(uint64_t),
                                   .result_size = sizeof(uint64_t)};

static void tell(void *context, const char *sentence) {
    fprintf(stderr, "%s: %s\n", (const char *)context, sentence);
}

int main(int argc, char **argv) {
    size_t count = argc == 2 ? strtoul(argv[1], NULL, 10) : 400;
    if (argc > 2 || count < 1 || count > MOST)
        return fprintf(stderr, "usage: %s [BATCHES], at most %d\n", argv[0], MOST), 2;

    const cf_mpi_options mpi = {.use_rank_0 = true, .report = tell, .report_context = argv[0]};
    cf_executor *ex;
    cf_status s = cf_mpi_create(NULL, &mpi, &ex);
    if (s == CF_ESERVED)
        return 0; /* a rank other than 0: its work is done */
    if (s != CF_OK)
        return fprintf(stderr, "%s: %s\n", argv[0], cf_mpi_reason()), 1;

    const cf_map_options options = {.retries = 2}; /* if a worker dies; lost ranks cost none */
    uint64_t *batches = calloc(count, sizeof *batches), *hits = calloc(count, sizeof *hits),
             sum = 0;
    for (size_t i = 0; batches && i < count; i++)
        batches[i] = i;
    s = batches && hits ? cf_executor_map(ex, &count_task, batches, count, hits, &options)
                        : CF_ENOMEM;
    for (size_t i = 0; s == CF_OK && i < count; i++)
        sum += hits[i];
    if (s == CF_OK)
        printf("%zu batches, %u workers: %" PRIu64 " hits, pi is about %.6f\n", count,
               cf_executor_max_workers(ex), sum, 4.0 * (double)sum / POINTS / (double)count);
    else
        fprintf(stderr, "%s: %s\n", argv[0], cf_status_message(s));
    cf_executor_destroy(ex);
    free(batches);
    free(hits);
    return s != CF_OK || fflush(stdout) != 0;
}
