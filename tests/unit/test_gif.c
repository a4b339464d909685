/* Whole GIFs, and what is none, also in the opinion of giflib. All inputs lie in memory of just their
 * size, so that AddressSanitizer sees a look behind the end. */
#include "../check.h"

#include "download/gif.h"

#ifdef HAVE_GIFLIB
#include "download/country_codes.h"
#include "programs/slow_server/flag_image.h"

#include <gif_lib.h>
#endif

#include <stdlib.h>
#include <string.h>

TestSuite(gif, .timeout = TEST_SECONDS);

/* ---- good ones, by hand ---------------------------------------------------------------------- */

/* The screen is 1 x 1, with a palette of two colours; an image of one pixel fills it. */
#define HEAD_AS(version) "GIF" version "\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff"
#define HEAD             HEAD_AS("89a")
#define IMAGE            "\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0"
#define WITH_PALETTE     "\x2c\0\0\0\0\x01\0\x01\0\x80\x01\x02\x03\x04\x05\x06\x02\x02\x44\x01\0"
#define IN_TWO_BLOCKS    "\x2c\0\0\0\0\x01\0\x01\0\0\x02\x01\x44\x01\x01\0"
#define CONTROL          "\x21\xf9\x04\0\x0a\0\0\0"
#define COMMENT          "\x21\xfe\x05hello\x06 there\0"
#define EMPTY_COMMENT    "\x21\xfe\0"
#define LOOP             "\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
#define UNKNOWN          "\x21\x42\x02;;\0"
#define END              ";"

typedef struct text {
    const char *bytes;
    size_t size;
} text;

#define TEXT(literal)                                                                              \
    { literal, sizeof(literal) - 1 }

static const text GOOD[] = {
    TEXT(HEAD IMAGE END),
    TEXT(HEAD_AS("87a") IMAGE END),
    TEXT("GIF89a\x01\0\x01\0\0\0\0" WITH_PALETTE END), /* no palette for all */
    TEXT(HEAD IN_TWO_BLOCKS END),
    TEXT(HEAD COMMENT IMAGE END),
    TEXT(HEAD IMAGE COMMENT EMPTY_COMMENT END),
    TEXT(HEAD LOOP CONTROL IMAGE CONTROL WITH_PALETTE CONTROL IN_TWO_BLOCKS END),
    TEXT(HEAD UNKNOWN IMAGE UNKNOWN IMAGE END),
};

/* ---- giflib's opinion ------------------------------------------------------------------------ */

typedef enum opinion {
    BROKEN,
    WHOLE,
    NO_OPINION
} opinion;

#ifdef HAVE_GIFLIB
static int read_text(GifFileType *gif, GifByteType *bytes, int count) {
    text *left = gif->UserData;
    const size_t some = (size_t)count < left->size ? (size_t)count : left->size;
    memcpy(bytes, left->bytes, some);
    left->bytes += some;
    left->size -= some;
    return (int)some;
}

static opinion of_record(GifFileType *gif, GifRecordType record) {
    const text *left = gif->UserData;
    GifByteType *block;
    int number;
    int status = GIF_OK;
    if (record == IMAGE_DESC_RECORD_TYPE) {
        if (DGifGetImageDesc(gif) !=
            GIF_OK) { /* or it is the size of a code, which we do not read */
            return left->size > 0 ? NO_OPINION : BROKEN;
        }
        status = DGifGetCode(gif, &number, &block);
        while (status == GIF_OK && block != NULL) {
            status = DGifGetCodeNext(gif, &block);
        }
    } else if (record == EXTENSION_RECORD_TYPE) {
        status = DGifGetExtension(gif, &number, &block);
        while (status == GIF_OK && block != NULL) {
            status = DGifGetExtensionNext(gif, &block);
        }
    }
    return status == GIF_OK ? WHOLE : BROKEN;
}

static opinion of_giflib(const char *bytes, size_t size) {
    text left = {bytes, size};
    GifFileType *gif = DGifOpen(&left, read_text, NULL);
    if (gif == NULL) {
        return BROKEN;
    }
    opinion so_far = WHOLE;
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    while (so_far == WHOLE && record != TERMINATE_RECORD_TYPE) {
        so_far = DGifGetRecordType(gif, &record) == GIF_OK ? of_record(gif, record) : BROKEN;
    }
    if (so_far == WHOLE && gif->ImageCount == 0) {
        so_far = BROKEN;
    }
    DGifCloseFile(gif, NULL);
    return so_far;
}
#else
static opinion of_giflib(const char *bytes, size_t size) {
    (void)bytes, (void)size;
    return NO_OPINION;
}
#endif

/* ---- ours ------------------------------------------------------------------------------------ */

static const char *fault_of(const char *bytes, size_t size) {
    char *copy = malloc(size);
    cr_assert(copy != NULL);
    memcpy(copy, bytes, size);
    const char *fault = gif_fault(copy, size);
    free(copy);
    if (gif_has_signature(bytes, size)) {
        const opinion other = of_giflib(bytes, size);
        cr_assert(other == NO_OPINION || (other == WHOLE) == (fault == NULL),
                  "of %zu bytes giflib thinks otherwise: %s", size, fault ? fault : "a GIF");
    }
    return fault;
}

static void expect_fault(const char *bytes, size_t size, const char *wanted) {
    const char *fault = fault_of(bytes, size);
    cr_assert(fault != NULL, "%zu bytes are a GIF, wanted: %s", size, wanted);
    cr_assert_str_eq(fault, wanted);
}

/* ---- whole ----------------------------------------------------------------------------------- */

Test(gif, good_ones) {
    for (size_t i = 0; i < COUNT_OF(GOOD); i++) {
        const char *fault = fault_of(GOOD[i].bytes, GOOD[i].size);
        cr_assert(fault == NULL, "number %zu: %s", i, fault);
        cr_assert(gif_has_signature(GOOD[i].bytes, GOOD[i].size));
    }
}

Test(gif, the_end_is_the_end) {
    static const char *const BEHIND[] = {"x", END, IMAGE, "\0\0\0", HEAD IMAGE END};
    for (size_t i = 0; i < COUNT_OF(BEHIND); i++) {
        char bytes[200];
        const size_t size = GOOD[0].size, more = 1 + strlen(BEHIND[i]);
        memcpy(bytes, GOOD[0].bytes, size);
        memcpy(bytes + size, BEHIND[i], more);
        cr_assert(fault_of(bytes, size + more) == NULL);
    }
}

/* ---- cut off --------------------------------------------------------------------------------- */

static const char *fault_of_cut(size_t size) {
    return size == 0 ? "empty body" : size < GIF_SIGNATURE_SIZE ? "not a GIF" : "broken GIF";
}

Test(gif, cut_at_every_byte) {
    for (size_t i = 0; i < COUNT_OF(GOOD); i++) {
        for (size_t size = 0; size < GOOD[i].size; size++) {
            expect_fault(GOOD[i].bytes, size, fault_of_cut(size));
        }
    }
}

/* ---- other things ---------------------------------------------------------------------------- */

Test(gif, no_gif) {
    static const char *const TEXTS[] = {
        "G",         "GIF8",   "GIF89",
        "GIF88a,",   "gif89a", "GIF89A",
        " GIF89a",   "GIF90a", "\x89PNG",
        "{\"a\":1}", "\n",     "<!DOCTYPE html><html><body>404 Not Found</body></html>"};
    expect_fault("", 0, "empty body");
    cr_assert_str_eq(gif_fault(NULL, 0), "empty body"); /* as of a body that never came */
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        expect_fault(TEXTS[i], strlen(TEXTS[i]), "not a GIF");
        cr_assert(!gif_has_signature(TEXTS[i], strlen(TEXTS[i])));
    }
}

Test(gif, broken_ones) {
    static const text TEXTS[] = {
        TEXT("GIF89a"),
        TEXT("GIF89a<html>and so on, for more than a head is long</html>"),
        TEXT(HEAD END), /* no image */
        TEXT(HEAD COMMENT LOOP END),
        TEXT(HEAD "x" IMAGE END),  /* no such block */
        TEXT(HEAD IMAGE "\0" END), /* nor this one */
        TEXT(HEAD "\x2c\0\0\0\0\x01\0\x01\0\0\x02\xff\x44\x01\0" END),
        TEXT(HEAD "\x21\xfe\xff no end"),
    };
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        expect_fault(TEXTS[i].bytes, TEXTS[i].size, "broken GIF");
    }
}

/* As a server may send them that means harm: no crash, and no long wait. */
Test(gif, many_blocks) {
    static const text BLOCKS[] = {TEXT(IMAGE), TEXT(EMPTY_COMMENT), TEXT(WITH_PALETTE)};
    const size_t room = (size_t)16 << 20;
    char *bytes = malloc(room);
    cr_assert(bytes != NULL);
    for (size_t i = 0; i < COUNT_OF(BLOCKS); i++) {
        size_t size = sizeof HEAD IMAGE - 1;
        memcpy(bytes, HEAD IMAGE, size);
        for (; size + BLOCKS[i].size < room; size += BLOCKS[i].size) {
            memcpy(bytes + size, BLOCKS[i].bytes, BLOCKS[i].size);
        }
        const int64_t start = now_ns();
        cr_assert_str_eq(gif_fault(bytes, size), "broken GIF");
        bytes[size] = ';';
        cr_assert(gif_fault(bytes, size + 1) == NULL);
        cr_assert(now_ns() - start < 5 * SECOND);
    }
    free(bytes);
}

/* ---- random changes -------------------------------------------------------------------------- */

static size_t random_below(uint64_t *seed, size_t limit) {
    return (size_t)(random_next(seed) % limit);
}

/* Changes, removes or repeats some bytes; returns the new size, which is at most twice the old one. */
static size_t change(uint64_t *seed, char *bytes, size_t size) {
    const size_t at = random_below(seed, size), some = 1 + random_below(seed, size - at);
    switch (random_next(seed) % 4) {
    case 0:
        bytes[at] = (char)random_next(seed);
        return size;
    case 1:
        bytes[at] ^= (char)(1 << random_next(seed) % 8);
        return size;
    case 2:
        memmove(bytes + at, bytes + at + some, size - at - some);
        return size - some;
    default:
        memmove(bytes + at + some, bytes + at, size - at);
        return size + some;
    }
}

static void expect_some_answer(const char *bytes, size_t size) {
    const char *fault = fault_of(bytes, size);
    cr_assert(fault == NULL || strcmp(fault, "broken GIF") == 0 ||
              strcmp(fault, "not a GIF") == 0 || (size == 0 && strcmp(fault, "empty body") == 0));
    cr_assert(fault == fault_of(bytes, size)); /* the same each time */
}

Test(gif, random_changes) {
    uint64_t seed = test_seed("gif.random_changes");
    for (size_t round = scaled(30000); round > 0; round--) {
        const text *from = &GOOD[random_below(&seed, COUNT_OF(GOOD))];
        char bytes[4096];
        size_t size = from->size;
        memcpy(bytes, from->bytes, size);
        for (size_t left = 1 + random_below(&seed, 4); left > 0 && size > 0; left--) {
            size = change(&seed, bytes, size);
        }
        expect_some_answer(bytes, size);
    }
}

/* ---- images as long as real ones ------------------------------------------------------------- */

#ifdef HAVE_GIFLIB
Test(gif, flags) {
    uint64_t seed = test_seed("gif.flags");
    for (size_t i = 0; i < COUNTRY_CODES_COUNT; i++) {
        flag_image image;
        cr_assert(flag_image_draw(i, &image));
        const char *bytes = (const char *)image.data;
        cr_assert(fault_of(bytes, image.size) == NULL, "%s", COUNTRY_CODES[i].text);
        expect_fault(bytes, image.size - 1, "broken GIF");
        for (int cut = 0; cut < 20; cut++) {
            const size_t size = random_below(&seed, image.size);
            expect_fault(bytes, size, fault_of_cut(size));
        }
        for (int changed = 0; changed < 5; changed++) {
            const size_t at = random_below(&seed, image.size);
            image.data[at] = (unsigned char)random_next(&seed);
            expect_some_answer(bytes, image.size);
        }
        flag_image_free(&image);
    }
}
#endif
