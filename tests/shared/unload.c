/* Closes the shared library while pools live, as a plugin host does, then goes on: threads, fork handlers
 * and ends of threads must find the library's code. Run by .ci/run, where a shared library is built. */
#define _GNU_SOURCE
#include <cfutures.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef cf_status create_fn(const cf_pool_options *options, cf_executor **executor);
typedef cf_status map_fn(cf_executor *executor, const cf_task *task, const void *args, size_t count,
                         void *results, const cf_map_options *options);

static int square(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    *(int *)result = *(const int *)arg * *(const int *)arg;
    return 0;
}

static void fail(const char *what) {
    fprintf(stderr, "unload: %s\n", what);
    exit(EXIT_FAILURE);
}

/* ISO C knows no conversion of an object's pointer to a function's. */
static void find(void *library, const char *name, void *function) {
    void *found = dlsym(library, name);
    if (found == NULL) {
        fail(dlerror());
    }
    memcpy(function, &found, sizeof found);
}

static void use_and_leave(const char *create_name) {
    static const cf_task task = {
        .run = square, .arg_size = sizeof(int), .result_size = sizeof(int)};
    int args[100], results[100];
    create_fn *create;
    map_fn *map;
    cf_executor *executor;
    void *library = dlopen("libcfutures.so", RTLD_NOW);
    if (library == NULL) {
        fail(dlerror());
    }
    find(library, create_name, &create);
    find(library, "cf_executor_map", &map);
    for (int i = 0; i < 100; i++) {
        args[i] = i;
    }
    if (create(NULL, &executor) != CF_OK ||
        map(executor, &task, args, 100, results, NULL) != CF_OK || results[99] != 99 * 99) {
        fail(create_name);
    }
    dlclose(library);
}

static void *use_in_thread(void *create_name) {
    use_and_leave(create_name);
    return NULL;
}

int main(void) {
    static char *const creates[] = {"cf_serial_create", "cf_thread_pool_create",
                                    "cf_process_pool_create"};
    for (size_t i = 0; i < sizeof creates / sizeof *creates; i++) {
        pthread_t thread;
        int status;
        use_and_leave(creates[i]);
        if (pthread_create(&thread, NULL, use_in_thread, creates[i]) != 0) {
            fail("no thread");
        }
        pthread_join(thread, NULL);
        pid_t child = fork();
        if (child == 0) {
            _exit(EXIT_SUCCESS);
        }
        if (waitpid(child, &status, 0) != child || status != 0) {
            fail("a forked child died");
        }
    }
    usleep(300000); /* the pools' threads go to sleep, and wake up */
    puts("unload: the library stays");
    return EXIT_SUCCESS;
}
