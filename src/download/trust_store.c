#include "download/trust_store.h"

#include "download/openssl_store.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

struct trust_store {
    const char *ca_file;
    const char *file, *folder; /* what there is to parse, NULL = none */
    bool shared;               /* connections are given `parsed` */
    pthread_mutex_t lock;      /* of the next two until `tried`; then they stay as they are */
    bool tried;
    openssl_store *parsed; /* NULL if it failed */
};

/* ---- making ---------------------------------------------------------------------------------- */

/* By the environment, as libcurl looks there. */
static bool has_https_proxy(void) {
    static const char *const NAMES[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        const char *proxy = getenv(NAMES[i]);
        if (proxy != NULL && strncasecmp(proxy, "https:", 6) == 0) {
            return true;
        }
    }
    return false;
}

static const char *system_file(void) {
    const curl_version_info_data *libcurl = curl_version_info(CURLVERSION_NOW);
    return libcurl->age >= CURLVERSION_SEVENTH ? libcurl->cainfo : NULL;
}

static const char *system_folder(void) {
    const curl_version_info_data *libcurl = curl_version_info(CURLVERSION_NOW);
    return libcurl->age >= CURLVERSION_SEVENTH ? libcurl->capath : NULL;
}

/* libcurl calls back for servers and for proxies, and does not say for which. */
static bool can_be_shared(const trust_store *s) {
    return openssl_store_suits_libcurl() && (s->file != NULL || s->folder != NULL) &&
           (s->ca_file == NULL || !has_https_proxy());
}

trust_store *trust_store_create(const char *ca_file) {
    trust_store *s = calloc(1, sizeof *s);
    if (s != NULL) {
        s->ca_file = ca_file;
        s->file = ca_file != NULL ? ca_file : system_file();
        s->folder = ca_file != NULL ? NULL : system_folder();
        s->shared = can_be_shared(s);
        pthread_mutex_init(&s->lock, NULL);
    }
    return s;
}

void trust_store_destroy(trust_store *s) {
    if (s != NULL) {
        openssl_store_free(s->parsed);
        pthread_mutex_destroy(&s->lock);
        free(s);
    }
}

/* ---- parsing --------------------------------------------------------------------------------- */

void trust_store_load(trust_store *s) {
    if (!s->shared) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    if (!s->tried) {
        s->parsed = openssl_store_parse(s->file, s->folder);
        s->tried = true;
    }
    pthread_mutex_unlock(&s->lock);
}

const char *trust_store_bad_file(trust_store *s) {
    trust_store_load(s);
    return s->shared && s->parsed == NULL ? s->file : NULL;
}

/* ---- giving it to connections ---------------------------------------------------------------- */

static CURLcode on_context(CURL *easy, void *context, void *user) {
    (void)easy;
    trust_store *s = user;
    trust_store_load(s);
    if (s->parsed == NULL) {
        return CURLE_SSL_CACERT_BADFILE;
    }
    return openssl_store_give(s->parsed, context) ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

/* libcurl is to parse nothing itself. */
static bool share(trust_store *s, CURL *easy) {
    if (curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, s) != CURLE_OK) {
        return false;
    }
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, NULL);
    curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
    return true;
}

/* libcurl parses, and keeps what it has parsed if it comes from a file alone. */
static bool leave_to_libcurl(const trust_store *s, CURL *easy) {
    const char *systems = system_file();
    if (systems != NULL && access(systems, R_OK) == 0) {
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
    }
    return s->ca_file == NULL || (curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK &&
                                  curl_easy_setopt(easy, CURLOPT_CAINFO, s->ca_file) == CURLE_OK);
}

bool trust_store_apply(trust_store *s, void *easy) {
    return (s->shared && share(s, easy)) || leave_to_libcurl(s, easy);
}
