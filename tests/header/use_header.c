/* The public headers alone, in each language that they promise to work in: this file is compiled as
 * C11, as C17 and as C++17, and run. */
#ifdef PRIMEPOOL_HAVE_OPENMP
#include <cfutures_openmp.h>
#endif
#include <cfutures.h>
#include <cfutures_fork.h>
#include <cfutures_group.h>
#include <cfutures_mpi.h>

#include <stdio.h>

static int run_half(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    *(int *)result = *(const int *)arg / 2;
    return 0;
}

static int use(cf_status (*create)(const cf_pool_options *, cf_executor **)) {
    const int arg = 42;
    int result = 0;
    cf_task half_task = {"half", run_half, sizeof arg, sizeof result, "int", false};
    cf_executor *executor = NULL;
    cf_future *future = NULL;
    cf_status status = create(NULL, &executor);
    if (status == CF_OK) {
        status = cf_executor_submit(executor, &half_task, &arg, &future);
    }
    if (status == CF_OK) {
        status = cf_future_result(future, CF_FOREVER, &result);
    }
    cf_future_release(future);
    cf_executor_destroy(executor);
    printf("%s: %d\n", cf_status_name(status), result);
    return status == CF_OK && result == 21 ? 0 : 1;
}

/* ---- fork-join ------------------------------------------------------------------------------- */

enum {
    NUMBERS = 1000
};

/* What the numbers from first to last (not included) add up to. */
typedef struct range {
    unsigned first, last, sum;
} range;

static void add_up(cf_strand *strand, void *job) {
    range *whole = (range *)job;
    whole->sum = whole->first;
    if (whole->last - whole->first > 1) {
        const unsigned middle = whole->first + (whole->last - whole->first) / 2;
        range low = {whole->first, middle, 0}, high = {middle, whole->last, 0};
        cf_both(strand, add_up, &low, add_up, &high);
        whole->sum = low.sum + high.sum;
    }
}

static void store_each(cf_strand *strand, size_t first, size_t last, void *context) {
    unsigned *numbers = (unsigned *)context;
    if (!cf_strand_cancelled(strand)) {
        for (size_t i = first; i < last; i++) {
            numbers[i] = (unsigned)i;
        }
    }
}

typedef struct fork_job {
    range pushed, called;
    unsigned numbers[NUMBERS];
} fork_job;

static void run_fork_job(cf_strand *strand, void *job) {
    fork_job *j = (fork_job *)job;
    cf_fork *pushed = cf_fork_push(strand, add_up, &j->pushed);
    add_up(strand, &j->called);
    if (cf_fork_take(strand, pushed)) {
        add_up(strand, &j->pushed);
    }
    cf_for_fn *body = store_each;
    cf_fork_for(strand, 0, NUMBERS, 10, body, j->numbers);
}

static int run_fork_task(const void *arg, void *result, cf_task_context *ctx) {
    fork_job *job = (fork_job *)result;
    job->pushed = *(const range *)arg;
    job->called = job->pushed;
    run_fork_job(cf_task_strand(ctx), job);
    return 0;
}

static int count_wrong(const fork_job *job) {
    const unsigned expected = NUMBERS * (NUMBERS - 1) / 2;
    int wrong = (job->pushed.sum != expected) + (job->called.sum != expected);
    for (unsigned i = 0; i < NUMBERS; i++) {
        wrong += job->numbers[i] != i;
    }
    return wrong;
}

/* Once by cf_executor_run, and once in a task of the ordinary kind. */
static int use_forks(cf_status (*create)(const cf_pool_options *, cf_executor **)) {
    const range numbers = {0, NUMBERS, 0};
    static fork_job ran, submitted;
    cf_task task = {"forks", run_fork_task, sizeof numbers, sizeof submitted, NULL, false};
    cf_executor *executor = NULL;
    cf_future *future = NULL;
    ran.pushed = ran.called = numbers;
    cf_status status = create(NULL, &executor);
    if (status == CF_OK) {
        status = cf_executor_run(executor, run_fork_job, &ran, NULL);
    }
    if (status == CF_OK) {
        status = cf_executor_submit(executor, &task, &numbers, &future);
    }
    if (status == CF_OK) {
        status = cf_future_result(future, CF_FOREVER, &submitted);
    }
    cf_future_release(future);
    cf_executor_destroy(executor);
    const int wrong = count_wrong(&ran) + count_wrong(&submitted);
    printf("forks: %s: %d wrong\n", cf_status_name(status), wrong);
    return status == CF_OK && wrong == 0 ? 0 : 1;
}

int main(void) {
    int faults = use(cf_serial_create);
    faults += use_forks(cf_serial_create);
    faults += use_forks(cf_thread_pool_create);
#ifdef PRIMEPOOL_HAVE_OPENMP
    faults += use(cf_openmp_create);
    faults += use_forks(cf_openmp_create);
#endif
    return faults;
}
