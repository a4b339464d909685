/* The words that go with an HTTP status, where the answer has none: HTTP/2 never has them. */
#ifndef DOWNLOAD_HTTP_PHRASE_H
#define DOWNLOAD_HTTP_PHRASE_H

/* "Not Found"; NULL for a status that is not in IANA's registry of HTTP status codes (RFC 9110). 418, which is
 * reserved there, is "I'm a Teapot" (RFC 2324). */
const char *http_phrase(long status);

#endif
