/* report.html in two parts: what stands before the data, and what stands behind them. Made by
 * generate_report_page.cmake. */
#ifndef PROGRAMS_REPORT_PAGE_H
#define PROGRAMS_REPORT_PAGE_H

#include <stddef.h>

extern const unsigned char REPORT_PAGE_BEFORE[], REPORT_PAGE_BEHIND[];
extern const size_t REPORT_PAGE_BEFORE_SIZE, REPORT_PAGE_BEHIND_SIZE;

#endif
