#include "map_items.h"

SEEN_BY_TASKS report *tasks;

cf_executor *create_reporting(unsigned workers) {
    tasks = shared_alloc(sizeof *tasks);
    return create(workers);
}

void destroy_reporting(cf_executor *ex) {
    cf_executor_destroy(ex);
    shared_free(tasks, sizeof *tasks);
}
