#define _GNU_SOURCE /* asprintf */
#include "download/transfer.h"

#include "download/downgrade.h"
#include "download/gif.h"
#include "download/http_phrase.h"
#include "download/late_server.h"
#include "download/retry.h"
#include "download/settle.h"
#include "platform/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REDIRECTS_MAX    20L
#define SHARED_AGAIN_MAX 2
#define UNSENT_MAX       3

/* A transfer whose connection the server has dropped waits so long before it takes a place in the window again. Meanwhile
 * another transfer finds the place. Otherwise two transfers would have the only places until their time is over. */
#define DROPPED_PAUSE_NS (CONNECT_WINDOW_LOOK_MS * INT64_C(1000000))
#define BUFFER_BYTES                                                                               \
    65536L /* a flag in one read; libcurl's own 16 KiB take a third more reads and polls */

/* ---- the handle ------------------------------------------------------------------------------ */

static long milliseconds(int64_t ns) {
    const int64_t ms = (ns + 999999) / 1000000;
    return ms > INT32_MAX ? INT32_MAX : (long)ms;
}

/* Nothing but http and https, at first and after redirects. False if libcurl does not know both. */
static bool allow_protocols(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075500 /* 7.85.0 */
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https") == CURLE_OK;
#else
    const long protocols = CURLPROTO_HTTP | CURLPROTO_HTTPS;
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS, protocols) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS, protocols) == CURLE_OK;
#endif
}

/* Before each request, those after redirects too. */
static int on_connected(void *user, char *peer, char *local, int peer_port, int local_port) {
    (void)peer, (void)local, (void)peer_port, (void)local_port;
    transfer *t = user;
    opening_connected(&t->opening);
    t->answer.heard_ns = plat_now_ns();
    if (!t->settings->allow_downgrade && downgrade_forbid(t->easy)) {
        t->only_https = true;
    }
    return CURL_PREREQFUNC_OK;
}

/* What is left of `most_ns` that began at `from_ns`. libcurl takes 0 for a limit of its own. */
static long rest(int64_t most_ns, int64_t from_ns) {
    const int64_t ns = from_ns + most_ns - plat_now_ns();
    return milliseconds(ns > 0 ? ns : 1);
}

static bool set_options(transfer *t) {
    const download_settings *settings = t->settings;
    CURL *easy = t->easy;
    answer_attach(&t->answer, easy, settings->size_limit);
    opening_attach(&t->opening, easy);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, rest(settings->timeout_ns, t->connect_ns));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, rest(settings->deadline_ns, t->attempt_ns));
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->curl_error);
#if LIBCURL_VERSION_NUM >= 0x075700 /* 7.87.0 */
    /* What is broken off waits no more for a name: libcurl would join the thread that looks it up. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, t->fresh ? 1L : 0L);
    return allow_protocols(easy) &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, PRIMEPOOL_USER_AGENT) == CURLE_OK &&
           trust_store_apply(settings->trust, easy);
}

bool transfer_create(transfer *t, const download_settings *settings, openings *all) {
    *t = (transfer){.settings = settings, .easy = curl_easy_init()};
    opening_init(&t->opening, all, &t->answer);
    return t->easy != NULL;
}

void transfer_destroy(transfer *t) {
    curl_easy_cleanup(t->easy);
    answer_free(&t->answer);
}

/* ---- beginning ------------------------------------------------------------------------------- */

void transfer_begin(transfer *t, country_code code) {
    t->result = (download_result){.code = code};
    t->fresh = t->again = false;
    t->shared_again = 0;
    t->unsent = 0;
    t->attempt_ns = 0;
    t->opening.dropped = 0;
    t->begun_ns = plat_now_ns();
}

static bool set_url(transfer *t) {
    const country_code lower = country_code_lower(t->result.code);
    char *url;
    if (asprintf(&url, "%s/%s/%s.gif", t->settings->site, lower.text, lower.text) < 0) {
        return false;
    }
    const CURLcode set = curl_easy_setopt(t->easy, CURLOPT_URL, url); /* copies it */
    free(url);
    return set == CURLE_OK;
}

/* Reset, the handle forgets how often libcurl has tried by itself to send on connections that were closed
 * meanwhile, which it counts for a handle's whole life. Its connections are the multi handle's. */
bool transfer_begin_attempt(transfer *t) {
    if (!t->again) {
        t->result.attempts++;
    }
    if (t->attempt_ns == 0) {
        t->attempt_ns = t->connect_ns = plat_now_ns();
    }
    if (t->result.attempts == 1 && !t->again) {
        t->begun_ns = t->attempt_ns;
    }
    t->again = false;
    opening_begin(&t->opening);
    t->result.http_status = 0;
    t->only_https = false;
    t->curl_error[0] = '\0';
    answer_begin(&t->answer);
    curl_easy_reset(t->easy);
    return set_options(t) && set_url(t);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void set_error(transfer *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void set_error(transfer *t, const char *format, ...) {
    va_list values;
    va_start(values, format);
    t->result.status = DOWNLOAD_ERROR;
    vsnprintf(t->result.message, sizeof t->result.message, format, values);
    va_end(values);
}

/* What a server says of itself, its certificate's name say, may be in libcurl's words. */
static void make_printable(char *text) {
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~') {
            *text = '?';
        }
    }
}

/* What came is no answer that could be judged. */
static void judge_failure(transfer *t, CURLcode code) {
    const char *bad_file =
        code == CURLE_SSL_CACERT_BADFILE ? trust_store_bad_file(t->settings->trust) : NULL;
    if (bad_file != NULL) {
        set_error(t, "error setting certificate file: %s", bad_file);
    } else if (t->answer.refusal[0] != '\0') {
        set_error(t, "%s", t->answer.refusal);
    } else if (t->curl_error[0] != '\0') {
        make_printable(t->curl_error);
        set_error(t, "%s", t->curl_error);
    } else {
        set_error(t, "%s", curl_easy_strerror(code));
    }
}

/* The second and third are what servers by libmicrohttpd send for a status without words of its own. */
static bool says_nothing(const char *phrase) {
    return phrase[0] == '\0' || strcmp(phrase, "Unknown") == 0 ||
           strcmp(phrase, "Non-Standard Status") == 0;
}

static void judge_status(transfer *t) {
    const long status = t->result.http_status;
    if (status == 404 && !t->settings->ends_with_error) {
        t->result.status = DOWNLOAD_NOT_FOUND;
        return;
    }
    const char *phrase = t->answer.phrase;
    if (says_nothing(phrase)) {
        phrase = http_phrase(status);
    }
    if (phrase == NULL) {
        set_error(t, "HTTP error %ld", status);
    } else {
        set_error(t, "HTTP error %ld - %s", status, phrase);
    }
}

/* A body is written only when it is whole and checked. So a body that is not a GIF never
 * touches the folder, and a temporary file exists for microseconds. */
static void judge_body(transfer *t) {
    const answer *a = &t->answer;
    const char *fault = gif_fault(a->body, a->size);
    if (fault != NULL) {
        set_error(t, "%s", fault);
        return;
    }
    const download_folder *folder = t->settings->folder;
    const int problem =
        download_folder_save(folder, t->result.code, a->body, a->size, t->settings->sync);
    if (problem != 0) {
        set_error(t, "%.300s/%s.gif: %s", folder->path, t->result.code.text, strerror(problem));
        return;
    }
    t->result.status = DOWNLOAD_OK;
    t->result.size = a->size;
}

/* The attempt that is under way, if one is, has ended. */
static void end_attempt(transfer *t, CURLcode code) {
    download_result *result = &t->result;
    if (t->attempt_ns == 0) {
        return;
    }
    if (result->kept < DOWNLOAD_ATTEMPTS_KEPT) {
        result->kept++;
    }
    result->attempt[result->kept - 1] = (download_attempt){
        .begun_ns = t->attempt_ns,
        .first_byte_ns = t->answer.first_ns,
        .ended_ns = plat_now_ns(),
        .number = result->attempts,
        .worker = t->connection,
        .http_status = (int32_t)result->http_status,
        .curl_code = (int32_t)code,
    };
    t->attempt_ns = 0;
}

/* The last thing that happens to a download. */
static void settle(transfer *t) {
    opening_end(&t->opening);
    t->result.elapsed_ns = plat_now_ns() - t->begun_ns;
    download_settle(t->settings, &t->result);
}

void transfer_settle(transfer *t, download_status status, const char *message) {
    t->result.status = status;
    if (message != NULL) {
        set_error(t, "%s", message);
    }
    end_attempt(t, CURLE_ABORTED_BY_CALLBACK);
    settle(t);
}

/* True if it is to be tried again, at retry_ns. */
static bool put_off(transfer *t, CURLcode code) {
    if (t->result.attempts > t->settings->retries ||
        !retry_is_worthwhile(code, t->result.http_status)) {
        return false;
    }
    const int64_t advice_s = code == CURLE_OK ? t->answer.advice_s : ANSWER_NO_ADVICE;
    t->retry_ns =
        plat_now_ns() + retry_pause_ns(t->result.attempts, advice_s, t->settings->deadline_ns);
    return true;
}

/* Where libcurl's code does not say what happened. */
static CURLcode actual_code(transfer *t, CURLcode code) {
    const answer *a = &t->answer;
    if (a->headers_end && t->result.http_status >= 400) {
        return CURLE_OK; /* whatever became of a body that nobody wants */
    }
    if (code == CURLE_OK && !a->headers_end) {
        answer_refuse(&t->answer, "connection closed in the middle of the headers");
        return CURLE_GOT_NOTHING;
    }
    if (t->only_https && downgrade_was_refused(t->easy, code)) {
        answer_refuse(&t->answer, "https leads to http, for which there is --allow-downgrade");
    }
    if (code == CURLE_OUT_OF_MEMORY && !a->headers_end) {
        /* what libcurl 7 says of a line of more than 100 KiB */
        answer_refuse(&t->answer, "more than %zu bytes of headers", ANSWER_HEADERS_MAX);
    }
    return code;
}

/* What libcurl says of a connection that ends before an answer. */
static bool has_ended(CURLcode code) {
    return code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
           code == CURLE_GOT_NOTHING || code == CURLE_HTTP2_STREAM || code == CURLE_HTTP2;
}

/* The connection ended before the server looked at the request:
 *   - a kept connection, which the server closed as the request was on its way;
 *   - the same after a 408: the server says that it will wait no longer, and does not answer the request;
 *   - a new HTTP/2 connection whose server says GOAWAY, to libcurl CURLE_HTTP2. */
static bool was_too_late(const transfer *t, CURLcode code) {
    long made = 0, status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &made);
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (made == 0 && status == 408) {
        return true;
    }
    return t->answer.headers == 0 && (made == 0 || code == CURLE_HTTP2) && has_ended(code);
}

/* The connection is shared, also one that this transfer has opened, and it ended before the request could be sent: others had
 * sent theirs. A server that ends each connection at once shall not be asked without end. */
static bool was_not_sent(transfer *t, CURLcode code) {
    if (code != CURLE_SEND_ERROR || t->answer.headers > 0 || !t->opening.all->one_at_a_time ||
        t->unsent == UNSENT_MAX) {
        return false;
    }
    t->unsent++;
    return true;
}

/* libcurl may have kept other connections that are closed by now, so it is to open a new one. With HTTP/2 they are few, and
 * many requests that were on one would each open another one: so they share again at first. */
static bool may_ask_elsewhere(transfer *t) {
    if (t->fresh) {
        return false;
    }
    t->fresh = !t->opening.all->one_at_a_time || t->shared_again == SHARED_AGAIN_MAX;
    t->shared_again++;
    return true;
}

/* The server has dropped its connection, and nothing was heard on it. */
static bool was_dropped(transfer *t) {
    if (!t->opening.was_dropped || t->answer.headers > 0) {
        return false;
    }
    t->opening.dropped++;
    const int64_t now_ns = plat_now_ns();
    if (t->opening.was_connected) {
        t->connect_ns = now_ns;
    }
    return now_ns < t->attempt_ns + t->settings->deadline_ns &&
           now_ns < t->connect_ns + t->settings->timeout_ns;
}

/* True if the server did not get the request, or did not look at it. Then the transfer may send it again at once, and the
 * attempt goes on. */
static bool did_not_arrive(transfer *t, CURLcode code) {
    if (t->opening.refused) {
        t->attempt_ns = t->opening.dropped == 0 ? 0 : t->attempt_ns;
        return true;
    }
    if (code != CURLE_OK && was_dropped(t)) {
        t->retry_ns = plat_now_ns() + DROPPED_PAUSE_NS;
        return true;
    }
    return (was_too_late(t, code) && may_ask_elsewhere(t)) || was_not_sent(t, code);
}

bool transfer_end_attempt(transfer *t, CURLcode curl_code) {
    opening_end(&t->opening);
    t->retry_ns = 0;
    t->again = did_not_arrive(t, curl_code);
    if (t->again) {
        return true;
    }
    if (late_server_may_come(t->settings, t->opening.loopback, t->easy, curl_code, &t->retry_ns)) {
        t->result.attempts--;
        t->attempt_ns = 0;
        return true;
    }
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->result.http_status);
    const CURLcode code = actual_code(t, curl_code);
    if (code != CURLE_OK) {
        judge_failure(t, code);
    } else if (t->result.http_status / 100 == 2) {
        judge_body(t);
    } else {
        judge_status(t);
    }
    end_attempt(t, code);
    if (t->result.status == DOWNLOAD_ERROR && put_off(t, code)) {
        return true;
    }
    settle(t);
    return false;
}

/* So libcurl's own words say it, if it has looked at the clock. */
#define GRACE_NS INT64_C(50000000)

/* Silence is timed here, from the moment when it is connected and the server has acknowledged that. libcurl's own
 * limit (CURLOPT_LOW_SPEED_TIME) has whole seconds and begins when the name is looked up. */
int64_t transfer_due_ns(const transfer *t) {
    const download_settings *settings = t->settings;
    const int64_t deadline_ns = t->attempt_ns + settings->deadline_ns + GRACE_NS;
    int64_t due_ns = deadline_ns;
    if (t->answer.heard_ns == 0) {
        due_ns = t->connect_ns + settings->timeout_ns + GRACE_NS;
    } else if (t->opening.fd < 0) {
        due_ns = t->answer.heard_ns + settings->timeout_ns;
    }
    return due_ns < deadline_ns ? due_ns : deadline_ns;
}

bool transfer_end_late(transfer *t) {
    if (plat_now_ns() >= t->attempt_ns + t->settings->deadline_ns) {
        answer_refuse(&t->answer, "not finished within %g seconds",
                      (double)t->settings->deadline_ns / 1e9);
    } else {
        answer_refuse(&t->answer,
                      t->answer.heard_ns > 0 ? "nothing received for %g seconds"
                                             : "not connected within %g seconds",
                      (double)t->settings->timeout_ns / 1e9);
    }
    return transfer_end_attempt(t, CURLE_OPERATION_TIMEDOUT);
}

bool transfer_end_dropped(transfer *t) {
    answer_refuse(&t->answer, "the server took no connection for %g seconds",
                  (double)t->settings->timeout_ns / 1e9);
    return transfer_end_attempt(t, CURLE_OPERATION_TIMEDOUT);
}
