/* The HTTP service of slow_server: flags, each after its delay, on a socket that listens. */
#ifndef PROGRAMS_FLAG_SERVICE_H
#define PROGRAMS_FLAG_SERVICE_H

#include "programs/slow_server/fault_plan.h"
#include "programs/slow_server/flag_answers.h"
#include "programs/slow_server/request_log.h"
#include "programs/timeline/observing.h"

typedef struct flag_service flag_service;

/* Serves, on threads of its own, until it is stopped. Takes over the socket (listen_socket.h).
 * `answers`, `log` and `to` must stay for so long. What cannot be had ends the program with a message and EXIT_IO. */
flag_service *flag_service_start(int listen_socket, const flag_answers *answers, request_log *log,
                                 observing *to, const fault_settings *faults);

/* At once: requests that are being delayed get no answer. */
void flag_service_stop(flag_service *service);

#endif
