/* The certificates that servers are checked against, parsed once for all connections of a run.
 *
 * libcurl alone parses them for each connection if the system has them as a file and as a folder, and else for each
 * worker. The system's take 20 ms of CPU time, a handshake takes 1 ms.
 *
 * libcurl's connections can use our store only if their TLS is by the OpenSSL that this program is linked to.
 * Otherwise libcurl parses the file once for each worker. */
#ifndef DOWNLOAD_TRUST_STORE_H
#define DOWNLOAD_TRUST_STORE_H

#include <stdbool.h>

typedef struct trust_store trust_store;

/* `ca_file` (PEM) takes the place of the system's certificates, but not for proxies; NULL = the system's, where
 * libcurl was built to look for them. Call it after curl_global_init. Returns NULL if memory is short. */
trust_store *trust_store_create(const char *ca_file);
void trust_store_destroy(trust_store *store); /* NULL is allowed */

/* Parses the certificates, unless that is done. The first connection does it too; worker processes inherit what is
 * parsed before they begin. Any thread may call it. */
void trust_store_load(trust_store *store);

/* The TLS connections of a libcurl handle trust the store's certificates and no others. False if memory is short. */
bool trust_store_apply(trust_store *store, void *easy);

/* If CURLE_SSL_CACERT_BADFILE ended a connection: the file that has no certificate, or NULL if libcurl itself says
 * what is wrong. */
const char *trust_store_bad_file(trust_store *store);

#endif
