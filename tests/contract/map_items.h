/* What the tests of items of maps share: a report of the items that were run. */
#ifndef TESTS_CONTRACT_MAP_ITEMS_H
#define TESTS_CONTRACT_MAP_ITEMS_H

#include "rows.h"

enum {
    VALUES = 1 << 17 /* more than items of a map */
};

/* Where the tasks, also those in other processes, report to. */
typedef struct report {
    _Atomic uint32_t runs[VALUES]; /* of the items with this value */
    _Atomic uint32_t misaligned, wrong_sizes, not_null, not_zeroed;
} report;

extern report *tasks;

/* Makes the report, then the executor. */
cf_executor *create_reporting(unsigned workers);
void destroy_reporting(cf_executor *ex);

#endif
