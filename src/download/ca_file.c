#include "download/ca_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool begins_with(const char *line, const char *text) {
    return strncmp(line, text, strlen(text)) == 0;
}

/* The second and third are names that OpenSSL takes too. */
static bool begins_certificate(const char *line) {
    return begins_with(line, "-----BEGIN CERTIFICATE-----") ||
           begins_with(line, "-----BEGIN TRUSTED CERTIFICATE-----") ||
           begins_with(line, "-----BEGIN X509 CERTIFICATE-----");
}

/* A block that is cut off is none. */
static bool has_certificate(FILE *file) {
    char *line = NULL;
    size_t room = 0;
    bool begun = false, found = false;
    while (!found && getline(&line, &room, file) > 0) {
        found = begun && begins_with(line, "-----END ");
        begun = begun || begins_certificate(line);
    }
    free(line);
    return found;
}

static const char *fault_of(FILE *file) {
    struct stat status;
    if (fstat(fileno(file), &status) != 0) {
        return strerror(errno);
    }
    if (!S_ISREG(status.st_mode)) {
        return S_ISDIR(status.st_mode) ? strerror(EISDIR) : "not a regular file";
    }
    errno = 0;
    if (has_certificate(file)) {
        return NULL;
    }
    return ferror(file) ? strerror(errno) : "no certificate in it";
}

const char *ca_file_fault(const char *path) {
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe is not waited for */
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    if (file == NULL) {
        const int problem = errno;
        if (fd >= 0) {
            close(fd);
        }
        return strerror(problem);
    }
    const char *fault = fault_of(file);
    fclose(file);
    return fault;
}
