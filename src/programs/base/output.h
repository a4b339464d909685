/* Standard output that cannot be lost unnoticed, and the exit codes of every program.
 *
 * A result that could not be written ends the program: "PROGRAM: standard output: why" on stderr
 * and EXIT_IO, whatever else there was to say. Messages themselves go through error(3), which
 * begins them with the program's name.
 *
 * What the parent has left to the program does not matter:
 *   SIGPIPE      If standard output is a closed pipe, every program ends quietly by SIGPIPE, also if
 *                the parent ignores or blocks that signal (Python's subprocess, `trap '' PIPE`).
 *                Programs that have to put something in order do so first: see
 *                output_defer_failure. A socket whose other end has closed is an error of that
 *                connection alone: threads and processes that use sockets block SIGPIPE.
 *   descriptors  0 to 2 may be closed. To use a closed one is an error, as EBADF says. No other file
 *                ever gets its number.
 *   locale       No program calls setlocale: numbers have a point, and messages are in English.
 */
#ifndef PROGRAMS_OUTPUT_H
#define PROGRAMS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EXIT_ITEM = 1,  /* some item failed */
    EXIT_USAGE = 2, /* the command line is wrong */
    EXIT_IO = 3,    /* the input or an output cannot be read or written */
};

/* First thing in main. Sees to it that descriptors 0 to 2 are open, so that nothing else is ever
 * opened in their place; that a closed pipe ends the program quietly; that messages begin with the
 * program's name without its path (argv[0] too, which getopt shows); that standard output is
 * checked when the program ends, also by exit() inside argp. */
void output_prepare(char **argv);

void output_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void output_flush(void);

/* Past the buffer and at once, so that up to PIPE_BUF bytes are never torn apart by what other
 * threads and processes write: for the tasks of a pool, and for a program that prints in no other
 * way while they run. */
void output_write(const char *text, size_t length);

/* The same, with an error number in place of the end of the program, or 0; and what becomes of it later:
 * the end after all. For tasks whose worker is not the program's to end. */
int output_try_write(const char *text, size_t length);
_Noreturn void output_failed(int problem);

/* From now on what cannot be written does not end the program: `on_failure` is called, once, and what is
 * printed after that is lost. It is the end, if it came to that, when output_settle is called. For
 * programs that have to put something in order first. A closed pipe is an error meanwhile. */
void output_defer_failure(void (*on_failure)(void *data), void *data);
void output_settle(void);
bool output_has_failed(void); /* and that was put off */

/* Bytes that were given to standard output by this process, in all; some may still be in the buffer. */
uint64_t output_count(void);

/* As output_write, for any number of lines. Where that is no regular file they are written in pieces of whole
 * lines and PIPE_BUF bytes, so that a program that ends in the middle has torn none. */
void output_write_lines(const char *text, size_t length);

#endif
