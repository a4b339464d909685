/* Text as JSON, which may stand in a <script> element of an HTML page: nothing in it can end that element.
 *
 * Bytes that are not UTF-8 become U+FFFD. */
#ifndef PROGRAMS_JSON_TEXT_H
#define PROGRAMS_JSON_TEXT_H

#include "programs/timeline/whole_file.h"

/* With the quotes. The text ends at a NUL, or after `size` bytes; NULL is empty. */
void json_text_write(whole_file *file, const char *text, size_t size);

#endif
