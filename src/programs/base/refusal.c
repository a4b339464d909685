#include "programs/base/refusal.h"

#include "programs/base/output.h"

#include <error.h>
#include <stdio.h>
#include <string.h>

refusal refusal_of(cf_status status) {
    refusal why = {.status = status};
    if (status == CF_ENOMEM || status == CF_EAGAIN) {
        why.call = cf_refused_call(&why.error);
    }
    return why;
}

char *refusal_describe(const refusal *why, char *text, size_t size) {
    if (why->call != NULL) {
        snprintf(text, size, "%s: %s", why->call, strerror(why->error));
    } else {
        snprintf(text, size, "%s", cf_status_message(why->status));
    }
    return text;
}

void require_ok(cf_status status, const char *what) {
    if (status != CF_OK) {
        const refusal why = refusal_of(status);
        char text[128];
        error(EXIT_ITEM, 0, "%s: %s", what, refusal_describe(&why, text, sizeof text));
    }
}
