/* For a build without jansson or xxHash: there is never a log, as joblog_options_check sees to. */
#include "programs/base/output.h"
#include "programs/joblog/joblog.h"

#include <stdlib.h>

joblog *joblog_open(const joblog_options *options, const joblog_plan *plan) {
    (void)options, (void)plan;
    return NULL;
}

void joblog_close(joblog *log) {
    (void)log;
}

size_t joblog_done_count(const joblog *log) {
    (void)log;
    return 0;
}

const joblog_entry *joblog_done(const joblog *log, size_t index) {
    (void)log, (void)index;
    return NULL;
}

size_t joblog_in_order(const joblog *log) {
    (void)log;
    return 0;
}

void joblog_refuse_input(const joblog *log, const char *where) {
    (void)log, (void)where;
    abort();
}

void joblog_refuse_item(const joblog *log, size_t index) {
    (void)log, (void)index;
    abort();
}

void joblog_keep(joblog *log, size_t count) {
    (void)log, (void)count;
}

void joblog_entry_set_exception(joblog_entry *entry, const cf_exception *exception) {
    (void)entry, (void)exception;
}

void joblog_add(joblog *log, const joblog_entry *entry) {
    (void)log, (void)entry;
}

void joblog_flush(joblog *log) {
    (void)log;
    output_flush();
}

void joblog_defer_failure(joblog *log, void (*on_failure)(void *data), void *data) {
    (void)log, (void)on_failure, (void)data;
}

fingerprint fingerprint_of(const void *data, size_t size) {
    (void)data, (void)size;
    return (fingerprint){{0}};
}
