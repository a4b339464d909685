/* An executor's statistics, for tests of every subject. */
#ifndef TESTS_CONTRACT_STATS_H
#define TESTS_CONTRACT_STATS_H

#include "rows.h"

cf_stats stats_of(cf_executor *ex);

#endif
