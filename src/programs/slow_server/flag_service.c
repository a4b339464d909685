/* How 1000 requests wait at once without 1000 threads.
 *
 *     libmicrohttpd's threads            begin ──▶ suspend ──▶ timer_queue ──▶ ... answer
 *     the timer queue's thread                                      └──▶ resume ──▶ ┘
 *
 * libmicrohttpd has a few threads, each with an epoll and its own connections, and calls
 *
 *   handle_request     when a request's headers are there, when all of it is there, and after a resume
 *   finish_request     when a request that handle_request knows is over, however it ended
 *
 * for one connection always on the same thread, never two calls at a time, and with none of its locks
 * held. So a request is touched by one thread only; what all share (answers, settings, log) is only
 * read or has whole operations (counts, lines).
 *
 * A suspended connection is in nobody's epoll, and libmicrohttpd neither calls for it nor gives it up
 * before it is resumed, also not as idle. It is suspended first, and then put into the queue: so the queue resumes only
 * what is suspended, and everything suspended is resumed exactly once, by the queue, or, if that
 * takes nothing more, by handle_request itself. Resuming takes a lock of libmicrohttpd's, and wakes
 * the connection's thread through a descriptor, which no wake-up is lost on; the queue's own lock is
 * not held meanwhile, so the two can be taken in any order.
 *
 * The end: libmicrohttpd must not be stopped while a connection is suspended. First `stopping` is
 * set: from then on what is resumed is not answered but closed. Then the queue is stopped, which
 * resumes all that it has; when that returns, a connection is suspended only inside handle_request,
 * which finds the queue stopped and resumes it. Then libmicrohttpd is stopped; its threads resume what
 * is marked so, close all connections, and are joined.
 */
#define _GNU_SOURCE /* POLLRDHUP, sched_getaffinity */
#include "programs/slow_server/flag_service.h"

#include "platform/clock.h"
#include "programs/base/open_files.h"
#include "programs/base/output.h"
#include "programs/slow_server/flag_path.h"
#include "programs/slow_server/request_trace.h"
#include "programs/slow_server/timer_queue.h"

#include <errno.h>
#include <error.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_WANTED 8192U /* at a time */
#define CONNECTIONS_ENOUGH 1000U /* fewer are worth a message */
#define THREADS_MOST       4U    /* two answer 60 000 requests a second */
#define IDLE_SECONDS       75U   /* then a connection without a request is closed, as by nginx */

struct flag_service {
    const flag_answers *answers;
    request_log *log;
    fault_plan plan;
    request_trace trace;
    timer_queue *delays;
    struct MHD_Daemon *daemon;
    atomic_bool stopping;
};

typedef struct request {
    struct MHD_Connection *connection;
    traced_request traced;
    int64_t arrival_ns, answered_ns;
    unsigned code, status;
    bool is_head;
    bool is_begun;
    fault fault;
} request;

/* ---- a request, on its connection's thread ----------------------------------------------------- */

static enum MHD_Result answer(flag_service *service, request *r, flag_answer a) {
    r->status = a.status;
    r->answered_ns = plat_now_ns();
    /* Before the answer: who has it finds it in the log. */
    request_log_answer(service->log, r->arrival_ns, r->fault.delay_ns, a.status,
                       flag_code_text_of(r->code).text);
    return flag_answer_queue(a, r->connection);
}

static enum MHD_Result answer_with_image(flag_service *service, request *r) {
    return answer(service, r,
                  r->fault.is_error ? flag_answers_error(service->answers, 418)
                                    : flag_answers_image(service->answers, r->code));
}

static void resume(void *thing) {
    const request *r = thing;
    MHD_resume_connection(r->connection);
}

static enum MHD_Result begin(flag_service *service, request *r) {
    r->is_begun = true;
    if (!r->is_head) {
        r->fault = fault_plan_next(&service->plan, r->code);
    }
    if (r->fault.delay_ns == 0) {
        return answer_with_image(service, r);
    }
    request_log_delay(flag_code_text_of(r->code).text, r->fault.delay_ns);
    MHD_suspend_connection(r->connection);
    if (!timer_queue_add(service->delays, r->arrival_ns + r->fault.delay_ns, r)) {
        resume(r);
    }
    return MHD_YES;
}

/* libmicrohttpd has not looked at the connection while it was suspended, and would find out by
 * sending, if at all. Like nginx it takes a client that sends no more for one that is gone. */
static bool client_is_gone(const request *r) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pollfd client = {.fd = info->connect_fd, .events = POLLRDHUP};
    return poll(&client, 1, 0) > 0;
}

/* The first call for a request. An answer given already here would end the connection, so that it
 * is given only to what may have a body that nobody wants to read. */
static enum MHD_Result meet(flag_service *service, struct MHD_Connection *connection,
                            const char *url, const char *method, void **known) {
    request *r = malloc(sizeof *r);
    if (r == NULL) {
        return MHD_NO;
    }
    *r = (request){
        .connection = connection,
        .traced = request_trace_arrived(&service->trace),
        .arrival_ns = plat_now_ns(),
        .code = flag_path_code(url),
        .is_head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0,
    };
    *known = r;
    if (!r->is_head && strcmp(method, MHD_HTTP_METHOD_GET) != 0) {
        return answer(service, r,
                      flag_answers_error(service->answers, MHD_HTTP_METHOD_NOT_ALLOWED));
    }
    return MHD_YES;
}

static enum MHD_Result handle_request(void *data, struct MHD_Connection *connection,
                                      const char *url, const char *method, const char *version,
                                      const char *body, size_t *body_size, void **known) {
    (void)version;
    (void)body;
    flag_service *service = data;
    request *r = *known;
    if (atomic_load(&service->stopping)) {
        return MHD_NO;
    }
    if (r == NULL) {
        return meet(service, connection, url, method, known);
    }
    if (*body_size > 0) {
        *body_size = 0; /* read, and of no interest */
        return MHD_YES;
    }
    if (!r->is_begun) {
        return begin(service, r);
    }
    return client_is_gone(r) ? MHD_NO : answer_with_image(service, r);
}

static void finish_request(void *data, struct MHD_Connection *connection, void **known,
                           enum MHD_RequestTerminationCode how) {
    (void)connection;
    flag_service *service = data;
    request *r = *known;
    const bool is_closed = how != MHD_REQUEST_TERMINATED_COMPLETED_OK &&
                           !atomic_load(&service->stopping); /* by the client */
    if (r != NULL && is_closed) {
        request_log_closed(flag_code_text_of(r->code).text);
    }
    if (r != NULL) {
        const flag_code_text code = flag_code_text_of(r->code);
        request_trace_ended(&service->trace, r->traced,
                            &(request_end){.arrival_ns = r->arrival_ns,
                                           .answered_ns = r->answered_ns,
                                           .status = r->status,
                                           .code = code.text,
                                           .client_closed = is_closed});
    }
    free(r);
    *known = NULL;
}

/* libmicrohttpd's own, after which a path would end at its %00: so that remains as it is, and is no flag's. */
static size_t unescape(void *data, struct MHD_Connection *connection, char *text) {
    (void)data, (void)connection;
    return strstr(text, "%00") == NULL ? MHD_http_unescape(text) : strlen(text);
}

/* ---- start and stop ---------------------------------------------------------------------------- */

/* How many connections there may be at a time. One may hold a file besides its socket, but only
 * while that is being sent. */
static unsigned allow_connections(void) {
    const unsigned descriptors = open_files_allow(2 * CONNECTIONS_WANTED, 1);
    if (descriptors < CONNECTIONS_ENOUGH) {
        error(0, 0, "the limit on open files has room for %u of %u connections", descriptors,
              CONNECTIONS_ENOUGH);
    }
    return descriptors < CONNECTIONS_WANTED ? descriptors : CONNECTIONS_WANTED;
}

static unsigned count_threads(void) {
    cpu_set_t usable;
    if (sched_getaffinity(0, sizeof usable, &usable) != 0) {
        return THREADS_MOST;
    }
    const unsigned cpus = (unsigned)CPU_COUNT(&usable);
    return cpus < THREADS_MOST ? cpus : THREADS_MOST;
}

flag_service *flag_service_start(int listen_socket, const flag_answers *answers, request_log *log,
                                 observing *to, const fault_settings *faults) {
    flag_service *service = calloc(1, sizeof *service);
    if (service == NULL) {
        error(EXIT_IO, errno, "no memory");
    }
    service->answers = answers;
    service->log = log;
    service->plan.settings = *faults;
    const unsigned connections = allow_connections();
    request_trace_prepare(&service->trace, to, connections);
    service->delays = timer_queue_start(connections, resume);
    service->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_SUSPEND_RESUME, 0, NULL, NULL, handle_request,
        service, MHD_OPTION_LISTEN_SOCKET, listen_socket, MHD_OPTION_THREAD_POOL_SIZE,
        count_threads(), MHD_OPTION_CONNECTION_LIMIT, connections, MHD_OPTION_CONNECTION_TIMEOUT,
        IDLE_SECONDS, MHD_OPTION_NOTIFY_COMPLETED, finish_request, service,
        MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_END);
    if (service->daemon == NULL) {
        error(EXIT_IO, errno, "the HTTP service cannot be started");
    }
    return service;
}

void flag_service_stop(flag_service *service) {
    atomic_store(&service->stopping, true);
    timer_queue_stop(service->delays);
    MHD_stop_daemon(service->daemon);
    timer_queue_free(service->delays);
    request_trace_free(&service->trace);
    free(service);
}
