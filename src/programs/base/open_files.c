#include "programs/base/open_files.h"

#include <sys/resource.h>

#define OTHERS 32 /* standard streams, the folder, pools, name resolution, certificates */

unsigned open_files_allow(unsigned wanted, unsigned descriptors_each) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return wanted;
    }
    const rlim_t needed = OTHERS + (rlim_t)wanted * descriptors_each;
    if (limit.rlim_cur < needed) {
        const rlim_t before = limit.rlim_cur;
        limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            limit.rlim_cur = before;
        }
    }
    if (limit.rlim_cur >= needed) {
        return wanted;
    }
    const rlim_t room = limit.rlim_cur > OTHERS ? (limit.rlim_cur - OTHERS) / descriptors_each : 0;
    return room > 0 ? (unsigned)room : 1;
}
