/* slow_server [OPTION...] [PORT]: flags over HTTP, late and with errors, to test downloads with. */
#include "programs/base/output.h"
#include "programs/slow_server/flag_answers.h"
#include "programs/slow_server/flag_service.h"
#include "programs/slow_server/flag_tree.h"
#include "programs/slow_server/listen_socket.h"
#include "programs/slow_server/request_log.h"
#include "programs/slow_server/slow_server_options.h"

#include <signal.h>
#include <stdlib.h>

/* SIGINT and SIGTERM, unless they were ignored when the program began. Blocked before any other
 * thread is there, so that they come to who waits for them. */
static sigset_t block_signals(void) {
    static const int SIGNALS[] = {SIGINT, SIGTERM};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof SIGNALS / sizeof SIGNALS[0]; i++) {
        struct sigaction action;
        sigaction(SIGNALS[i], NULL, &action);
        if (action.sa_handler != SIG_IGN) {
            sigaddset(&set, SIGNALS[i]);
        }
    }
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return set;
}

static int wait_for_signal(const sigset_t *set) {
    int number;
    do {
        number = sigwaitinfo(set, NULL);
    } while (number < 0);
    /* A second one ends the program at once. */
    pthread_sigmask(SIG_UNBLOCK, set, NULL);
    return number;
}

/* Returns the exit code. */
static int serve(const slow_server_options *options) {
    const sigset_t signals = block_signals();
    const listen_socket s = listen_socket_open(options->bind, options->port);
    flag_answers *answers = flag_answers_create(options->directory);
    request_log log;
    request_log_open(&log, options->log); /* that of a server that is running stays */
    observing *to = observing_begin(
        &options->observing, &(observing_subject){.program = "slow_server", .worker = "track"});
    flag_service *service = flag_service_start(s.descriptor, answers, &log, to, &options->faults);

    const char *open = s.is_ipv6 ? "[" : "", *close = s.is_ipv6 ? "]" : "";
    output_print("Serving HTTP on %s port %u (http://%s%s%s:%u/) ...\n", s.address, s.port, open,
                 s.address, close, s.port);
    output_flush();

    const int number = wait_for_signal(&signals);
    flag_service_stop(service);
    flag_answers_destroy(answers);
    output_print("\n%s, exiting.\n",
                 number == SIGINT ? "Keyboard interrupt received" : "Terminated");
    return observing_end(to);
}

int main(int argc, char **argv) {
    slow_server_options options;
    output_prepare(argv);
    slow_server_options_parse(&options, argc, argv);
    if (options.export_to != NULL) {
        flag_tree_export(options.export_to);
        return EXIT_SUCCESS;
    }
    return serve(&options);
}
