/* The images that slow_server draws: whole GIFs, of the sizes that are promised, always the same. */
#include "../check.h"

#include "download/country_codes.h"
#include "programs/slow_server/flag_image.h"

#include <gif_lib.h>
#include <string.h>

TestSuite(flag_image, .timeout = TEST_SECONDS);

#define COUNTRIES 194

typedef struct reader {
    const unsigned char *at;
    size_t left;
} reader;

static int read_some(GifFileType *gif, GifByteType *bytes, int wanted) {
    reader *r = gif->UserData;
    const size_t length = r->left < (size_t)wanted ? r->left : (size_t)wanted;
    memcpy(bytes, r->at, length);
    r->at += length;
    r->left -= length;
    return (int)length;
}

static void draw_all(flag_image *images) {
    EXPECT_EQ(COUNTRY_CODES_COUNT, COUNTRIES);
    for (size_t i = 0; i < COUNTRIES; i++) {
        cr_assert(flag_image_draw(i, &images[i]));
    }
}

static void free_all(flag_image *images) {
    for (size_t i = 0; i < COUNTRIES; i++) {
        flag_image_free(&images[i]);
        cr_assert(images[i].data == NULL && images[i].size == 0);
    }
}

/* FNV-1a */
static uint64_t hash_more(uint64_t hash, const void *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3;
    }
    return hash;
}

Test(flag_image, sizes) {
    flag_image images[COUNTRIES];
    draw_all(images);
    size_t total = 0, shortest = SIZE_MAX, longest = 0;
    for (size_t i = 0; i < COUNTRIES; i++) {
        total += images[i].size;
        shortest = images[i].size < shortest ? images[i].size : shortest;
        longest = images[i].size > longest ? images[i].size : longest;
    }
    /* 2.35 MB, give or take 3 % */
    cr_assert(total > 2280000 && total < 2420000, "%zu bytes in all", total);
    cr_assert(shortest > 1100 && shortest < 1500, "the shortest has %zu bytes", shortest);
    cr_assert(longest > 34000 && longest < 37000, "the longest has %zu bytes", longest);
    free_all(images);
}

/* Decoded by giflib; the file ends where it says, and every pixel has a colour. */
static uint64_t hash_decoded(uint64_t hash, const flag_image *image) {
    reader r = {image->data, image->size};
    GifFileType *gif = DGifOpen(&r, read_some, NULL);
    cr_assert(gif != NULL && DGifSlurp(gif) == GIF_OK);
    EXPECT_EQ(r.left, 0);
    EXPECT_EQ(gif->ImageCount, 1);
    EXPECT_EQ(image->data[image->size - 1], ';');
    const SavedImage *saved = &gif->SavedImages[0];
    const size_t pixels = (size_t)gif->SWidth * (size_t)gif->SHeight;
    EXPECT_EQ(saved->ImageDesc.Width, gif->SWidth);
    EXPECT_EQ(saved->ImageDesc.Height, gif->SHeight);
    cr_assert(gif->SWidth > gif->SHeight && gif->SHeight > 30);
    const ColorMapObject *palette = gif->SColorMap;
    for (size_t i = 0; i < pixels; i++) {
        cr_assert(saved->RasterBits[i] < palette->ColorCount);
        hash = hash_more(hash, &palette->Colors[saved->RasterBits[i]], sizeof(GifColorType));
    }
    cr_assert(DGifCloseFile(gif, NULL) == GIF_OK);
    return hash;
}

/* Not the files' bytes: another version of giflib may write the same image in others. */
Test(flag_image, the_same_on_every_machine) {
    flag_image images[COUNTRIES];
    draw_all(images);
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < COUNTRIES; i++) {
        hash = hash_decoded(hash, &images[i]);
    }
    cr_assert(hash == 0x6252197020e78dea, "the colours of all pixels have the hash 0x%016llx",
              (unsigned long long)hash);
    free_all(images);
}

Test(flag_image, the_same_again) {
    flag_image first[COUNTRIES], second[COUNTRIES];
    draw_all(first);
    draw_all(second);
    for (size_t i = 0; i < COUNTRIES; i++) {
        EXPECT_EQ(first[i].size, second[i].size);
        cr_assert(memcmp(first[i].data, second[i].data, first[i].size) == 0);
    }
    free_all(first);
    free_all(second);
}

Test(flag_image, all_different) {
    flag_image images[COUNTRIES];
    draw_all(images);
    for (size_t i = 0; i < COUNTRIES; i++) {
        for (size_t j = 0; j < i; j++) {
            cr_assert(images[i].size != images[j].size ||
                          memcmp(images[i].data, images[j].data, images[i].size) != 0,
                      "%s and %s have the same flag", COUNTRY_CODES[i].text, COUNTRY_CODES[j].text);
        }
    }
    free_all(images);
}
