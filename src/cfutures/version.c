#include <cfutures.h>

#define TEXT(number)                 #number
#define VERSION(major, minor, patch) TEXT(major) "." TEXT(minor) "." TEXT(patch)

const char *cf_version(void) {
    return VERSION(CF_VERSION_MAJOR, CF_VERSION_MINOR, CF_VERSION_PATCH);
}
