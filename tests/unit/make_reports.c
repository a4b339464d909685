/* make_reports FOLDER: a page of each kind of table, FOLDER/KIND.html. For cli/test_report.py. */
#include "run_tables.h"

#include "programs/timeline/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    for (size_t i = 0; argc == 2 && i < RUN_TABLE_KINDS_COUNT; i++) {
        run_table table;
        char file[4096];
        run_table_of_kind(&table, RUN_TABLE_KINDS[i].name);
        snprintf(file, sizeof file, "%s/%s.html", argv[1], RUN_TABLE_KINDS[i].name);
        if (!report_write(&table, file)) {
            fprintf(stderr, "make_reports: %s: %s\n", file, strerror(errno));
            return 1;
        }
        run_table_free(&table);
    }
    return argc == 2 ? 0 : 2;
}
