/* pi by chance: of the points in a square, those that lie in the circle. The task has types, so it needs no cast, and
 * the compiler checks what is passed. */
#include <cfutures.h>

#include <stdio.h>
#include <stdlib.h>

#define PARTS  64
#define POINTS 1000000 /* in each part */

CF_TASK(points_in_circle, int, long) {
    unsigned short state[3] = {(unsigned short)*arg};
    for (int i = 0; i < POINTS; i++) {
        const double x = erand48(state), y = erand48(state);
        *result += x * x + y * y < 1; /* 0 before the run */
    }
    return 0;
}

int main(void) {
    cf_executor *pool;
    int seeds[PARTS];
    long counts[PARTS], sum = 0;
    for (int i = 0; i < PARTS; i++) {
        seeds[i] = i;
    }
    cf_status status = cf_process_pool_create(NULL, &pool);
    status = status == CF_OK ? cf_map(pool, points_in_circle, seeds, PARTS, counts) : status;
    for (int i = 0; status == CF_OK && i < PARTS; i++) {
        sum += counts[i];
    }
    printf("%s: pi is about %.3f\n", cf_status_message(status), 4.0 * (double)sum / PARTS / POINTS);
    cf_executor_destroy(pool);
    return status != CF_OK;
}
