#include "download/stop.h"

#include "platform/descriptor.h"

#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>

int download_stop_open(download_stop *stop) {
    stop->fd = plat_descriptor_above_standard(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    return stop->fd < 0 ? errno : 0;
}

void download_stop_close(download_stop *stop) {
    close(stop->fd);
}

void download_stop_request(const download_stop *stop) {
    const uint64_t one = 1;
    ssize_t written; /* fails only if it is set a great many times over */
    do {
        written = write(stop->fd, &one, sizeof one);
    } while (written < 0 && errno == EINTR);
}

bool download_stop_requested(const download_stop *stop) {
    struct pollfd poller = {.fd = stop->fd, .events = POLLIN};
    return poll(&poller, 1, 0) > 0;
}
