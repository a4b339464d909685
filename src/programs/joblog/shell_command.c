#define _GNU_SOURCE /* realpath, program_invocation_name */
#include "programs/joblog/shell_command.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Characters that mean nothing to a shell wherever they stand; a ~ is not among them, nor is =, which would make a
 * first word an assignment. */
static const char PLAIN[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+:,./-";

static void add_quoted(text_buffer *command, const char *text, size_t length) {
    text_buffer_add(command, "'", 1);
    for (size_t i = 0; i < length; i++) {
        const char *piece = text[i] == '\'' ? "'\\''" : &text[i];
        text_buffer_add(command, piece, text[i] == '\'' ? 4 : 1);
    }
    text_buffer_add(command, "'", 1);
}

/* The same bytes behind what is there, quoted if one of them must be. */
static void add_text(text_buffer *command, const char *text, size_t length) {
    size_t plain = 0;
    while (plain < length && text[plain] != '\0' && strchr(PLAIN, text[plain]) != NULL) {
        plain++;
    }
    if (plain == length && length > 0) {
        text_buffer_add(command, text, length);
    } else {
        add_quoted(command, text, length);
    }
}

static void begin_word(text_buffer *command) {
    if (command->length > 0) {
        text_buffer_add(command, " ", 1);
    }
}

void shell_add_word(text_buffer *command, const char *text, size_t length) {
    begin_word(command);
    add_text(command, text, length);
}

/* As it is, if the file cannot be found. */
static void add_path(text_buffer *command, const char *path) {
    char *absolute = realpath(path, NULL);
    const char *found = absolute != NULL ? absolute : path;
    add_text(command, found, strlen(found));
    free(absolute);
}

void shell_add_path(text_buffer *command, const char *path) {
    begin_word(command);
    add_path(command, path);
}

void shell_add_program(text_buffer *command) {
    char path[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
    if (length > 0 && (size_t)length < sizeof path) {
        shell_add_word(command, path, (size_t)length);
    } else {
        shell_add_word(command, program_invocation_name, strlen(program_invocation_name));
    }
}

static void begin_option(text_buffer *command, const char *name) {
    begin_word(command);
    text_buffer_print(command, "%s=", name);
}

void shell_add_option(text_buffer *command, const char *name, const char *value) {
    begin_option(command, name);
    add_text(command, value, strlen(value));
}

void shell_add_option_path(text_buffer *command, const char *name, const char *path) {
    begin_option(command, name);
    add_path(command, path);
}

void shell_add_option_number(text_buffer *command, const char *name, uint64_t value) {
    begin_option(command, name);
    text_buffer_print(command, "%" PRIu64, value);
}

void shell_add_option_seconds(text_buffer *command, const char *name, int64_t ns) {
    begin_option(command, name);
    text_buffer_print(command, "%" PRId64 ".%09" PRId64, ns / 1000000000, ns % 1000000000);
}
