/* What slow_server answers: images and errors, as libmicrohttpd's responses. All but files are made
 * once, and then are only read: every thread may use them at any time. */
#ifndef PROGRAMS_FLAG_ANSWERS_H
#define PROGRAMS_FLAG_ANSWERS_H

#include <microhttpd.h>
#include <stdbool.h>

typedef struct flag_answers flag_answers;

typedef struct flag_answer {
    unsigned status;
    struct MHD_Response *response;
    bool is_ours; /* only: not one of those that are made once */
} flag_answer;

/* Of images that are drawn now, or of the files below the directory, which are read when they are
 * asked for. What cannot be had ends the program with a message and EXIT_IO. */
flag_answers *flag_answers_create(const char *directory);
void flag_answers_destroy(flag_answers *answers);

/* The image of a code (flag_path.h), or an error. */
flag_answer flag_answers_image(const flag_answers *answers, unsigned code);

/* The status is one of 404, 405, 418, 500. */
flag_answer flag_answers_error(const flag_answers *answers, unsigned status);

/* Hands the answer over to the connection. */
enum MHD_Result flag_answer_queue(flag_answer answer, struct MHD_Connection *connection);

#endif
