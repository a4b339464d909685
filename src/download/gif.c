#include "download/gif.h"

#include <string.h>

bool gif_has_signature(const char *data, size_t size) {
    return size >= GIF_SIGNATURE_SIZE && (memcmp(data, "GIF89a", GIF_SIGNATURE_SIZE) == 0 ||
                                          memcmp(data, "GIF87a", GIF_SIGNATURE_SIZE) == 0);
}

enum {
    EXTENSION = 0x21,
    IMAGE = 0x2C,
    TRAILER = 0x3B,
};

/* What is left to be looked at. */
typedef struct cursor {
    const unsigned char *at;
    size_t left;
} cursor;

static bool skip(cursor *c, size_t count) {
    if (c->left < count) {
        return false;
    }
    c->at += count;
    c->left -= count;
    return true;
}

/* A colour table of 2 to 256 entries of 3 bytes, if the descriptor's flags say that there is one. */
static bool skip_colours(cursor *c, unsigned flags) {
    const bool present = (flags & 0x80) != 0;
    return !present || skip(c, (size_t)3 << ((flags & 7) + 1));
}

/* Each begins with its length; one of length 0 is the last. */
static bool skip_sub_blocks(cursor *c) {
    size_t length;
    do {
        if (c->left == 0) {
            return false;
        }
        length = c->at[0];
        if (!skip(c, 1 + length)) {
            return false;
        }
    } while (length > 0);
    return true;
}

/* Width and height of the screen, flags, background, aspect. */
static bool skip_screen(cursor *c) {
    const unsigned char *screen = c->at;
    return skip(c, 7) && skip_colours(c, screen[4]);
}

/* Place and size, flags; then the size of a code, and the pixels. */
static bool skip_image(cursor *c) {
    const unsigned char *image = c->at;
    return skip(c, 9) && skip_colours(c, image[8]) && skip(c, 1) && skip_sub_blocks(c);
}

static bool reaches_trailer(cursor *c) {
    bool has_image = false;
    for (;;) {
        const unsigned char *block = c->at;
        if (!skip(c, 1)) {
            return false;
        }
        switch (*block) {
        case IMAGE:
            has_image = true;
            if (!skip_image(c)) {
                return false;
            }
            break;
        case EXTENSION: /* of some kind */
            if (!skip(c, 1) || !skip_sub_blocks(c)) {
                return false;
            }
            break;
        case TRAILER:
            return has_image;
        default:
            return false;
        }
    }
}

const char *gif_fault(const char *data, size_t size) {
    if (size == 0) {
        return "empty body";
    }
    if (!gif_has_signature(data, size)) {
        return "not a GIF";
    }
    cursor c = {(const unsigned char *)data, size};
    const bool whole = skip(&c, GIF_SIGNATURE_SIZE) && skip_screen(&c) && reaches_trailer(&c);
    return whole ? NULL : "broken GIF";
}
