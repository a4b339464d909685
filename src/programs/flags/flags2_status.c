#include "programs/flags/flags2_status.h"

#include "platform/clock.h"
#include "programs/base/activity.h"
#include "programs/base/seconds.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#define LETTERS 26
#define CODES   (LETTERS * LETTERS)

static _Atomic int64_t begun_ns[CODES]; /* 0 = it is not under way */

void flags2_status_moved(country_code code, bool begun) {
    const int place = (code.text[0] - 'A') * LETTERS + code.text[1] - 'A';
    atomic_store_explicit(&begun_ns[place], begun ? plat_now_ns() : 0, memory_order_relaxed);
}

typedef struct under_way {
    int64_t begun_ns;
    int place;
} under_way;

static int compare(const void *left, const void *right) {
    const under_way *a = left, *b = right;
    return (a->begun_ns > b->begun_ns) - (a->begun_ns < b->begun_ns);
}

static size_t list(under_way *found) {
    size_t count = 0;
    for (int place = 0; place < CODES; place++) {
        const int64_t since_ns = atomic_load_explicit(&begun_ns[place], memory_order_relaxed);
        if (since_ns != 0) {
            found[count++] = (under_way){since_ns, place};
        }
    }
    qsort(found, count, sizeof *found, compare);
    return count;
}

void flags2_status_print(size_t done, size_t count, unsigned connections) {
    activity_page page;
    under_way found[CODES];
    const size_t now = list(found);
    const size_t left = count > done + now ? count - done - now : 0;
    const int64_t now_ns = plat_now_ns();
    activity_page_begin(&page);
    activity_page_add(&page, "%zu of %zu flags done, %zu under way, %zu wait; %u connection%s",
                      done, count, now, left, connections, connections == 1 ? "" : "s");
    size_t i = 0;
    for (; i < now && (page.lines + 1 < page.most || i + 1 == now); i++) {
        const int64_t for_ns = now_ns - found[i].begun_ns;
        activity_page_add(&page, "%c%c for %.3f s", 'A' + found[i].place / LETTERS,
                          'A' + found[i].place % LETTERS, seconds(for_ns > 0 ? for_ns : 0));
    }
    if (i < now) {
        activity_page_add(&page, "%zu more", now - i);
    }
    activity_page_show(&page);
}
