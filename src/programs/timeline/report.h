/* What a program has done, as a page for a browser: one file that needs nothing else, and no network.
 *
 * The page is report.html, which the build puts into the program; here the data are put into the page. */
#ifndef PROGRAMS_REPORT_H
#define PROGRAMS_REPORT_H

#include "programs/timeline/run_table.h"

/* False: errno tells why. The file appears whole or not at all (whole_file.h says when it cannot).
 *
 * The caller's thread may be any, as long as nobody changes the table. Nothing is allocated and nobody is waited
 * for: a program that ends by a signal calls this when its workers have stopped, though not in the handler. */
bool report_write(const run_table *table, const char *file);

#endif
