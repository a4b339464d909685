/* Where the image of a code lies, below a URL's root and below a folder: flags/cc/cc.gif, the code in
 * small letters. Here a code is a number: 26 times its first letter and its second, A being 0. */
#ifndef PROGRAMS_FLAG_PATH_H
#define PROGRAMS_FLAG_PATH_H

enum {
    FLAG_CODES = 26 * 26,
    FLAG_NO_CODE = FLAG_CODES, /* of a path that is no flag's */
};

typedef struct flag_path {
    char text[sizeof "flags/cc/cc.gif"];
} flag_path;

flag_path flag_path_of(unsigned code); /* not of FLAG_NO_CODE */

/* The code of a request's target "/flags/cc/cc.gif" or "http://HOST/flags/cc/cc.gif", whether or not there is such a
 * flag; else FLAG_NO_CODE. */
unsigned flag_path_code(const char *target);

typedef struct flag_code_text {
    char text[3]; /* "BR"; "??" for FLAG_NO_CODE */
} flag_code_text;

flag_code_text flag_code_text_of(unsigned code);

/* The number of two capital letters. */
static inline unsigned flag_code_of(const char *text) {
    return (unsigned)(text[0] - 'A') * 26 + (unsigned)(text[1] - 'A');
}

#endif
