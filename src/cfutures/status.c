#include <cfutures.h>

#include "platform/refusal.h"

const char *cf_status_name(cf_status status) {
    switch (status) {
#define NAME_CASE(name, message)                                                                   \
    case name:                                                                                     \
        return #name;
        CF_STATUS_LIST(NAME_CASE)
#undef NAME_CASE
    }
    return "CF_?";
}

const char *cf_status_message(cf_status status) {
    switch (status) {
#define MESSAGE_CASE(name, message)                                                                \
    case name:                                                                                     \
        return message;
        CF_STATUS_LIST(MESSAGE_CASE)
#undef MESSAGE_CASE
    }
    return "unknown status";
}

const char *cf_refused_call(int *error) {
    const plat_refusal refusal = plat_refusal_last();
    if (error != NULL) {
        *error = refusal.error;
    }
    return refusal.call;
}

const char *cf_state_name(cf_state state) {
    switch (state) {
    case CF_PENDING:
        return "pending";
    case CF_RUNNING:
        return "running";
    case CF_FINISHED:
        return "finished";
    case CF_CANCELLED:
        return "cancelled";
    }
    return "?";
}
