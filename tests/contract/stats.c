#include "stats.h"

cf_stats stats_of(cf_executor *ex) {
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    return stats;
}
