#include "programs/slow_server/flag_answers.h"

#include "download/country_codes.h"
#include "programs/base/output.h"
#include "programs/slow_server/beneath.h"
#include "programs/slow_server/flag_image.h"
#include "programs/slow_server/flag_path.h"

#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    unsigned status;
    const char *title, *text;
} ERRORS[] = {
    {MHD_HTTP_NOT_FOUND, "Not Found", "There is no such flag."},
    {MHD_HTTP_METHOD_NOT_ALLOWED, "Method Not Allowed", "Only GET and HEAD are."},
    {418, "I'm a Teapot", "The server refuses to brew coffee, because it is a teapot."},
    {MHD_HTTP_INTERNAL_SERVER_ERROR, "Internal Server Error", "The file cannot be read."},
};
enum {
    ERRORS_COUNT = sizeof ERRORS / sizeof ERRORS[0]
};

struct flag_answers {
    int directory; /* -1: images of our own */
    flag_image images[FLAG_CODES];
    struct MHD_Response *image_responses[FLAG_CODES]; /* NULL where there is no image */
    struct MHD_Response *errors[ERRORS_COUNT];
};

/* ---- what is made once ------------------------------------------------------------------------- */

static void require(bool done, const char *what) {
    if (!done) {
        error(EXIT_IO, errno, "%s", what);
    }
}

static void add_header(struct MHD_Response *response, const char *name, const char *value) {
    require(MHD_add_response_header(response, name, value) == MHD_YES, name);
}

static void create_images(flag_answers *answers) {
    for (size_t i = 0; i < COUNTRY_CODES_COUNT; i++) {
        const unsigned code = flag_code_of(COUNTRY_CODES[i].text);
        flag_image *image = &answers->images[code];
        require(flag_image_draw(i, image), "an image");
        struct MHD_Response *response =
            MHD_create_response_from_buffer(image->size, image->data, MHD_RESPMEM_PERSISTENT);
        require(response != NULL, "an image");
        add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "image/gif");
        answers->image_responses[code] = response;
    }
}

static struct MHD_Response *create_error(size_t i) {
    char page[512];
    const int length = snprintf(page, sizeof page,
                                "<!DOCTYPE html>\n<html lang=\"en\">\n<title>%u %s</title>\n"
                                "<h1>%u %s</h1>\n<p>%s</p>\n</html>\n",
                                ERRORS[i].status, ERRORS[i].title, ERRORS[i].status,
                                ERRORS[i].title, ERRORS[i].text);
    struct MHD_Response *response =
        MHD_create_response_from_buffer((size_t)length, page, MHD_RESPMEM_MUST_COPY);
    require(response != NULL, "an error page");
    add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/html; charset=utf-8");
    if (ERRORS[i].status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        add_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    }
    return response;
}

flag_answers *flag_answers_create(const char *directory) {
    flag_answers *answers = calloc(1, sizeof *answers);
    require(answers != NULL, "answers");
    answers->directory = -1;
    if (directory == NULL) {
        create_images(answers);
    } else {
        answers->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        require(answers->directory >= 0, directory);
    }
    for (size_t i = 0; i < ERRORS_COUNT; i++) {
        answers->errors[i] = create_error(i);
    }
    return answers;
}

void flag_answers_destroy(flag_answers *answers) {
    for (size_t code = 0; code < FLAG_CODES; code++) {
        if (answers->image_responses[code] != NULL) {
            MHD_destroy_response(answers->image_responses[code]);
        }
        flag_image_free(&answers->images[code]);
    }
    for (size_t i = 0; i < ERRORS_COUNT; i++) {
        MHD_destroy_response(answers->errors[i]);
    }
    if (answers->directory >= 0) {
        close(answers->directory);
    }
    free(answers);
}

/* ---- a request's answer ------------------------------------------------------------------------ */

flag_answer flag_answers_error(const flag_answers *answers, unsigned status) {
    size_t i = 0;
    while (i < ERRORS_COUNT - 1 && ERRORS[i].status != status) {
        i++;
    }
    return (flag_answer){.status = ERRORS[i].status, .response = answers->errors[i]};
}

/* What there is not, or is not for us; anything else went wrong here. */
static unsigned status_of_problem(int problem) {
    switch (problem) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case EXDEV:
    case EACCES:
    case ENXIO:
        return MHD_HTTP_NOT_FOUND;
    default:
        return MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
}

static flag_answer open_file(const flag_answers *answers, unsigned code) {
    const int file = beneath_open(answers->directory, flag_path_of(code).text);
    if (file < 0) {
        return flag_answers_error(answers, status_of_problem(errno));
    }
    struct stat status;
    const bool is_file = fstat(file, &status) == 0 && S_ISREG(status.st_mode);
    struct MHD_Response *response =
        is_file ? MHD_create_response_from_fd64((uint64_t)status.st_size, file) : NULL;
    if (response == NULL) {
        close(file);
        return flag_answers_error(answers, status_of_problem(is_file ? ENOMEM : EISDIR));
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "image/gif");
    return (flag_answer){.status = MHD_HTTP_OK, .response = response, .is_ours = true};
}

flag_answer flag_answers_image(const flag_answers *answers, unsigned code) {
    if (code == FLAG_NO_CODE) {
        return flag_answers_error(answers, MHD_HTTP_NOT_FOUND);
    }
    if (answers->directory >= 0) {
        return open_file(answers, code);
    }
    struct MHD_Response *response = answers->image_responses[code];
    if (response == NULL) {
        return flag_answers_error(answers, MHD_HTTP_NOT_FOUND);
    }
    return (flag_answer){.status = MHD_HTTP_OK, .response = response};
}

enum MHD_Result flag_answer_queue(flag_answer answer, struct MHD_Connection *connection) {
    const enum MHD_Result result = MHD_queue_response(connection, answer.status, answer.response);
    if (answer.is_ours) {
        MHD_destroy_response(answer.response);
    }
    return result;
}
