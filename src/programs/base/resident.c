#include "programs/base/resident.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

uint64_t resident_bytes(int64_t process) {
    char path[64], line[128], *end;
    uint64_t pages = 0;
    if (process == 0) {
        snprintf(path, sizeof path, "/proc/self/statm");
    } else {
        snprintf(path, sizeof path, "/proc/%" PRId64 "/statm", process);
    }
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    if (fgets(line, sizeof line, file) != NULL) { /* "SIZE RESIDENT ..." */
        strtoull(line, &end, 10);
        pages = strtoull(end, NULL, 10);
    }
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
