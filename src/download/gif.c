#include "download/gif.h"

#include <gif_lib.h>
#include <string.h>

bool gif_has_signature(const char *data, size_t size) {
    return size >= GIF_SIGNATURE_SIZE && (memcmp(data, "GIF89a", GIF_SIGNATURE_SIZE) == 0 ||
                                          memcmp(data, "GIF87a", GIF_SIGNATURE_SIZE) == 0);
}

typedef struct source {
    const char *data;
    size_t left;
} source;

static int read_source(GifFileType *gif, GifByteType *bytes, int count) {
    source *from = gif->UserData;
    const size_t some = (size_t)count < from->left ? (size_t)count : from->left;
    memcpy(bytes, from->data, some);
    from->data += some;
    from->left -= some;
    return (int)some;
}

static bool skip_image(GifFileType *gif) {
    int code_size;
    GifByteType *block;
    if (DGifGetImageDesc(gif) != GIF_OK || DGifGetCode(gif, &code_size, &block) != GIF_OK) {
        return false;
    }
    while (block != NULL) {
        if (DGifGetCodeNext(gif, &block) != GIF_OK) {
            return false;
        }
    }
    return true;
}

static bool skip_extension(GifFileType *gif) {
    int kind;
    GifByteType *block;
    if (DGifGetExtension(gif, &kind, &block) != GIF_OK) {
        return false;
    }
    while (block != NULL) {
        if (DGifGetExtensionNext(gif, &block) != GIF_OK) {
            return false;
        }
    }
    return true;
}

static bool reaches_end(GifFileType *gif) {
    GifRecordType record;
    bool fine;
    do {
        fine = DGifGetRecordType(gif, &record) == GIF_OK;
        if (fine && record == IMAGE_DESC_RECORD_TYPE) {
            fine = skip_image(gif);
        } else if (fine && record == EXTENSION_RECORD_TYPE) {
            fine = skip_extension(gif);
        }
    } while (fine && record != TERMINATE_RECORD_TYPE);
    return fine && gif->ImageCount > 0;
}

const char *gif_fault(const char *data, size_t size) {
    if (size == 0) {
        return "empty body";
    }
    if (!gif_has_signature(data, size)) {
        return "not a GIF";
    }
    source from = {data, size};
    GifFileType *gif = DGifOpen(&from, read_source, NULL);
    if (gif == NULL) {
        return "broken GIF";
    }
    const bool whole = reaches_end(gif);
    DGifCloseFile(gif, NULL);
    return whole ? NULL : "broken GIF";
}
