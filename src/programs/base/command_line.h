/* What the command lines of all programs have in common: one table of options makes both the parser
 * and --help (argp does it), with our exit codes and our way of saying what is wrong with a value. */
#ifndef PROGRAMS_COMMAND_LINE_H
#define PROGRAMS_COMMAND_LINE_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes the text, or ends the program with a usage error that begins with `name`, say "--order".
 * `value` is the option's. */
typedef void command_line_parse_fn(struct argp_state *state, const char *name, char *text,
                                   void *value);

/* An option: argp's row for it, and where its value goes. One of the pointers is set. */
/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order in which rows are written */
typedef struct command_line_option {
    const char *name;
    int key;         /* its short form; 0 = it has none */
    const char *arg; /* what --help calls its value; NULL = it takes none */
    const char *doc;
    int flags, group; /* argp's */

    bool *flag; /* becomes true */
    const char **text;
    int64_t *duration_ns; /* of command_line_seconds() */
    unsigned *number;     /* from min to max */
    unsigned min, max;
    bool more_is_max;             /* a larger number is no error, and means max */
    command_line_parse_fn *parse; /* anything else */
    void *value;
} command_line_option;

/* A number that a doc names. */
#define STRING(value)    STRING_OF(value)
#define STRING_OF(value) #value

/* Options of several programs. */
command_line_option command_line_json(int key, bool *flag);
command_line_option command_line_stats(bool *flag);
command_line_option command_line_progress(bool *flag);
command_line_option command_line_metrics(const char **file);

/* A positional argument that is a number. */
typedef struct command_line_positional {
    const char *name;
    unsigned min, max;
    unsigned *number;
} command_line_positional;

/* Each table ends with an entry of zeros, and may be NULL.
 *
 * Arguments are numbers in the order of `positionals`, all of them optional; or `take` gets each
 * one; or, if both are NULL, the program takes none. Negative numbers are among them, although argp
 * takes -5 for an option: the text of those is cut to 63 bytes and gone when `take` returns. */
typedef struct command_line {
    const char *doc, *args_doc; /* argp's */
    const command_line_option *options;
    const command_line_option *more_options; /* those of a family of programs */
    const command_line_positional *positionals;
    void (*take)(struct argp_state *state, char *text, void *input);
    void (*check)(struct argp_state *state, void *input); /* of all values together; may be NULL */
    void *input;                                          /* of take and check */
} command_line;

/* Sets what the tables point to. Does not return from --help, --usage and --version, which exit
 * with 0, and from errors, which exit with EXIT_USAGE. */
void command_line_parse(const command_line *line, int argc, char **argv);

/* As argp_error, which ends the program. The message may have a URL in quotes: its password is not shown. */
void command_line_error(struct argp_state *state, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The number that the text is, or a usage error that begins with `name`. */
unsigned command_line_number(struct argp_state *state, const char *name, const char *text,
                             unsigned min, unsigned max);

/* The same for an argument that may be given once; *number is 0 until then. */
void command_line_number_once(struct argp_state *state, const char *name, const char *text,
                              unsigned max, unsigned *number);

/* The seconds that the text is, "1.5" say, in nanoseconds; or a usage error that begins with
 * `name`. */
int64_t command_line_seconds(struct argp_state *state, const char *name, const char *text);

/* The name of a folder, which must not be empty. `value` is a const char **. */
command_line_parse_fn command_line_folder;

#endif
