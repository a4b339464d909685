#include "programs/prime/number_list.h"

#include "primes/primes.h"
#include "programs/base/decimal.h"
#include "programs/base/output.h"
#include "programs/base/shown.h"

#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append(number_list *list, uint64_t number) {
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
        list->numbers = reallocarray(list->numbers, list->capacity, sizeof *list->numbers);
        if (list->numbers == NULL) {
            error(EXIT_IO, errno, "the list of numbers");
        }
    }
    list->numbers[list->count++] = number;
}

/* A line from its first to its last byte that counts. */
typedef struct span {
    const char *text;
    size_t length;
} span;

static span strip(const char *line, size_t length) {
    static const char blanks[] = " \t\r\n\v\f";
    const char *comment = memchr(line, '#', length);
    if (comment != NULL) {
        length = (size_t)(comment - line);
    }
    while (length > 0 && memchr(blanks, line[length - 1], sizeof blanks - 1) != NULL) {
        length--;
    }
    while (length > 0 && memchr(blanks, *line, sizeof blanks - 1) != NULL) {
        line++;
        length--;
    }
    return (span){line, length};
}

static _Noreturn void refuse(const char *file, uintmax_t line_number, span bad) {
    error(EXIT_IO, 0, "%s:%ju: '%s' is not a number from 0 to %" PRIu64, file, line_number,
          shown_of(bad.text, bad.length).text, UINT64_MAX);
    abort(); /* error() does not return: its status is not 0 */
}

static void read_lines(number_list *list, const char *file, FILE *stream) {
    char *line = NULL;
    size_t size = 0;
    ssize_t length;

    errno = 0;
    for (uintmax_t line_number = 1; (length = getline(&line, &size, stream)) >= 0; line_number++) {
        span found = strip(line, (size_t)length);
        uint64_t number;
        if (found.length == 0) {
            continue;
        }
        if (!decimal_parse(found.text, found.length, 0, UINT64_MAX, &number)) {
            refuse(file, line_number, found);
        }
        append(list, number);
    }
    if (!feof(stream)) {
        error(EXIT_IO, errno, "%s", file);
    }
    free(line);
}

static void read_file(number_list *list, const char *file) {
    bool standard_input = strcmp(file, "-") == 0;
    FILE *stream = standard_input ? stdin : fopen(file, "re");
    if (stream == NULL) {
        error(EXIT_IO, errno, "%s", file);
        return; /* not reached, but only the C library knows */
    }
    read_lines(list, file, stream);
    if (!standard_input) {
        fclose(stream);
    }
}

void number_list_load(number_list *list, const char *file) {
    *list = (number_list){0};
    if (file != NULL) {
        read_file(list, file);
        return;
    }
    for (size_t i = 0; i < PRIME_NUMBERS_COUNT; i++) {
        append(list, PRIME_NUMBERS[i].n);
    }
}

static int compare_ascending(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static int compare_descending(const void *left, const void *right) {
    return compare_ascending(right, left);
}

void number_list_sort(number_list *list, bool descending) {
    if (list->count > 1) {
        qsort(list->numbers, list->count, sizeof *list->numbers,
              descending ? compare_descending : compare_ascending);
    }
}

void number_list_free(number_list *list) {
    free(list->numbers);
    *list = (number_list){0};
}
