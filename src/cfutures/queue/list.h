/* Lists whose entries carry their own links.
 *
 *      cfi_list    first in, first out: one link, appended to at the end, taken from the front
 *      cfi_chain   two links: an entry can be put behind any other, and taken out of the middle
 *
 * A zeroed list or chain is empty. The same link is in one list at a time. Neither has a lock: the
 * owner says what protects it. */
#ifndef CFUTURES_LIST_H
#define CFUTURES_LIST_H

#include "platform/assert.h"

#include <stdbool.h>
#include <stddef.h>

/* The entry of this type whose member is the link. */
#define CFI_ENTRY(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* ---- first in, first out --------------------------------------------------------------------- */

typedef struct cfi_link {
    struct cfi_link *next;
} cfi_link;

typedef struct cfi_list {
    cfi_link *first;
    cfi_link *last; /* undefined while the list is empty */
} cfi_list;

static inline bool cfi_list_is_empty(const cfi_list *list) {
    return list->first == NULL;
}

static inline void cfi_list_append(cfi_list *list, cfi_link *link) {
    cfi_assert(list->first == NULL || (list->last->next == NULL && list->last != link));
    link->next = NULL;
    *(list->first == NULL ? &list->first : &list->last->next) = link;
    list->last = link;
}

/* In front of the others. */
static inline void cfi_list_prepend(cfi_list *list, cfi_link *link) {
    cfi_assert(list->first != link);
    link->next = list->first;
    if (list->first == NULL) {
        list->last = link;
    }
    list->first = link;
}

/* NULL: the list is empty. */
static inline cfi_link *cfi_list_take(cfi_list *list) {
    cfi_link *link = list->first;
    if (link != NULL) {
        cfi_assert((link->next == NULL) == (link == list->last)); /* no other list has taken it */
        list->first = link->next;
    }
    return link;
}

/* ---- in both directions ---------------------------------------------------------------------- */

typedef struct cfi_node {
    struct cfi_node *next, *previous;
} cfi_node;

typedef struct cfi_chain {
    cfi_node *first, *last;
} cfi_chain;

/* Behind `previous`; NULL = at the end. */
static inline void cfi_chain_insert(cfi_chain *chain, cfi_node *previous, cfi_node *node) {
    cfi_assert((chain->first == NULL) == (chain->last == NULL) && chain->last != node);
    cfi_assert(previous == NULL || previous->next != NULL || previous == chain->last);
    node->previous = previous != NULL ? previous : chain->last;
    node->next = previous != NULL ? previous->next : NULL;
    *(node->previous != NULL ? &node->previous->next : &chain->first) = node;
    *(node->next != NULL ? &node->next->previous : &chain->last) = node;
}

static inline void cfi_chain_remove(cfi_chain *chain, cfi_node *node) {
    cfi_assert((node->previous != NULL ? node->previous->next : chain->first) == node);
    cfi_assert((node->next != NULL ? node->next->previous : chain->last) == node);
    *(node->previous != NULL ? &node->previous->next : &chain->first) = node->next;
    *(node->next != NULL ? &node->next->previous : &chain->last) = node->previous;
}

#endif
