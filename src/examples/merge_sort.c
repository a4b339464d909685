/* Sorts a million numbers on all processors: a worker that sorts a part lets an idle worker take one
 * half of it. */
#include <cfutures_fork.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    COUNT = 1000000,
    SHORT = 32, /* A fork costs a few nanoseconds, so parts may be as short as the sort likes. */
    STEP = 618033
};

typedef struct part {
    unsigned *numbers;
    unsigned *room; /* for as many */
    size_t count;
} part;

static void sort_by_insertion(unsigned *numbers, size_t count) {
    for (size_t i = 1; i < count; i++) {
        const unsigned number = numbers[i];
        size_t k = i;
        for (; k > 0 && numbers[k - 1] > number; k--) {
            numbers[k] = numbers[k - 1];
        }
        numbers[k] = number;
    }
}

/* The left half moves out of the way first. What is left of the right half at the end is in place. */
static void merge(const part *left, const part *right) {
    memcpy(left->room, left->numbers, left->count * sizeof *left->room);
    unsigned *to = left->numbers;
    for (size_t l = 0, r = 0; l < left->count;) {
        const bool from_right = r < right->count && right->numbers[r] < left->room[l];
        *to++ = from_right ? right->numbers[r++] : left->room[l++];
    }
}

static void merge_sort(cf_strand *strand, void *job) {
    const part *whole = job;
    if (whole->count <= SHORT) {
        sort_by_insertion(whole->numbers, whole->count);
        return;
    }
    const size_t half = whole->count / 2;
    /* cf_both returns when both jobs are done, so they may lie on the stack. */
    part left = {whole->numbers, whole->room, half};
    part right = {whole->numbers + half, whole->room + half, whole->count - half};
    cf_both(strand, merge_sort, &left, merge_sort, &right);
    merge(&left, &right);
}

static void must(cf_status status, const char *what) {
    if (status != CF_OK) {
        fprintf(stderr, "%s: %s\n", what, cf_status_message(status));
        exit(EXIT_FAILURE);
    }
}

int main(void) {
    static unsigned numbers[COUNT], room[COUNT];
    /* Each number below COUNT once, because STEP and COUNT have no common divisor. */
    for (size_t i = 0; i < COUNT; i++) {
        numbers[i] = (unsigned)(i * STEP % COUNT);
    }

    cf_executor *pool;
    must(cf_thread_pool_create(NULL, &pool), "create");
    part whole = {numbers, room, COUNT};
    must(cf_executor_run(pool, merge_sort, &whole, NULL), "run"); /* waits for the end */
    cf_executor_destroy(pool);

    unsigned misplaced = 0;
    for (size_t i = 0; i < COUNT; i++) {
        misplaced += numbers[i] != i;
    }
    printf("%d numbers are sorted, %u are in the wrong place\n", COUNT, misplaced);
    return misplaced == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
