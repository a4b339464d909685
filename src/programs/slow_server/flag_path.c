#include "programs/slow_server/flag_path.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

flag_path flag_path_of(unsigned code) {
    const char first = (char)('a' + code / 26 % 26), second = (char)('a' + code % 26);
    flag_path path;
    snprintf(path.text, sizeof path.text, "flags/%c%c/%c%c.gif", first, second, first, second);
    return path;
}

/* What follows the server's name in a URL as proxies are sent it; else the URL itself. */
static const char *skip_server(const char *url) {
    static const char *const SCHEMES[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof SCHEMES / sizeof SCHEMES[0]; i++) {
        const size_t length = strlen(SCHEMES[i]);
        if (strncasecmp(url, SCHEMES[i], length) == 0 && url[length] != '/') {
            return url + length + strcspn(url + length, "/");
        }
    }
    return url;
}

unsigned flag_path_code(const char *target) {
    static const char BEFORE[] = "/flags/";
    const char *url = skip_server(target);
    if (strncmp(url, BEFORE, strlen(BEFORE)) != 0) {
        return FLAG_NO_CODE;
    }
    const char *code = url + strlen(BEFORE);
    if (code[0] < 'a' || code[0] > 'z' || code[1] < 'a' || code[1] > 'z') {
        return FLAG_NO_CODE;
    }
    const unsigned number = (unsigned)(code[0] - 'a') * 26 + (unsigned)(code[1] - 'a');
    return strcmp(url + 1, flag_path_of(number).text) == 0 ? number : FLAG_NO_CODE;
}

flag_code_text flag_code_text_of(unsigned code) {
    if (code == FLAG_NO_CODE) {
        return (flag_code_text){"??"};
    }
    return (flag_code_text){{(char)('A' + code / 26), (char)('A' + code % 26), '\0'}};
}
