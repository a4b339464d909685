/* What trust_store.c needs of OpenSSL. In a build without OpenSSL openssl_store_none.c takes the place of
 * openssl_store.c. */
#ifndef DOWNLOAD_OPENSSL_STORE_H
#define DOWNLOAD_OPENSSL_STORE_H

#include <stdbool.h>

typedef struct x509_store_st openssl_store; /* OpenSSL's X509_STORE */

/* True if libcurl's TLS is by the OpenSSL that this program is linked to. After curl_global_init. */
bool openssl_store_suits_libcurl(void);

/* Parses the file. In the folder OpenSSL will look for certificates that the file has not. One of the two may be
 * NULL. Returns NULL if the file has no certificate, or if memory is short. */
openssl_store *openssl_store_parse(const char *file, const char *folder);
void openssl_store_free(openssl_store *store); /* NULL is allowed */

/* The connections of a context (SSL_CTX) are verified by the store, which they keep as long as they need it. Any
 * thread may call it. False if it failed. */
bool openssl_store_give(openssl_store *store, void *context);

#endif
