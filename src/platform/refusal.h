/* Which call the system refused: the reason behind CF_ENOMEM and CF_EAGAIN, for cf_refused_call. Each
 * thread has one note.
 *
 *   - Where a public call begins to fail with CF_ENOMEM or CF_EAGAIN, the code notes the system call
 *     that was refused, or that it was a limit of the library. So after a failure the note is of that
 *     failure, never of an older one.
 *   - Calls that succeed neither read nor clear the note: submit does not pay for it. Such a call may
 *     leave a note of a refusal that did not matter. The next failure overwrites it. */
#ifndef PLATFORM_REFUSAL_H
#define PLATFORM_REFUSAL_H

#include <stddef.h>

typedef struct plat_refusal {
    const char *call; /* static; NULL = no system call was refused */
    int error;        /* its errno; 0 = likewise */
} plat_refusal;

plat_refusal plat_refusal_last(void);

/* call: a string literal. */
void plat_refusal_note(const char *call, int error);
void plat_refusal_note_limit(void);

void plat_refusal_note_memory(void); /* malloc and its like */

/* Returns what malloc or its like has returned. */
static inline void *plat_noted(void *allocated) {
    if (allocated == NULL) {
        plat_refusal_note_memory();
    }
    return allocated;
}

/* made: the descriptor that `call` has made, or -1 with errno. Moves it out of the way
 * (platform/descriptor.h). -1: that, or `call`, was refused. */
int plat_noted_descriptor(int made, const char *call);

#endif
