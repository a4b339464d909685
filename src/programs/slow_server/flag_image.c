/* A flag is a layout, a few colours and a grain. The grain is noise in the colours' shades, which cannot
 * be compressed: so a file is as long as its image has pixels, and the images are made as large as
 * the lengths that real flags have. All arithmetic is on integers, so that any machine draws the same. */
#include "programs/slow_server/flag_image.h"

#include <gif_lib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- layouts: which of the flag's colours a point has ------------------------------------------ */

enum {
    WIDTH = 600, /* of the plane that layouts are drawn on, whatever the image's size */
    HEIGHT = 400,
    COLOURS = 4,
};

static unsigned horizontal_bands(int x, int y) {
    (void)x;
    return (unsigned)(y * 3 / HEIGHT);
}

static unsigned vertical_bands(int x, int y) {
    (void)y;
    return (unsigned)(x * 3 / WIDTH);
}

static unsigned cross(int x, int y) {
    const int from_upright = abs(x - WIDTH / 3), from_bar = abs(y - HEIGHT / 2);
    const int nearest = from_upright < from_bar ? from_upright : from_bar;
    return nearest < 25 ? 2 : nearest < 50 ? 1 : 0;
}

static unsigned saltire(int x, int y) {
    const int falling = abs(x * HEIGHT - y * WIDTH),
              rising = abs(x * HEIGHT + y * WIDTH - WIDTH * HEIGHT);
    const int nearest = falling < rising ? falling : rising;
    return nearest < 15000 ? 2 : nearest < 30000 ? 1 : 0;
}

static unsigned disc(int x, int y) {
    const int dx = x - WIDTH / 2, dy = y - HEIGHT / 2;
    return dx * dx + dy * dy < 120 * 120 ? 1 : 0;
}

static unsigned triangle_at_hoist(int x, int y) {
    const int reach = HEIGHT / 2 - abs(y - HEIGHT / 2);
    return x < reach * 5 / 4 ? 0 : y < HEIGHT / 2 ? 1 : 2;
}

static unsigned stripes_with_canton(int x, int y) {
    const int stripe = y * 9 / HEIGHT;
    if (x >= WIDTH * 2 / 5 || stripe >= 5) {
        return stripe % 2 == 0 ? 0 : 1;
    }
    return x / 20 % 3 == 1 && y / 20 % 3 == 1 ? 3 : 2;
}

static unsigned diagonal_band(int x, int y) {
    const int from_band = x * HEIGHT + y * WIDTH - WIDTH * HEIGHT;
    return abs(from_band) < 40000 ? 1 : from_band < 0 ? 0 : 2;
}

static unsigned quarters(int x, int y) {
    return (x < WIDTH / 2 ? 0U : 1U) + (y < HEIGHT / 2 ? 0U : 2U);
}

static unsigned diamond(int x, int y) {
    const int dx = abs(x - WIDTH / 2), dy = abs(y - HEIGHT / 2);
    return dx * dx + dy * dy < 80 * 80 ? 2 : dx * 2 + dy * 3 < WIDTH * 9 / 10 ? 1 : 0;
}

static unsigned (*const LAYOUTS[])(int x, int y) = {
    horizontal_bands,  vertical_bands,      cross,         saltire,  disc,
    triangle_at_hoist, stripes_with_canton, diagonal_band, quarters, diamond,
};
#define LAYOUTS_COUNT (sizeof LAYOUTS / sizeof LAYOUTS[0])

/* ---- colours ----------------------------------------------------------------------------------- */

static const GifColorType INKS[] = {
    {206, 17, 38}, {255, 255, 255}, {0, 56, 168},    {252, 209, 22}, {0, 122, 61},
    {30, 30, 30},  {255, 130, 0},   {108, 172, 228}, {138, 21, 56},
};
#define INKS_COUNT (sizeof INKS / sizeof INKS[0])

typedef struct flag {
    unsigned (*layout)(int x, int y);
    unsigned inks[COLOURS]; /* all different */
    int width, height;      /* pixels */
    unsigned shade_bits;    /* each colour has 2^shade_bits shades */
    uint64_t noise;
} flag;

/* SplitMix64: the next of the sequence that *state stands for. */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static void choose_inks(flag *f) {
    unsigned order[INKS_COUNT];
    for (unsigned i = 0; i < INKS_COUNT; i++) {
        order[i] = i;
    }
    for (unsigned i = 0; i < COLOURS; i++) {
        const unsigned other = i + (unsigned)(next_random(&f->noise) % (INKS_COUNT - i));
        f->inks[i] = order[other];
        order[other] = order[i];
    }
}

static GifByteType shaded(GifByteType value, unsigned shade, unsigned shades) {
    return (GifByteType)(value * (4 * shades + shade) / (5 * shades));
}

static void fill_palette(const flag *f, GifColorType *palette) {
    const unsigned shades = 1U << f->shade_bits;
    for (unsigned colour = 0; colour < COLOURS; colour++) {
        const GifColorType ink = INKS[f->inks[colour]];
        for (unsigned shade = 0; shade < shades; shade++) {
            palette[colour * shades + shade] = (GifColorType){
                .Red = shaded(ink.Red, shade, shades),
                .Green = shaded(ink.Green, shade, shades),
                .Blue = shaded(ink.Blue, shade, shades),
            };
        }
    }
}

/* ---- sizes ------------------------------------------------------------------------------------- */

/* From 1200 to 36000, and 12075 on average. Multiples of the golden ratio, less their whole part, fill
 * the interval from 0 to 1 evenly, however many there are; more of the files are short than long. */
static unsigned wanted_size(size_t country) {
    const uint64_t one = 65536;
    const uint64_t u = (uint32_t)((country + 1) * 2654435769U) >> 16; /* from 0 to one */
    const uint64_t bent = u * u * (3 * one + u) / (4 * one * one);    /* so too */
    return (unsigned)(1200 + 34800 * bent / one);
}

/* Where images are small, a palette of 256 colours would be most of the file. */
static void choose_size(flag *f, unsigned size) {
    f->shade_bits = size < 5000 ? 3 : 6;
    const unsigned palette = 3U * COLOURS << f->shade_bits, around = 28;
    const unsigned bits_per_1000_pixels = size < 5000 ? 4500 : 9600; /* as measured */
    const unsigned pixels = (size - palette - around) * 8000 / bits_per_1000_pixels;
    while (f->width * f->height < (int)pixels) {
        f->width++;
        f->height = f->width * HEIGHT / WIDTH;
    }
}

/* ---- the file ---------------------------------------------------------------------------------- */

static int append(GifFileType *gif, const GifByteType *bytes, int length) {
    flag_image *image = gif->UserData;
    unsigned char *data = realloc(image->data, image->size + (size_t)length);
    if (data == NULL) {
        return 0;
    }
    memcpy(data + image->size, bytes, (size_t)length);
    image->data = data;
    image->size += (size_t)length;
    return length;
}

static bool put_rows(GifFileType *gif, flag *f) {
    GifByteType row[WIDTH];
    const unsigned mask = (1U << f->shade_bits) - 1;
    for (int y = 0; y < f->height; y++) {
        for (int x = 0; x < f->width; x++) {
            const unsigned colour = f->layout(x * WIDTH / f->width, y * HEIGHT / f->height);
            const unsigned shade = (unsigned)next_random(&f->noise) & mask;
            row[x] = (GifByteType)(colour << f->shade_bits | shade);
        }
        if (EGifPutLine(gif, row, f->width) == GIF_ERROR) {
            return false;
        }
    }
    return true;
}

static bool put_image(GifFileType *gif, flag *f) {
    GifColorType palette[256];
    fill_palette(f, palette);
    const int bits = (int)f->shade_bits + 2;
    ColorMapObject *map = GifMakeMapObject(1 << bits, palette);
    bool done = map != NULL &&
                EGifPutScreenDesc(gif, f->width, f->height, bits, 0, map) != GIF_ERROR &&
                EGifPutImageDesc(gif, 0, 0, f->width, f->height, false, NULL) != GIF_ERROR &&
                put_rows(gif, f);
    GifFreeMapObject(map);
    return done;
}

bool flag_image_draw(size_t country, flag_image *image) {
    flag f = {.layout = LAYOUTS[country % LAYOUTS_COUNT], .noise = country};
    choose_inks(&f);
    choose_size(&f, wanted_size(country));
    *image = (flag_image){0};
    GifFileType *gif = EGifOpen(image, append, NULL);
    bool done = gif != NULL && put_image(gif, &f);
    done = (gif == NULL || EGifCloseFile(gif, NULL) != GIF_ERROR) && done;
    if (!done) {
        flag_image_free(image);
    }
    return done;
}

void flag_image_free(flag_image *image) {
    free(image->data);
    *image = (flag_image){0};
}
