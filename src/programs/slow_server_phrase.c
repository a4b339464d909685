/* The words of a status line. libmicrohttpd has none for 418 and no way to be told any, but it asks
 * these two public functions of its own for them, and the dynamic linker takes the program's before the
 * library's. Where a library calls its own all the same, the status line is "418 Unknown", and nothing
 * else changes. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <microhttpd.h>
#include <string.h>

#define TEAPOT "I'm a Teapot"

const char *MHD_get_reason_phrase_for(unsigned code) {
    switch (code) {
    case 200: /* of most answers, so that nothing is looked up for them */
        return "OK";
    case 418:
        return TEAPOT;
    default:;
        const char *(*librarys)(unsigned);
        *(void **)&librarys = dlsym(RTLD_NEXT, "MHD_get_reason_phrase_for");
        return librarys == NULL ? "Unknown" : librarys(code);
    }
}

size_t MHD_get_reason_phrase_len_for(unsigned code) {
    return strlen(MHD_get_reason_phrase_for(code));
}
