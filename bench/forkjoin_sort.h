/* What all contenders' quicksorts have in common: all but the recursion. */
#ifndef BENCH_FORKJOIN_SORT_H
#define BENCH_FORKJOIN_SORT_H

#include <stddef.h>

/* So many numbers or fewer are sorted by insertion. */
#define SORT_SMALL ((size_t)32)

/* Moves numbers of at least 2 such that none of the first part is greater than one of the rest.
 * Returns the length of the first part, which is neither 0 nor all. (Hoare's way.) */
static inline size_t sort_split(int *numbers, size_t count) {
    const int pivot = numbers[(count - 1) / 2];
    size_t low = 0, high = count - 1;
    for (;;) {
        while (numbers[low] < pivot) {
            low++;
        }
        while (numbers[high] > pivot) {
            high--;
        }
        if (low >= high) {
            return high + 1;
        }
        const int kept = numbers[low];
        numbers[low++] = numbers[high];
        numbers[high--] = kept;
    }
}

static inline void sort_by_insertion(int *numbers, size_t count) {
    for (size_t i = 1; i < count; i++) {
        const int number = numbers[i];
        size_t place = i;
        for (; place > 0 && numbers[place - 1] > number; place--) {
            numbers[place] = numbers[place - 1];
        }
        numbers[place] = number;
    }
}

/* Quicksort by one thread: what a contender does below its cut, and all that C does. */
static inline void sort_alone(int *numbers, size_t count) {
    while (count > SORT_SMALL) {
        const size_t first = sort_split(numbers, count);
        sort_alone(numbers, first);
        numbers += first;
        count -= first;
    }
    sort_by_insertion(numbers, count);
}

#endif
