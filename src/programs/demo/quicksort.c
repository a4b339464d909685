/* Ranges too short to be worth partitioning are sorted by insertion at once. */
#include "programs/demo/quicksort.h"

#include <stdlib.h>

enum {
    SHORT = 5 /* elements that are too many for insertion */
};

/* values[first] to values[last], both included. */
typedef struct range {
    size_t first;
    size_t last;
} range;

/* ---- a range --------------------------------------------------------------------------------- */

static bool is_short(range r) {
    return r.last - r.first + 1 < SHORT;
}

static void swap(int *a, int *b) {
    int kept = *a;
    *a = *b;
    *b = kept;
}

static void insertion_sort(int *values, range r) {
    for (size_t i = r.first + 1; i <= r.last; i++) {
        for (size_t k = i; k > r.first && values[k - 1] > values[k]; k--) {
            swap(&values[k - 1], &values[k]);
        }
    }
}

/* Of the first, the middle and the last value, the one between the others comes to the front. */
static void median_to_front(int *values, range r) {
    int *front = &values[r.first], *back = &values[r.last];
    int *middle = &values[r.first + (r.last - r.first) / 2];
    if (*middle > *back) {
        swap(middle, back);
    }
    if (*front > *back) {
        swap(front, back);
    }
    if (*front < *middle) {
        swap(front, middle);
    }
}

/* Hoare's: afterwards nothing up to the returned place is greater than the pivot, and nothing
 * behind it less. The pivot stands at the front, where the search from below begins and stops at
 * once, so the search from above goes on or the two are swapped: that place is never the last, and
 * both parts are shorter than the whole. Equal values are swapped too, which keeps the parts even
 * where there are many. */
static size_t partition_by_front(int *values, range r) {
    const int pivot = values[r.first];
    size_t low = r.first, high = r.last;
    for (;;) {
        while (values[low] < pivot) {
            low++;
        }
        while (values[high] > pivot) {
            high--;
        }
        if (low >= high) {
            return high;
        }
        swap(&values[low++], &values[high--]);
    }
}

/* The last place of the lower part. */
static size_t partition(int *values, range r) {
    median_to_front(values, r);
    return partition_by_front(values, r);
}

/* ---- without recursion ----------------------------------------------------------------------- */

/* The ranges that are still to be sorted, first in, first out. They never overlap and have SHORT
 * elements each or more, so count / SHORT places do. */
typedef struct work_list {
    range *ranges;
    size_t places;
    size_t head; /* the next one to be taken */
    size_t used;
} work_list;

static void put(work_list *list, range r) {
    list->ranges[(list->head + list->used++) % list->places] = r;
}

static range take(work_list *list) {
    range r = list->ranges[list->head];
    list->head = (list->head + 1) % list->places;
    list->used--;
    return r;
}

static void sort_or_put(int *values, work_list *list, range r) {
    if (is_short(r)) {
        insertion_sort(values, r);
    } else {
        put(list, r);
    }
}

bool quicksort(int *values, size_t count) {
    if (count < 2) {
        return true;
    }
    work_list list = {.places = count / SHORT + 1};
    list.ranges = calloc(list.places, sizeof *list.ranges);
    if (list.ranges == NULL) {
        return false;
    }
    sort_or_put(values, &list, (range){0, count - 1});
    while (list.used > 0) {
        range r = take(&list);
        size_t middle = partition(values, r);
        sort_or_put(values, &list, (range){r.first, middle});
        sort_or_put(values, &list, (range){middle + 1, r.last});
    }
    free(list.ranges);
    return true;
}

/* ---- with recursion -------------------------------------------------------------------------- */

typedef struct part {
    int *values;
    range range;
} part;

static void sort_part(cf_strand *strand, void *job) {
    const part *p = job;
    if (is_short(p->range)) {
        insertion_sort(p->values, p->range);
        return;
    }
    const size_t middle = partition(p->values, p->range);
    part low = {p->values, {p->range.first, middle}};
    part high = {p->values, {middle + 1, p->range.last}};
    cf_both(strand, sort_part, &low, sort_part, &high);
}

void quicksort_recursive(cf_strand *strand, int *values, size_t count) {
    if (count > 1) {
        sort_part(strand, &(part){values, {0, count - 1}});
    }
}
