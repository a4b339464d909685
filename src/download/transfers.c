/* A transfer is idle, running (its easy handle is in the multi handle), pausing before another
 * attempt, or done and not yet handed out. Whenever libcurl has nothing to do, the stop event
 * is checked, and the time limits that libcurl does not have.
 *
 * A single transfer, too, is driven by a multi handle, where curl_easy_perform would do: that
 * looks at the clock only once a second. Here silence is noticed to the millisecond, and a stop
 * at once. */
#include "download/transfers.h"

#include "download/transfer.h"
#include "platform/clock.h"

#include <stddef.h>
#include <stdlib.h>

typedef struct member {
    transfer transfer;
    enum {
        IDLE,
        RUNNING,
        PAUSING,
        DONE
    } state;
    struct member *next; /* of the idle or of the done ones */
} member;

_Static_assert(offsetof(member, transfer) == 0, "a handle's private pointer is either's");

struct transfers {
    const download_settings *settings;
    CURLM *multi;
    member *all;
    unsigned count;
    unsigned under_way; /* running or pausing */
    member *idle;
    member *done, **done_end; /* in the order in which they were */
};

/* ---- making ---------------------------------------------------------------------------------- */

transfers *transfers_create(const download_settings *settings, unsigned most) {
    transfers *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    t->settings = settings;
    t->done_end = &t->done;
    t->multi = curl_multi_init();
    t->all = calloc(most, sizeof *t->all);
    while (t->all != NULL && t->count < most &&
           transfer_create(&t->all[t->count].transfer, settings)) {
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
        transfer_destroy(&t->all[i].transfer);
    }
    curl_multi_cleanup(t->multi);
    free(t->all);
    free(t);
}

/* ---- from one state to the next -------------------------------------------------------------- */

static void set_done(transfers *t, member *one) {
    one->state = DONE;
    one->next = NULL;
    *t->done_end = one;
    t->done_end = &one->next;
}

static void settle(transfers *t, member *one, download_status status, const char *message) {
    transfer_settle(&one->transfer, status, message);
    set_done(t, one);
}

/* Not under way before. */
static void start_attempt(transfers *t, member *one) {
    if (!transfer_begin_attempt(&one->transfer)) {
        settle(t, one, DOWNLOAD_ERROR, "out of memory");
        return;
    }
    const CURLMcode added = curl_multi_add_handle(t->multi, one->transfer.easy);
    if (added != CURLM_OK) {
        settle(t, one, DOWNLOAD_ERROR, curl_multi_strerror(added));
        return;
    }
    one->state = RUNNING;
    t->under_way++;
}

void transfers_begin(transfers *t, country_code code) {
    member *one = t->idle;
    t->idle = one->next;
    transfer_begin(&one->transfer, code);
    if (download_stop_requested(t->settings->stop)) {
        settle(t, one, DOWNLOAD_LEFT, NULL);
    } else if (t->settings->skip_existing && download_folder_has(t->settings->folder, code)) {
        settle(t, one, DOWNLOAD_EXISTING, NULL);
    } else {
        start_attempt(t, one);
    }
}

/* Its attempt has ended, and the handle is no longer in the multi handle. */
static void after_attempt(transfers *t, member *one, bool again) {
    if (again) {
        one->state = PAUSING;
    } else {
        t->under_way--;
        set_done(t, one);
    }
}

/* ---- looking at those under way -------------------------------------------------------------- */

/* A connection did not come about: those that wait to share it would wait for the next to fail, and so on. */
static void share_nothing(transfers *t) {
    for (unsigned i = 0; i < t->count; i++) {
        transfer_share_nothing(&t->all[i].transfer);
    }
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
            curl_multi_remove_handle(t->multi, one->transfer.easy);
            if (code != CURLE_OK && one->transfer.answer.heard_ns == 0) {
                share_nothing(t);
            }
            after_attempt(t, one, transfer_end_attempt(&one->transfer, code));
        }
    }
}

/* When to look at it again, if libcurl has not finished it by then.
 *
 * Silence is timed here, from the moment when it is connected. libcurl's own limit
 * (CURLOPT_LOW_SPEED_TIME) has whole seconds and begins when the name is looked up. */
static int64_t due_ns(const transfers *t, const member *one) {
    if (one->state == PAUSING) {
        return one->transfer.retry_ns;
    }
    const bool connected = one->state == RUNNING && one->transfer.answer.heard_ns > 0;
    return connected ? one->transfer.answer.heard_ns + t->settings->timeout_ns : INT64_MAX;
}

static void look_at_clock(transfers *t) {
    const int64_t now_ns = plat_now_ns();
    for (unsigned i = 0; i < t->count; i++) {
        member *one = &t->all[i];
        if (due_ns(t, one) > now_ns) {
            continue;
        }
        if (one->state == PAUSING) {
            t->under_way--;
            start_attempt(t, one);
        } else {
            curl_multi_remove_handle(t->multi, one->transfer.easy);
            after_attempt(t, one, transfer_end_silent(&one->transfer));
        }
    }
}

static void break_off(transfers *t) {
    for (unsigned i = 0; i < t->count; i++) {
        member *one = &t->all[i];
        if (one->state == RUNNING) {
            curl_multi_remove_handle(t->multi, one->transfer.easy);
        }
        if (one->state == RUNNING || one->state == PAUSING) {
            t->under_way--;
            settle(t, one, DOWNLOAD_LEFT, NULL);
        }
    }
}

/* ---- waiting --------------------------------------------------------------------------------- */

static int timeout_ms(const transfers *t) {
    int64_t first_ns = INT64_MAX;
    for (unsigned i = 0; i < t->count; i++) {
        const int64_t due = due_ns(t, &t->all[i]);
        first_ns = due < first_ns ? due : first_ns;
    }
    const int64_t left_ns = first_ns - plat_now_ns();
    if (left_ns <= 0) {
        return 0;
    }
    return left_ns / 1000000 >= INT32_MAX ? INT32_MAX : (int)(left_ns / 1000000) + 1;
}

/* Until something comes, or is due, or the word to stop; for that it returns true. */
static bool wait(transfers *t) {
    struct curl_waitfd stop = {.fd = t->settings->stop->fd, .events = CURL_WAIT_POLLIN};
    if (curl_multi_poll(t->multi, &stop, 1, timeout_ms(t), NULL) != CURLM_OK) {
        return download_stop_requested(t->settings->stop);
    }
    return stop.revents != 0;
}

bool transfers_next(transfers *t, download_result *result) {
    while (t->done == NULL && t->under_way > 0) {
        look_at_libcurl(t);
        look_at_clock(t);
        if (t->done == NULL && wait(t)) {
            break_off(t);
        }
    }
    member *one = t->done;
    if (one == NULL) {
        return false;
    }
    t->done = one->next;
    if (t->done == NULL) {
        t->done_end = &t->done;
    }
    *result = one->transfer.result;
    one->state = IDLE;
    one->next = t->idle;
    t->idle = one;
    return true;
}
