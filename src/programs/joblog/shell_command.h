/* Commands for a shell, put together word by word. */
#ifndef PROGRAMS_SHELL_COMMAND_H
#define PROGRAMS_SHELL_COMMAND_H

#include "programs/base/text_buffer.h"

#include <stddef.h>
#include <stdint.h>

/* A word, quoted as far as it must be, behind a space if the command has one already. */
void shell_add_word(text_buffer *command, const char *text, size_t length);
void shell_add_path(text_buffer *command,
                    const char *path);        /* the same, made absolute if it can be */
void shell_add_program(text_buffer *command); /* the path of this program */

/* A word "NAME=VALUE". */
void shell_add_option(text_buffer *command, const char *name, const char *value);
void shell_add_option_path(text_buffer *command, const char *name, const char *path);
void shell_add_option_number(text_buffer *command, const char *name, uint64_t value);
void shell_add_option_seconds(text_buffer *command, const char *name, int64_t ns);

#endif
