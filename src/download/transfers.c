/* A transfer is idle, waiting for its turn to begin an attempt, running (its easy handle is in the multi
 * handle), pausing before another attempt, or done and not yet handed out. Whenever libcurl has nothing to
 * do, the stop event is checked, and the time limits that libcurl does not have.
 *
 * A single transfer, too, is driven by a multi handle, where curl_easy_perform would do: that
 * looks at the clock only once a second. Here silence is noticed to the millisecond, and a stop
 * at once. */
#include "download/transfers.h"

#include "download/opening.h"
#include "download/site.h"
#include "download/transfer.h"
#include "platform/clock.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct member {
    transfer transfer;
    enum {
        IDLE,
        WAITING,
        RUNNING,
        PAUSING,
        DONE
    } state;
    bool was_refused;    /* no kept connection serves it */
    bool has_number;     /* transfer.connection is its own */
    int64_t look_ns;     /* when to look at its opening, while it has one */
    struct member *next; /* of the idle, the waiting or the done ones */
} member;

typedef struct member_queue {
    member *first, **end;
} member_queue;

/* Whether requests share a connection (HTTP/2). The TLS handshake tells both ends, but libcurl does not tell us: so
 * one transfer after the first tries it. On plain HTTP they never do. */
typedef enum sharing {
    SHARING_NEVER,
    SHARING_UNKNOWN, /* no connection yet */
    SHARING_TRIED,   /* by the second transfer */
    SHARING,
} sharing;

_Static_assert(offsetof(member, transfer) == 0, "a handle's private pointer is either's");

struct transfers {
    const download_settings *settings;
    CURLM *multi;
    member *all;
    unsigned count;
    unsigned under_way; /* waiting, running or pausing */
    unsigned running;
    bool *numbers; /* of connections: those that are taken */
    member *idle;
    member_queue waiting;
    bool wants_place;  /* in the window, for the first of them */
    member_queue done; /* in the order in which they were */
    openings openings;
    sharing sharing;
    unsigned fits;        /* SHARING: so many at once had room on the connections that there are */
    const member *trying; /* SHARING_TRIED: it tells */
};

/* ---- queues ---------------------------------------------------------------------------------- */

static void queue_init(member_queue *queue) {
    queue->first = NULL;
    queue->end = &queue->first;
}

static void queue_append(member_queue *queue, member *one) {
    one->next = NULL;
    *queue->end = one;
    queue->end = &one->next;
}

static member *queue_take(member_queue *queue) {
    member *one = queue->first;
    queue->first = one->next;
    if (one->next == NULL) {
        queue->end = &queue->first;
    }
    return one;
}

/* ---- making ---------------------------------------------------------------------------------- */

/* By itself libcurl keeps four connections for each handle that is in the multi handle at the time: few, when most
 * of them wait for their turn. */
static CURLM *make_multi(unsigned most) {
    CURLM *multi = curl_multi_init();
    const long kept = most < INT_MAX / 4 ? 4 * (long)most : INT_MAX;
    if (multi != NULL && curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, kept) != CURLM_OK) {
        curl_multi_cleanup(multi);
        return NULL;
    }
    return multi;
}

transfers *transfers_create(const download_settings *settings, unsigned most) {
    transfers *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    t->settings = settings;
    t->openings = (openings){.window = settings->window, .timeout_ns = settings->timeout_ns};
    t->sharing = site_is_https(settings->site) ? SHARING_UNKNOWN : SHARING_NEVER;
    queue_init(&t->waiting);
    queue_init(&t->done);
    t->multi = make_multi(most);
    t->all = calloc(most, sizeof *t->all);
    t->numbers = calloc(most, sizeof *t->numbers);
    while (t->all != NULL && t->numbers != NULL && t->count < most &&
           transfer_create(&t->all[t->count].transfer, settings, &t->openings)) {
        member *one = &t->all[t->count++];
        one->next = t->idle;
        t->idle = one;
    }
    if (t->multi == NULL || t->count < most) {
        transfers_destroy(t);
        return NULL;
    }
    return t;
}

void transfers_destroy(transfers *t) {
    if (t == NULL) {
        return;
    }
    for (unsigned i = 0; i < t->count; i++) {
        if (t->all[i].state == RUNNING) {
            curl_multi_remove_handle(t->multi, t->all[i].transfer.easy);
        }
        opening_end(&t->all[i].transfer.opening);
        transfer_destroy(&t->all[i].transfer);
    }
    curl_multi_cleanup(t->multi);
    free(t->all);
    free(t->numbers);
    free(t);
}

/* ---- numbers of connections ------------------------------------------------------------------- */

/* An attempt keeps its number when it asks again, so that what has one number never overlaps. There is one for each
 * member. */
static void take_number(transfers *t, member *one) {
    if (!one->has_number) {
        const bool *lowest = memchr(t->numbers, false, t->count);
        one->transfer.connection = (unsigned)(lowest - t->numbers);
        one->has_number = t->numbers[one->transfer.connection] = true;
    }
}

static void give_back_number(transfers *t, member *one) {
    if (one->has_number) {
        one->has_number = t->numbers[one->transfer.connection] = false;
    }
}

/* ---- from one state to the next -------------------------------------------------------------- */

static void set_done(transfers *t, member *one) {
    one->state = DONE;
    queue_append(&t->done, one);
}

static void settle(transfers *t, member *one, download_status status, const char *message) {
    transfer_settle(&one->transfer, status, message);
    give_back_number(t, one);
    set_done(t, one);
}

static void tell_moved(const transfers *t, country_code code, bool begun) {
    if (t->settings->moved != NULL) {
        t->settings->moved(code, begun);
    }
}

void transfers_begin(transfers *t, country_code code) {
    member *one = t->idle;
    tell_moved(t, code, true);
    t->idle = one->next;
    transfer_begin(&one->transfer, code);
    one->was_refused = false;
    if (download_stop_requested(t->settings->stop)) {
        settle(t, one, DOWNLOAD_LEFT, NULL);
    } else if (t->settings->skip_existing && download_folder_has(t->settings->folder, code)) {
        settle(t, one, DOWNLOAD_EXISTING, NULL);
    } else {
        one->state = WAITING;
        queue_append(&t->waiting, one);
        t->under_way++;
    }
}

/* Out of the multi handle, which may close its connection. */
static void stop_running(transfers *t, member *one) {
    curl_multi_remove_handle(t->multi, one->transfer.easy);
    one->state = IDLE;
    t->running--;
}

/* Before it has ended by itself. */
static void break_off(transfers *t, member *one) {
    opening_cut(&one->transfer.opening);
    stop_running(t, one);
}

/* Its attempt has ended. */
static void after_attempt(transfers *t, member *one, bool again) {
    if (one->transfer.opening.refused) {
        one->was_refused = true;
        if (t->running > 0 && t->fits >= t->running) {
            t->fits = t->running - 1; /* one of them opens a connection */
        }
    }
    if (one->transfer.attempt_ns == 0) {
        give_back_number(t, one);
    }
    if (again) {
        one->state = PAUSING;
    } else {
        t->under_way--;
        set_done(t, one);
    }
}

/* ---- attempts: whose turn it is ---------------------------------------------------------------- */

static void start_attempt(transfers *t, member *one) {
    const char *problem = NULL;
    take_number(t, one);
    if (!transfer_begin_attempt(&one->transfer)) {
        problem = "out of memory";
    } else {
        const CURLMcode added = curl_multi_add_handle(t->multi, one->transfer.easy);
        problem = added == CURLM_OK ? NULL : curl_multi_strerror(added);
    }
    if (problem != NULL) {
        t->under_way--;
        settle(t, one, DOWNLOAD_ERROR, problem);
        return;
    }
    one->state = RUNNING;
    one->look_ns = INT64_MAX;
    t->running++;
}

static void start_next(transfers *t) {
    start_attempt(t, queue_take(&t->waiting));
}

static bool has_place(transfers *t) {
    t->wants_place = !opening_take_place(&t->waiting.first->transfer.opening);
    return !t->wants_place;
}

/* Each on a connection of its own, which was kept or is to be opened. */
static void start_separately(transfers *t) {
    while (t->waiting.first != NULL) {
        const bool may_be_kept =
            t->openings.connections > t->running && !t->waiting.first->was_refused;
        if (!may_be_kept && !has_place(t)) {
            return;
        }
        start_next(t);
    }
}

static bool is_connected(const member *one) {
    return one->state == RUNNING && one->transfer.answer.heard_ns > 0;
}

static bool any_is_connected(const transfers *t) {
    for (unsigned i = 0; i < t->count; i++) {
        if (is_connected(&t->all[i])) {
            return true;
        }
    }
    return false;
}

/* One alone, and when it is connected, another one that tries to share its connection. */
static void start_to_learn(transfers *t) {
    if (t->waiting.first == NULL || !(t->running == 0 || any_is_connected(t)) || !has_place(t)) {
        return;
    }
    if (t->running > 0) {
        t->sharing = SHARING_TRIED;
        t->trying = t->waiting.first;
    }
    start_next(t);
}

/* What the other one's attempt tells, as soon as it does. */
static void learn(transfers *t) {
    const member *one = t->trying;
    if (one->state != RUNNING) {
        t->sharing = SHARING_UNKNOWN;
    } else if (one->transfer.opening.opened) {
        t->sharing = SHARING_NEVER;
    } else if (is_connected(one)) {
        t->sharing = SHARING;
        t->fits = t->running;
    }
    t->openings.one_at_a_time = t->sharing == SHARING;
}

/* A server takes so many requests on a connection and no more, which libcurl knows and does not tell: it opens another
 * connection for each that is beyond. So somewhat more are started than are known to fit. One of them may
 * open a connection, the others are refused and wait for it. */
static void start_sharing(transfers *t) {
    unsigned most = t->fits + 1;
    if (t->openings.unready == 0) {
        t->fits = t->running > t->fits ? t->running : t->fits;
        most = t->fits + 1 + t->fits / 4;
    }
    while (t->waiting.first != NULL && t->running < most) {
        start_next(t);
    }
}

/* True if libcurl has something new to do. */
static bool start_waiting(transfers *t) {
    const member *first = t->waiting.first;
    t->wants_place = false;
    if (t->sharing == SHARING_TRIED) {
        learn(t);
    }
    switch (t->sharing) {
    case SHARING_NEVER:
        start_separately(t);
        break;
    case SHARING_UNKNOWN:
        start_to_learn(t);
        break;
    case SHARING_TRIED:
        break;
    case SHARING:
        start_sharing(t);
        break;
    }
    return t->waiting.first != first;
}

/* ---- looking at those under way -------------------------------------------------------------- */

static bool is_opening(const member *one) {
    return one->state == RUNNING && one->transfer.opening.fd >= 0;
}

/* When to look at it again, if libcurl has not finished it by then. */
static int64_t due_ns(const member *one) {
    if (one->state == PAUSING) {
        return one->transfer.retry_ns;
    }
    if (one->state != RUNNING) {
        return INT64_MAX;
    }
    const int64_t end_ns = transfer_due_ns(&one->transfer);
    return is_opening(one) && one->look_ns < end_ns ? one->look_ns : end_ns;
}

static int64_t first_due_ns(const transfers *t) {
    int64_t first_ns = INT64_MAX;
    for (unsigned i = 0; i < t->count; i++) {
        const int64_t due = due_ns(&t->all[i]);
        first_ns = due < first_ns ? due : first_ns;
    }
    return first_ns;
}

static void look_at_libcurl(transfers *t) {
    int count;
    curl_multi_perform(t->multi, &count);
    const CURLMsg *message;
    while ((message = curl_multi_info_read(t->multi, &count)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            const CURLcode code =
                message->data.result; /* the message ends with the handle's removal */
            member *one;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&one);
            stop_running(t, one);
            const bool again = transfer_end_attempt(&one->transfer, code);
            if (!again && code != CURLE_OK && one->transfer.answer.heard_ns == 0) {
                /* It is not connected, and may be so for each of the others, one after the other. */
                t->sharing = SHARING_NEVER;
                t->openings.one_at_a_time = false;
            }
            after_attempt(t, one, again);
        }
    }
}

/* Silence counts from the acknowledgment on. */
static void look_at_opening(transfers *t, member *one, int64_t now_ns) {
    answer *a = &one->transfer.answer;
    switch (opening_look(&one->transfer.opening, now_ns, &one->look_ns)) {
    case OPENING_NONE:
        a->heard_ns = a->heard_ns > 0 ? now_ns : 0;
        break;
    case OPENING_WAITS:
        break;
    case OPENING_DROPPED:
        break_off(t, one);
        after_attempt(t, one, transfer_end_dropped(&one->transfer));
        break;
    }
}

static void look_at_clock(transfers *t) {
    const int64_t now_ns = plat_now_ns();
    for (unsigned i = 0; i < t->count; i++) {
        member *one = &t->all[i];
        if (is_opening(one)) {
            look_at_opening(t, one, now_ns);
        }
        if (one->state == RUNNING && transfer_due_ns(&one->transfer) <= now_ns) {
            break_off(t, one);
            after_attempt(t, one, transfer_end_late(&one->transfer));
        }
        if (one->state == PAUSING && one->transfer.retry_ns <= now_ns) {
            one->state = WAITING;
            queue_append(&t->waiting, one);
        }
    }
}

static void break_off_all(transfers *t) {
    queue_init(&t->waiting);
    for (unsigned i = 0; i < t->count; i++) {
        member *one = &t->all[i];
        const bool is_under_way =
            one->state == WAITING || one->state == RUNNING || one->state == PAUSING;
        if (one->state == RUNNING) {
            break_off(t, one);
        }
        if (is_under_way) {
            t->under_way--;
            settle(t, one, DOWNLOAD_LEFT, NULL);
        }
    }
}

/* ---- waiting --------------------------------------------------------------------------------- */

static int timeout_ms(const transfers *t) {
    const int64_t left_ns = first_due_ns(t) - plat_now_ns();
    if (left_ns <= 0) {
        return 0;
    }
    if (t->wants_place && left_ns > CONNECT_WINDOW_LOOK_MS * INT64_C(1000000)) {
        return CONNECT_WINDOW_LOOK_MS;
    }
    return left_ns / 1000000 >= INT32_MAX ? INT32_MAX : (int)(left_ns / 1000000) + 1;
}

/* Until something comes, or is due, or there may be a place, or the word to stop; for that it returns true. */
static bool wait(transfers *t) {
    struct curl_waitfd stop = {.fd = t->settings->stop->fd, .events = CURL_WAIT_POLLIN};
    if (curl_multi_poll(t->multi, &stop, 1, timeout_ms(t), NULL) != CURLM_OK) {
        return download_stop_requested(t->settings->stop);
    }
    return stop.revents != 0;
}

bool transfers_next(transfers *t, download_result *result) {
    while (t->done.first == NULL && t->under_way > 0) {
        look_at_libcurl(t);
        look_at_clock(t);
        if (!start_waiting(t) && t->done.first == NULL && wait(t)) {
            break_off_all(t);
        }
    }
    if (t->done.first == NULL) {
        return false;
    }
    member *one = queue_take(&t->done);
    *result = one->transfer.result;
    tell_moved(t, result->code, false);
    one->state = IDLE;
    one->next = t->idle;
    t->idle = one;
    return true;
}
