/* Lists keep their entries, each once, in the order that they promise, whatever is put in and taken
 * out. A list of numbers beside them says what must be there. */
#include "../check.h"

#include "cfutures/queue/list.h"

#include <stdlib.h>
#include <string.h>

TestSuite(list, .timeout = TEST_SECONDS);

enum {
    ENTRIES = 12,
    STEPS = 20000
};

typedef struct entry {
    int number;
    cfi_link link;
    cfi_node node;
    bool inside;
} entry;

static entry entries[ENTRIES];

static void make_entries(void) {
    for (int i = 0; i < ENTRIES; i++) {
        entries[i] = (entry){.number = i};
    }
}

/* What must be in the list, first to last. */
typedef struct model {
    int numbers[ENTRIES];
    int count;
} model;

static void put_in(model *m, int at, int number) {
    memmove(&m->numbers[at + 1], &m->numbers[at], (size_t)(m->count - at) * sizeof(int));
    m->numbers[at] = number;
    m->count++;
}

static int take_out(model *m, int at) {
    int number = m->numbers[at];
    m->count--;
    memmove(&m->numbers[at], &m->numbers[at + 1], (size_t)(m->count - at) * sizeof(int));
    return number;
}

/* ---- cfi_list --------------------------------------------------------------------------------- */

static void check_list(const cfi_list *list, const model *m) {
    int i = 0;
    cr_assert_eq(cfi_list_is_empty(list), m->count == 0);
    for (cfi_link *link = list->first; link != NULL; link = link->next, i++) {
        cr_assert_lt(i, m->count);
        cr_assert_eq(CFI_ENTRY(link, entry, link)->number, m->numbers[i]);
    }
    cr_assert_eq(i, m->count);
}

Test(list, is_first_in_first_out) {
    uint64_t seed = test_seed("list.is_first_in_first_out");
    cfi_list list = {0};
    model m = {0};
    make_entries();
    for (int step = 0; step < STEPS; step++) {
        entry *e = &entries[random_next(&seed) % ENTRIES];
        if (e->inside || random_next(&seed) % 3 == 0) {
            cfi_link *link = cfi_list_take(&list);
            cr_assert_eq(link == NULL, m.count == 0);
            if (link != NULL) {
                entry *taken = CFI_ENTRY(link, entry, link);
                cr_assert_eq(taken->number, take_out(&m, 0));
                taken->inside = false;
            }
        } else if (random_next(&seed) % 2 == 0) {
            cfi_list_append(&list, &e->link);
            put_in(&m, m.count, e->number);
            e->inside = true;
        } else {
            cfi_list_prepend(&list, &e->link);
            put_in(&m, 0, e->number);
            e->inside = true;
        }
        check_list(&list, &m);
    }
}

/* ---- cfi_chain -------------------------------------------------------------------------------- */

static void check_chain(const cfi_chain *chain, const model *m) {
    int i = 0;
    cfi_node *previous = NULL;
    for (cfi_node *node = chain->first; node != NULL; node = node->next, i++) {
        cr_assert_lt(i, m->count);
        cr_assert_eq(CFI_ENTRY(node, entry, node)->number, m->numbers[i]);
        cr_assert_eq(node->previous, previous);
        previous = node;
    }
    cr_assert_eq(i, m->count);
    cr_assert(m->count == 0 || chain->last == previous);
}

static int place_of(const model *m, int number) {
    int at = 0;
    while (m->numbers[at] != number) {
        at++;
    }
    return at;
}

Test(list, chain_takes_entries_in_and_out_anywhere) {
    uint64_t seed = test_seed("list.chain");
    cfi_chain chain = {0};
    model m = {0};
    make_entries();
    for (int step = 0; step < STEPS; step++) {
        entry *e = &entries[random_next(&seed) % ENTRIES];
        if (e->inside) {
            cfi_chain_remove(&chain, &e->node);
            take_out(&m, place_of(&m, e->number));
        } else if (m.count == 0 || random_next(&seed) % 2 == 0) {
            cfi_chain_insert(&chain, NULL, &e->node);
            put_in(&m, m.count, e->number);
        } else {
            int behind = (int)(random_next(&seed) % (uint64_t)m.count);
            cfi_chain_insert(&chain, &entries[m.numbers[behind]].node, &e->node);
            put_in(&m, behind + 1, e->number);
        }
        e->inside = !e->inside;
        check_chain(&chain, &m);
    }
}
