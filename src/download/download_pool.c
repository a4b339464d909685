#include "download/download_pool.h"

#include "download/transfers.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>

/* A closed pipe or a file that gets too large is an error that reaches the result, and does not end the
 * worker: threads have all signals blocked, processes none. */
static int make_worker(void *context, unsigned worker, void **local) {
    (void)worker;
    sigset_t of_writing;
    sigemptyset(&of_writing);
    sigaddset(&of_writing, SIGPIPE);
    sigaddset(&of_writing, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &of_writing, NULL);
    *local = transfers_create(context, 1);
    return *local == NULL ? ENOMEM : 0;
}

static void unmake_worker(void *context, unsigned worker, void *local) {
    (void)context, (void)worker;
    transfers_destroy(local);
}

enum {
    /* So many threads start at once; the others start when these wait long for a server. If the server answers at
     * once, 3 to 8 threads on 2 processors of an AMD EPYC take 0.85 times as long as 30, and 2 as long as 30. */
    AT_ONCE = 4
};

cf_status download_pool_create(cf_create_fn *create, const download_settings *settings,
                               unsigned workers, cf_executor **executor) {
    const cf_pool_options options = {
        .max_workers = workers,
        /* A limit that is never reached. With a limit a worker claims one task at a time, so the
         * codes are asked for in their order, also when hundreds are pending. */
        .max_tasks_per_worker = UINT_MAX,
        .ignore_sigterm = true, /* the program has one too, and gives the word to stop */
        .initializer = make_worker,
        .finalizer = unmake_worker,
        .context = (void *)settings,
        .min_workers = AT_ONCE,
    };
    return create(&options, executor);
}

static int run_download(const void *arg, void *result, cf_task_context *context) {
    transfers *one = cf_task_local(context);
    download_result *done = result;
    transfers_begin(one, *(const country_code *)arg);
    transfers_next(one, done);
    for (unsigned i = 0; i < done->kept; i++) {
        done->attempt[i].worker = cf_task_worker(context);
    }
    return 0;
}

const cf_task DOWNLOAD_TASK = {
    .name = "download_one",
    .run = run_download,
    .arg_size = sizeof(country_code),
    .result_size = sizeof(download_result),
    .result_type = "str",
};

void download_result_set_exception(download_result *result, country_code code,
                                   const cf_exception *exception) {
    *result = (download_result){.code = code, .status = DOWNLOAD_ERROR};
    cf_exception_describe(exception, result->message, sizeof result->message);
}
