/* What is to be done when a thread ends. */
#ifndef PLATFORM_THREAD_EXIT_H
#define PLATFORM_THREAD_EXIT_H

#include <stdbool.h>

/* `call` is called once when the calling thread ends, unless the process does first; for the whole
 * program always the same one. May be asked for again. False: not to be had. */
bool cfi_at_thread_exit(void (*call)(void));

#endif
