/* The team of the peers that use libgomp: each program has one such peer. */
#ifndef BENCH_PEERS_LIBGOMP_TEAM_H
#define BENCH_PEERS_LIBGOMP_TEAM_H

#include "bench/driver.h"

#include <stdio.h>

static int team;

static const char *version(void) {
    static char text[32];
    snprintf(text, sizeof text, "gcc %d.%d", __GNUC__, __GNUC_MINOR__);
    return text;
}

/* The threads of a region stay, and wait for the next one. */
static void open_team(unsigned workers) {
    team = (int)workers;
    int seen = 0;
#pragma omp parallel num_threads(team) reduction(+ : seen)
    seen++;
    if (seen != team) {
        bench_fail("libgomp: the team is not complete");
    }
}

static void close_team(void) {
}

#endif
