#define _GNU_SOURCE /* memmem */
#include "programs/base/userinfo.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

static char *skip_scheme(char *url) {
    char *end = url;
    while (isalnum((unsigned char)*end) || (*end != '\0' && strchr("+-.", *end) != NULL)) {
        end++;
    }
    return strncmp(end, "://", 3) == 0 ? end + 3 : url;
}

/* The first text in quotes. Not "couldn't". NULL = there is none. */
static char *find_quoted(char *message) {
    for (char *quote = strchr(message, '\''); quote != NULL; quote = strchr(quote + 1, '\'')) {
        if (quote == message || quote[-1] == ' ') {
            return quote + 1;
        }
    }
    return NULL;
}

/* Where a user name may begin, before `at`; NULL if there is no URL. */
static char *find_userinfo(char *message, char *quoted, const char *at) {
    if (quoted != NULL && quoted < at) {
        return memchr(quoted, ':', (size_t)(at - quoted)) == NULL ? NULL : skip_scheme(quoted);
    }
    char *slashes = memmem(message, (size_t)(at - message), "://", 3);
    return slashes == NULL ? NULL : slashes + 3;
}

char *userinfo_hide(char *message) {
    char *quoted = find_quoted(message);
    const char *at = strrchr(message, '@');
    if (quoted != NULL && strchr(quoted, '\'') == NULL) { /* cut off, perhaps before the @ */
        *quoted = '\0';
    } else if (at != NULL) {
        char *userinfo = find_userinfo(message, quoted, at);
        if (userinfo != NULL) {
            memmove(userinfo, at + 1, strlen(at + 1) + 1);
        }
    }
    return message;
}
