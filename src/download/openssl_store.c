#include "download/openssl_store.h"

#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

static bool has_word(const char *words, const char *word) {
    const size_t length = strlen(word);
    for (const char *at = strstr(words, word); at != NULL; at = strstr(at + 1, word)) {
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

/* Another version may have other structures, so it must be the same. If libcurl has several TLS libraries, it
 * names those that it does not use in parentheses. */
bool openssl_store_suits_libcurl(void) {
    const char *libraries = curl_version_info(CURLVERSION_NOW)->ssl_version;
    char version[40], name[60];
    if (libraries == NULL ||
        sscanf(OpenSSL_version(OPENSSL_VERSION), "OpenSSL %39s", version) != 1) {
        return false;
    }
    snprintf(name, sizeof name, "OpenSSL/%s", version);
    return has_word(libraries, name);
}

openssl_store *openssl_store_parse(const char *file, const char *folder) {
    X509_STORE *store = X509_STORE_new();
    if (store == NULL || X509_STORE_load_locations(store, file, folder) != 1) {
        X509_STORE_free(store);
        ERR_clear_error();
        return NULL;
    }
    /* as libcurl's own stores */
    X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
    return store;
}

void openssl_store_free(openssl_store *store) {
    X509_STORE_free(store);
}

/* A context has two stores. libcurl fills or exchanges its first one when it likes; if there is this one, OpenSSL
 * verifies by this one alone. */
bool openssl_store_give(openssl_store *store, void *context) {
    return SSL_CTX_set1_verify_cert_store((SSL_CTX *)context, store) == 1;
}
