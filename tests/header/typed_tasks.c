/* Each of these mistakes is an error of the compiler's (CMakeLists.txt, typed_task_error). */
#include <cfutures.h>

#if MISTAKE == 1
CF_TASK(takes_text, const char *, int) {
    return 0;
}
#elif MISTAKE == 2
CF_TASK(gives_pointer, int, struct node *) {
    return 0;
}
#elif MISTAKE == 3
typedef struct wide {
    _Alignas(16) char bytes[16];
} wide;
CF_TASK(takes_wide, wide, int) {
    return 0;
}
#endif

CF_TASK(half, int, double) {
    *result = *arg / 2.0;
    return 0;
}

int use(cf_executor *executor);
int use(cf_executor *executor) {
    double result;
    int ints[] = {1, 2};
    double doubles[2];
#if MISTAKE == 4
    cf_run(executor, half, &(long){3}, &result);
#elif MISTAKE == 5
    cf_map(executor, half, ints, 2, ints);
#elif MISTAKE == 6
    cf_submit(executor, half, 3, NULL);
#endif
    cf_map(executor, half, ints, 2, doubles);
    return (int)cf_run(executor, half, ints, &result);
}
