#include "platform/refusal.h"

#include "platform/assert.h"
#include "platform/descriptor.h"

#include <errno.h>

static _Thread_local plat_refusal last;

plat_refusal plat_refusal_last(void) {
    return last;
}

void plat_refusal_note(const char *call, int error) {
    cfi_assert(call != NULL && error != 0);
    last = (plat_refusal){.call = call, .error = error};
}

void plat_refusal_note_limit(void) {
    last = (plat_refusal){.call = NULL, .error = 0};
}

void plat_refusal_note_memory(void) {
    plat_refusal_note("malloc", ENOMEM);
}

int plat_noted_descriptor(int made, const char *call) {
    if (made < 0) {
        plat_refusal_note(call, errno);
        return -1;
    }
    int kept = plat_descriptor_out_of_the_way(made);
    if (kept < 0) {
        plat_refusal_note("fcntl", errno);
    }
    return kept;
}
