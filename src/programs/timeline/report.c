#include "programs/timeline/report.h"

#include "platform/wait_status.h"
#include "programs/timeline/json_text.h"
#include "programs/timeline/report_page.h"
#include "programs/timeline/whole_file.h"

#include <cfutures.h>

/* The data are an object of columns: a million runs are a dozen arrays of numbers. A column in which all numbers are
 * the same is that number alone. Times are nanoseconds since the table's begin, null where there is none. */

/* ---- columns --------------------------------------------------------------------------------- */

#define NOTHING INT64_MIN /* null */

typedef int64_t column_value(const run_table *table, size_t i);

typedef struct column {
    const char *name;
    column_value *value;
} column;

static int64_t since_begin(const run_table *table, int64_t time_ns) {
    return time_ns == 0 ? NOTHING : time_ns - table->begun_ns;
}

static void write_value(whole_file *file, int64_t value) {
    if (value == NOTHING) {
        whole_file_text(file, "null");
    } else {
        whole_file_number(file, value);
    }
}

static bool is_constant(const run_table *table, const column *one, size_t count) {
    for (size_t i = 1; i < count; i++) {
        if (one->value(table, i) != one->value(table, 0)) {
            return false;
        }
    }
    return count > 0;
}

static void write_column(whole_file *file, const run_table *table, const column *one,
                         size_t count) {
    whole_file_text(file, ",\n\"");
    whole_file_text(file, one->name);
    whole_file_text(file, "\":");
    if (is_constant(table, one, count)) {
        write_value(file, one->value(table, 0));
        return;
    }
    whole_file_text(file, "[");
    for (size_t i = 0; i < count; i++) {
        whole_file_text(file, i == 0 ? "" : ",");
        write_value(file, one->value(table, i));
    }
    whole_file_text(file, "]");
}

static void write_number(whole_file *file, const char *before, int64_t value) {
    whole_file_text(file, before);
    write_value(file, value);
}

static void write_columns(whole_file *file, const run_table *table, const column *columns,
                          size_t columns_count, size_t count) {
    write_number(file, "{\"count\":", (int64_t)count);
    for (size_t i = 0; i < columns_count; i++) {
        write_column(file, table, &columns[i], count);
    }
}

#define WRITE_COLUMNS(file, table, columns, count)                                                 \
    write_columns(file, table, columns, sizeof(columns) / sizeof(columns)[0], count)

/* ---- runs ------------------------------------------------------------------------------------ */

static int64_t run_item(const run_table *table, size_t i) {
    return (int64_t)table->runs[i].item;
}

static int64_t run_items(const run_table *table, size_t i) {
    return table->runs[i].items;
}

static int64_t run_attempt(const run_table *table, size_t i) {
    return table->runs[i].attempt;
}

static int64_t run_submitted(const run_table *table, size_t i) {
    return since_begin(table, table->runs[i].submitted_ns);
}

static int64_t run_begun(const run_table *table, size_t i) {
    return since_begin(table, table->runs[i].begun_ns);
}

static int64_t run_ended(const run_table *table, size_t i) {
    const run_entry *run = &table->runs[i];
    return run->ending == RUN_OPEN ? NOTHING : since_begin(table, run->ended_ns);
}

static int64_t run_first_byte(const run_table *table, size_t i) {
    return since_begin(table, table->runs[i].first_byte_ns);
}

static int64_t run_on_worker(const run_table *table, size_t i) {
    return table->runs[i].worker;
}

static int64_t run_ended_how(const run_table *table, size_t i) {
    return table->runs[i].ending;
}

static int64_t run_name(const run_table *table, size_t i) {
    return table->runs[i].name;
}

static const column RUN_COLUMNS[] = {
    {"item", run_item},
    {"items", run_items},
    {"attempt", run_attempt},
    {"submitted", run_submitted},
    {"begun", run_begun},
    {"ended", run_ended},
    {"firstByte", run_first_byte},
    {"worker", run_on_worker},
    {"ending", run_ended_how},
    {"name", run_name},
};

/* ---- how runs and workers ended -------------------------------------------------------------- */

#define REASON_SIZE 128

static void write_reason(whole_file *file, const cf_exception *exception) {
    char reason[REASON_SIZE];
    cf_exception_describe(exception, reason, sizeof reason);
    json_text_write(file, reason, sizeof reason);
}

static void write_death(whole_file *file, int status) {
    write_reason(file, &(cf_exception){.status = CF_EWORKER,
                                       .signal = plat_wait_status_signal(status),
                                       .exit_code = plat_wait_status_exit_code(status)});
}

/* Most runs have none: a list of [number of the run, reason]. */
static void write_reasons(whole_file *file, const run_table *table) {
    const char *before = "";
    whole_file_text(file, ",\n\"reasons\":[");
    for (size_t i = 0; i < table->runs_count; i++) {
        const run_entry *run = &table->runs[i];
        if (run->reason == 0 && run->ending != RUN_ERROR && run->ending != RUN_DIED) {
            continue;
        }
        whole_file_text(file, before);
        before = ",";
        write_number(file, "[", (int64_t)i);
        whole_file_text(file, ",");
        if (run->reason > 0) {
            json_text_write(file, table->reasons[run->reason - 1], SIZE_MAX);
        } else if (run->ending == RUN_DIED) {
            write_death(file, run->detail);
        } else {
            write_reason(file, &(cf_exception){.status = CF_ETASK, .task_error = run->detail});
        }
        whole_file_text(file, "]");
    }
    whole_file_text(file, "]");
}

/* ---- results --------------------------------------------------------------------------------- */

static int64_t result_item(const run_table *table, size_t i) {
    return (int64_t)table->results[i].item;
}

static int64_t result_handed(const run_table *table, size_t i) {
    return since_begin(table, table->results[i].handed_ns);
}

static const column RESULT_COLUMNS[] = {{"item", result_item}, {"handed", result_handed}};

static void write_labels(whole_file *file, const run_table *table) {
    whole_file_text(file, ",\n\"label\":[");
    for (size_t i = 0; i < table->results_count; i++) {
        whole_file_text(file, i == 0 ? "" : ",");
        json_text_write(file, table->results[i].label, sizeof table->results[i].label);
    }
    whole_file_text(file, "]");
}

/* ---- workers --------------------------------------------------------------------------------- */

static int64_t life_number(const run_table *table, size_t i) {
    return table->lives[i].number;
}

static int64_t life_id(const run_table *table, size_t i) {
    return table->lives[i].id;
}

static int64_t life_started(const run_table *table, size_t i) {
    return since_begin(table, table->lives[i].started_ns);
}

static int64_t life_gone(const run_table *table, size_t i) {
    return since_begin(table, table->lives[i].gone_ns);
}

static const column LIFE_COLUMNS[] = {
    {"number", life_number}, {"id", life_id}, {"started", life_started}, {"gone", life_gone}};

static void write_deaths(whole_file *file, const run_table *table) {
    const char *before = "";
    whole_file_text(file, ",\n\"reasons\":[");
    for (size_t i = 0; i < table->lives_count; i++) {
        if (table->lives[i].wait_status != 0) {
            whole_file_text(file, before);
            before = ",";
            write_number(file, "[", (int64_t)i);
            whole_file_text(file, ",");
            write_death(file, table->lives[i].wait_status);
            whole_file_text(file, "]");
        }
    }
    whole_file_text(file, "]");
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void write_text(whole_file *file, const char *before, const char *text, size_t size) {
    whole_file_text(file, before);
    json_text_write(file, text, size);
}

static void write_head(whole_file *file, const run_table *table) {
    write_text(file, "{\"program\":", table->program, SIZE_MAX);
    write_text(file, ",\"worker\":", table->worker, SIZE_MAX);
    write_number(file, ",\"workers\":", table->workers);
    write_text(file, ",\"why\":", table->why, sizeof table->why);
    whole_file_text(file, table->ordered ? ",\"ordered\":true" : ",\"ordered\":false");
    whole_file_text(file, table->no_memory ? ",\"noMemory\":true" : ",\"noMemory\":false");
    write_number(file, ",\"wall\":", since_begin(table, table->ended_ns));
    whole_file_text(file, ",\n\"names\":[");
    for (size_t i = 0; i < table->names_count; i++) {
        write_text(file, i == 0 ? "" : ",", table->names[i], SIZE_MAX);
    }
    whole_file_text(file, "]");
}

static void write_data(whole_file *file, const run_table *table) {
    write_head(file, table);
    whole_file_text(file, ",\n\"runs\":");
    WRITE_COLUMNS(file, table, RUN_COLUMNS, table->runs_count);
    write_reasons(file, table);
    write_number(file, ",\"leftOut\":", (int64_t)table->runs_left_out);
    whole_file_text(file, "},\n\"results\":");
    WRITE_COLUMNS(file, table, RESULT_COLUMNS, table->results_count);
    write_labels(file, table);
    write_number(file, ",\"leftOut\":", (int64_t)table->results_left_out);
    whole_file_text(file, "},\n\"lives\":");
    WRITE_COLUMNS(file, table, LIFE_COLUMNS, table->lives_count);
    write_deaths(file, table);
    whole_file_text(file, "}}\n");
}

bool report_write(const run_table *table, const char *file) {
    whole_file page;
    whole_file_open(&page, file);
    whole_file_write(&page, REPORT_PAGE_BEFORE, REPORT_PAGE_BEFORE_SIZE);
    write_data(&page, table);
    whole_file_write(&page, REPORT_PAGE_BEHIND, REPORT_PAGE_BEHIND_SIZE);
    return whole_file_close(&page);
}
