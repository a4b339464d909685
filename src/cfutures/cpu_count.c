#include <cfutures.h>

#include "platform/cpu_limits.h"

unsigned cf_cpu_count(cf_cpu_explanation *explanation) {
    struct plat_cpu_limits limits;
    plat_cpu_limits_read("", &limits);
    const char *decided_by;
    unsigned count = plat_cpu_limits_least(&limits, CF_WORKERS_MAX, &decided_by);
    if (explanation != NULL) {
        *explanation = (cf_cpu_explanation){
            .count = count,
            .online = limits.online,
            .affinity = limits.affinity,
            .cpuset = limits.cpuset,
            .quota = limits.quota,
            .decided_by = decided_by,
        };
    }
    return count;
}
