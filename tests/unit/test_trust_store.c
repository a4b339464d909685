/* Certificates that are parsed once, whoever asks first. */
#include "../check.h"
#include "../scratch.h"
#include "../support.h"

#include "download/download.h"
#include "download/openssl_store.h"

#include <pthread.h>
#include <stdio.h>

TestSuite(trust_store, .timeout = TEST_SECONDS);

static void *load(void *store) {
    trust_store_load(store);
    return NULL;
}

/* The sanitizers see what is parsed twice or torn. */
Test(trust_store, threads_load_it_together) {
    cr_assert(download_prepare());
    trust_store *store = trust_store_create(NULL);
    pthread_t threads[8];
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        cr_assert(pthread_create(&threads[i], NULL, load, store) == 0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    trust_store_destroy(store);
    download_finish();
}

Test(trust_store, names_a_file_without_certificates) {
    char folder[SCRATCH_PATH], path[SCRATCH_PATH + 16];
    scratch_make(folder);
    snprintf(path, sizeof path, "%s/bad.pem", folder);
    FILE *file = fopen(path, "w");
    fputs("no certificate\n", file);
    fclose(file);
    cr_assert(download_prepare());
    trust_store *bad = trust_store_create(path), *missing = trust_store_create("/nowhere");
    if (openssl_store_suits_libcurl()) {
        cr_assert_str_eq(trust_store_bad_file(bad), path);
        cr_assert_str_eq(trust_store_bad_file(missing), "/nowhere");
    } else { /* libcurl itself would say so */
        cr_assert(trust_store_bad_file(bad) == NULL && trust_store_bad_file(missing) == NULL);
    }
    trust_store_destroy(bad);
    trust_store_destroy(missing);
    download_finish();
    scratch_remove(folder);
}

/* As where libcurl has no bundle. */
Test(trust_store, a_folder_alone_will_do) {
    cr_assert(download_prepare());
    openssl_store *store = openssl_store_parse(NULL, "/nowhere");
    cr_assert_eq(store != NULL, openssl_store_suits_libcurl());
    openssl_store_free(store);
    download_finish();
}
