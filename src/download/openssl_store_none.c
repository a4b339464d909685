#include "download/openssl_store.h"

#include <stddef.h>

bool openssl_store_suits_libcurl(void) {
    return false;
}

openssl_store *openssl_store_parse(const char *file, const char *folder) {
    (void)file, (void)folder;
    return NULL;
}

void openssl_store_free(openssl_store *store) {
    (void)store;
}

bool openssl_store_give(openssl_store *store, void *context) {
    (void)store, (void)context;
    return false;
}
