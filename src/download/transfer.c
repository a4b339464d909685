#define _GNU_SOURCE /* asprintf */
#include "download/transfer.h"

#include "download/gif.h"
#include "download/http_phrase.h"
#include "download/retry.h"
#include "platform/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REDIRECTS_MAX 20L
#define BUFFER_BYTES                                                                               \
    65536L /* a flag in one read; libcurl's own 16 KiB take a third more reads and polls */

/* ---- what libcurl calls while the answer comes ----------------------------------------------- */

static int on_connected(void *user, char *peer, char *local, int peer_port, int local_port) {
    (void)peer, (void)local, (void)peer_port, (void)local_port;
    transfer *t = user;
    t->heard_ns = cfi_now_ns();
    return CURL_PREREQFUNC_OK;
}

/* Makes libcurl end the transfer with CURLE_WRITE_ERROR. */
static size_t refuse(transfer *t, const char *format, size_t limit) {
    snprintf(t->our_text, sizeof t->our_text, format, limit);
    t->our_error = t->our_text;
    return 0;
}

/* "HTTP/1.1 404 Not Found\r\n"; a server may send anything, and a terminal shows it. */
static void keep_phrase(transfer *t, const char *line, size_t length) {
    size_t at = 0;
    for (int word = 0; word < 2; word++) {
        while (at < length && line[at] != ' ') {
            at++;
        }
        while (at < length && line[at] == ' ') {
            at++;
        }
    }
    size_t kept = 0;
    while (at < length && line[at] != '\r' && line[at] != '\n' && kept + 1 < sizeof t->phrase) {
        t->phrase[kept++] = line[at] >= ' ' && line[at] <= '~' ? line[at] : '?';
        at++;
    }
    t->phrase[kept] = '\0';
}

static size_t on_header(char *line, size_t one, size_t length, void *user) {
    (void)one;
    transfer *t = user;
    t->heard_ns = cfi_now_ns();
    t->headers += length;
    if (t->headers > HEADERS_MAX) {
        return refuse(t, "more than %zu bytes of headers", HEADERS_MAX);
    }
    if (length > 5 && memcmp(line, "HTTP/", 5) == 0) {
        keep_phrase(t, line, length);
    }
    return length;
}

static bool make_room(transfer *t, size_t size) {
    if (size <= t->room) {
        return true;
    }
    size_t room = t->room == 0 ? (size_t)64 << 10 : t->room;
    while (room < size) {
        room *= 2;
    }
    char *body = realloc(t->body, room);
    if (body == NULL) {
        return false;
    }
    t->body = body;
    t->room = room;
    return true;
}

static size_t on_body(char *data, size_t one, size_t length, void *user) {
    (void)one;
    transfer *t = user;
    t->heard_ns = cfi_now_ns();
    if (length > t->settings->size_limit - t->size) {
        return refuse(t, "larger than %zu bytes", t->settings->size_limit);
    }
    if (!make_room(t, t->size + length)) {
        t->our_error = "out of memory";
        return 0;
    }
    memcpy(t->body + t->size, data, length);
    t->size += length;
    return length;
}

/* ---- the handle ------------------------------------------------------------------------------ */

static long milliseconds(int64_t ns) {
    const int64_t ms = (ns + 999999) / 1000000;
    return ms > INT32_MAX ? INT32_MAX : (long)ms;
}

/* Nothing but http and https, at first and after redirects. */
static void allow_protocols(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075500 /* 7.85.0 */
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/* Which a TLS handshake settles; without one it would take a whole answer to know that it is not. */
static bool may_be_http2(const char *site) {
    return strncasecmp(site, "https:", 6) == 0;
}

static bool set_options(transfer *t) {
    const download_settings *settings = t->settings;
    CURL *easy = t->easy;
    allow_protocols(easy);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(settings->timeout_ns));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, milliseconds(settings->deadline_ns));
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->curl_error);
    if (may_be_http2(settings->site)) {
        /* One connection can carry many requests: wait until it is known whether it does. */
        curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    }
    return curl_easy_setopt(easy, CURLOPT_USERAGENT, PRIMEPOOL_USER_AGENT) == CURLE_OK &&
           (settings->ca_file == NULL ||
            curl_easy_setopt(easy, CURLOPT_CAINFO, settings->ca_file) == CURLE_OK);
}

bool transfer_create(transfer *t, const download_settings *settings) {
    *t = (transfer){.settings = settings, .easy = curl_easy_init()};
    if (t->easy == NULL || !set_options(t)) {
        transfer_destroy(t);
        return false;
    }
    return true;
}

void transfer_destroy(transfer *t) {
    curl_easy_cleanup(t->easy);
    free(t->body);
}

/* ---- beginning ------------------------------------------------------------------------------- */

void transfer_begin(transfer *t, country_code code) {
    t->result = (download_result){.code = code};
    t->begun_ns = cfi_now_ns();
}

static bool set_url(transfer *t) {
    const char *code = t->result.code.text;
    const char lower[] = {(char)(code[0] - 'A' + 'a'), (char)(code[1] - 'A' + 'a'), '\0'};
    char *url;
    if (asprintf(&url, "%s/%s/%s.gif", t->settings->site, lower, lower) < 0) {
        return false;
    }
    const CURLcode set = curl_easy_setopt(t->easy, CURLOPT_URL, url); /* copies it */
    free(url);
    return set == CURLE_OK;
}

bool transfer_begin_attempt(transfer *t) {
    t->result.attempts++;
    t->result.http_status = 0;
    t->heard_ns = 0;
    t->size = 0;
    t->headers = 0;
    t->phrase[0] = '\0';
    t->our_error = NULL;
    t->curl_error[0] = '\0';
    return set_url(t);
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

/* What libcurl could not do. */
static void judge_failure(transfer *t, CURLcode code) {
    if (t->our_error != NULL) {
        set_error(t, "%s", t->our_error);
    } else if (t->curl_error[0] != '\0') {
        set_error(t, "%s", t->curl_error);
    } else {
        set_error(t, "%s", curl_easy_strerror(code));
    }
}

static void judge_status(transfer *t) {
    const long status = t->result.http_status;
    if (status == 404 && !t->settings->ends_with_error) {
        t->result.status = DOWNLOAD_NOT_FOUND;
        return;
    }
    const bool says_nothing = t->phrase[0] == '\0' || strcmp(t->phrase, "Unknown") == 0;
    const char *phrase = says_nothing ? http_phrase(status) : t->phrase;
    if (phrase == NULL) {
        set_error(t, "HTTP error %ld", status);
    } else {
        set_error(t, "HTTP error %ld - %s", status, phrase);
    }
}

static void judge_body(transfer *t) {
    const char *fault = gif_fault(t->body, t->size);
    if (fault != NULL) {
        set_error(t, "%s", fault);
        return;
    }
    const download_folder *folder = t->settings->folder;
    const int problem =
        download_folder_save(folder, t->result.code, t->body, t->size, t->settings->sync);
    if (problem != 0) {
        set_error(t, "%s/%s.gif: %s", folder->path, t->result.code.text, strerror(problem));
        return;
    }
    t->result.status = DOWNLOAD_OK;
    t->result.size = t->size;
}

/* The last thing that happens to a download. */
static void settle(transfer *t) {
    download_result *result = &t->result;
    result->elapsed_ns = cfi_now_ns() - t->begun_ns;
    if (result->status == DOWNLOAD_OK && t->settings->saved != NULL) {
        result->output_error = t->settings->saved(result->code);
        if (result->output_error != 0) {
            set_error(t, "standard output: %s", strerror(result->output_error));
        }
    }
    if (result->status == DOWNLOAD_ERROR && t->settings->ends_with_error) {
        download_stop_request(t->settings->stop);
    }
}

void transfer_settle(transfer *t, download_status status, const char *message) {
    t->result.status = status;
    if (message != NULL) {
        set_error(t, "%s", message);
    }
    settle(t);
}

/* True if it is to be tried again, at retry_ns. */
static bool put_off(transfer *t, CURLcode code) {
    if (t->result.attempts > t->settings->retries ||
        !retry_is_worthwhile(code, t->result.http_status)) {
        return false;
    }
    curl_off_t advice = 0;
    if (code == CURLE_OK) {
        curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &advice);
    }
    t->retry_ns =
        cfi_now_ns() + retry_pause_ns(t->result.attempts, advice, t->settings->deadline_ns);
    return true;
}

bool transfer_end_attempt(transfer *t, CURLcode code) {
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->result.http_status);
    if (code != CURLE_OK) {
        judge_failure(t, code);
    } else if (t->result.http_status / 100 == 2) {
        judge_body(t);
    } else {
        judge_status(t);
    }
    if (t->result.status == DOWNLOAD_ERROR && put_off(t, code)) {
        return true;
    }
    settle(t);
    return false;
}

bool transfer_end_silent(transfer *t) {
    snprintf(t->our_text, sizeof t->our_text, "nothing received for %g seconds",
             (double)t->settings->timeout_ns / 1e9);
    t->our_error = t->our_text;
    return transfer_end_attempt(t, CURLE_OPERATION_TIMEDOUT);
}
