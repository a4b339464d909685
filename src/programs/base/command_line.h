/* What the command lines of all programs have in common: argp, with our exit codes and our way of
 * saying what is wrong with a number. */
#ifndef PROGRAMS_COMMAND_LINE_H
#define PROGRAMS_COMMAND_LINE_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rows for a program's options, if it takes numbers as arguments: without them argp would call a
 * negative number an invalid option. */
#define COMMAND_LINE_DIGITS                                                                        \
    COMMAND_LINE_DIGIT('0'), COMMAND_LINE_DIGIT('1'), COMMAND_LINE_DIGIT('2'),                     \
        COMMAND_LINE_DIGIT('3'), COMMAND_LINE_DIGIT('4'), COMMAND_LINE_DIGIT('5'),                 \
        COMMAND_LINE_DIGIT('6'), COMMAND_LINE_DIGIT('7'), COMMAND_LINE_DIGIT('8'),                 \
        COMMAND_LINE_DIGIT('9')
#define COMMAND_LINE_DIGIT(digit)                                                                  \
    { .key = digit, .arg = "", .flags = OPTION_ARG_OPTIONAL | OPTION_HIDDEN }

/* argp_parse, with a version, and with our exit codes: 0 for --help, --usage and --version, and
 * EXIT_USAGE for errors, from none of which it returns. */
void command_line_parse(const struct argp *argp, unsigned flags, int argc, char **argv,
                        void *input);

/* The number that the text is, or a usage error that begins with `what`. */
unsigned command_line_number(struct argp_state *state, const char *what, const char *text,
                             unsigned min, unsigned max);

/* The seconds that the text is, "1.5" say, in nanoseconds; or a usage error that begins with
 * `what`.
 */
int64_t command_line_seconds(struct argp_state *state, const char *what, const char *text);

/* Whether the key is one of COMMAND_LINE_DIGITS; then the word as the user wrote it, cut to fit:
 * for argp the digit is an option, and the rest of the word is its argument. */
bool command_line_is_negative(int key, const char *rest, char *word, size_t size);

#endif
