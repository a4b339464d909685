/* The numbers that a prime program checks. */
#ifndef PROGRAMS_NUMBER_LIST_H
#define PROGRAMS_NUMBER_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct number_list {
    uint64_t *numbers;
    size_t count;
    size_t capacity;
} number_list;

/* `file` is a path, "-" for standard input, or NULL for the 20 NUMBERS. In a file each line holds a
 * number from 0 to 2^64-1 or none; blanks around it and what follows a # do not count. Reads all of
 * it before it returns. A file that cannot be read, or a line that is no number, ends the program
 * with a message and EXIT_IO. */
void number_list_load(number_list *list, const char *file);
void number_list_sort(number_list *list, bool descending);
void number_list_free(number_list *list);

#endif
