/* Everything at once, at random: every option and every call of the library, while workers, nurseries and
 * whole programs are killed and stopped. Each task has one end, and the right one; its result is right; it
 * ran no more often than it may; nobody is left waiting, and nothing is left behind.
 *
 *     storm [SECONDS]        (CF_TEST_SEED, CF_TEST_MULT)
 *     CF_CHAOS_ROUND=N storm [SECONDS]     round N alone, once or again and again
 *     CF_CHAOS_HANG_MS=N     so long without the end of a round is a hang (20 000)
 *     CF_CHAOS_KEEP_HUNG=1   what hangs is left for a debugger
 *
 * A process of its own, the caller, plays rounds. This one watches: it kills some callers in the middle,
 * ends those that hang, and is the subreaper, so all processes of a dead caller become its children. */
#include "storm.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ROUNDS = 150,          /* of the reduced form */
    REDUCED_SECONDS = 4,   /* it ends then at the latest */
    ROUNDS_OF_CALLER = 24, /* then another process goes on */
    SECONDS_OF_CALLER = 10,
    ROUNDS_BETWEEN_LOOKS = 16,
    LOOK_MS = 10,
    GONE_MS = 2000,  /* so long may processes live on after their caller */
    FAULTS_MOST = 20 /* it ends then; the reduced form at the first */
};

static int64_t hang_ns = 20 * SECOND;
static int64_t program_end_ns;
static int64_t rounds_most; /* -1 = no limit */
static uint64_t faults_most;
static bool is_alone; /* one round is played */
static int64_t slowest_end_ns;

/* ---- the caller ------------------------------------------------------------------------------ */

static int play_rounds(void *context) {
    (void)context;
    setsid(); /* the killer knows the processes of this session as ours */
    clients_init();
    if (getenv("CF_CHAOS_KEEP_HUNG") != NULL) {
        alarm(0); /* of host_start */
    }
    const belongings before = belongings_now();
    const int64_t end_ns = now_ns() + SECONDS_OF_CALLER * SECOND;
    const unsigned most = is_alone ? 1 : ROUNDS_OF_CALLER;
    for (unsigned i = 1; i <= most && !storm->over && now_ns() < end_ns; i++) {
        const uint64_t number = atomic_fetch_add(&storm->next, !is_alone);
        atomic_store(&storm->since_ns, now_ns());
        atomic_store(&storm->round, number);
        round_play(number);
        if (i % ROUNDS_BETWEEN_LOOKS == 0 || is_alone) {
            belongings_check(&before, "a round");
        }
    }
    return 0;
}

/* ---- watching it ----------------------------------------------------------------------------- */

static bool goes_on(void) {
    const uint64_t faults = chaos->lost + chaos->duplicated + chaos->leaked;
    return now_ns() < program_end_ns && chaos->hung == 0 && faults < faults_most &&
           (rounds_most < 0 || (int64_t)sums->rounds < rounds_most);
}

static void reap_others(pid_t caller) {
    siginfo_t info = {0};
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0 &&
           info.si_pid != caller) {
        waitpid(info.si_pid, NULL, 0);
        info.si_pid = 0;
    }
}

static void tell_hang(void) {
    const uint64_t round = storm->round;
    tally_fault(&chaos->hung, "round %" PRIu64 " does not end (CF_CHAOS_ROUND=%" PRIu64 "; %s)",
                round, round, storm->plan);
    if (book->twice > 0) {
        tally_fault(&chaos->duplicated, "round %" PRIu64 ": an attempt began twice: task %u", round,
                    book->culprit);
    }
    for (size_t i = 0; i < COUNT_OF(storm->posts); i++) {
        const char *what = storm->posts[i].what;
        if (what != NULL) {
            fprintf(stderr, "%s: waits: %s %zu, operation %" PRIu64 ": %s\n", chaos_suite,
                    i < CLIENTS_MOST ? "client" : "the round's end", i, storm->posts[i].which,
                    what);
        }
    }
}

static void keep_for_debugger(pid_t caller) {
    if (getenv("CF_CHAOS_KEEP_HUNG") != NULL) {
        fprintf(stderr, "%s: process %d is left as it hangs, until it is killed\n", chaos_suite,
                caller);
        while (!process_ends(caller, LONG_WAIT)) {}
    }
}

/* Returns when the caller has ended: by itself, or killed at `end_ns`, or because it hangs. True if it
 * ended by itself. */
static bool watch(pid_t caller, int64_t end_ns) {
    while (!process_ends(caller, LOOK_MS * MILLISECOND)) {
        const int64_t now = now_ns();
        reap_others(caller);
        atomic_store(&storm->over, !goes_on());
        if (now - storm->since_ns > hang_ns) {
            tell_hang();
            keep_for_debugger(caller);
            kill(caller, SIGKILL);
            return false;
        }
        if (now >= end_ns) {
            tally_add(&sums->callers_killed, 1);
            tally_add(&chaos->kills, 1);
            kill(caller, SIGKILL);
            return false;
        }
    }
    return true;
}

static void tell_death(int status) {
    if (WIFSIGNALED(status) || WEXITSTATUS(status) != 0) {
        tally_fault(&chaos->lost,
                    "round %" PRIu64 ": the caller died: signal %d, status %d "
                    "(CF_CHAOS_ROUND=%" PRIu64 "; %s)",
                    storm->round, WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                    WIFEXITED(status) ? WEXITSTATUS(status) : 0, storm->round, storm->plan);
    }
}

/* Whatever the dead caller's processes have left: they are this process's children now. */
static void end_children(void) {
    char path[64];
    int pid;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    FILE *file = fopen(path, "re");
    while (file != NULL && fscanf(file, "%d", &pid) == 1) {
        fprintf(stderr, "%s: process %d (%c) lives on\n", chaos_suite, pid, process_state(pid));
        kill(pid, SIGKILL);
    }
    if (file != NULL) {
        fclose(file);
    }
}

/* Until there is no child: not even a zombie, and so nobody below one. */
static void await_end_of_all(void) {
    const int64_t start_ns = now_ns();
    bool late = false;
    while (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD) {
        if (now_ns() - start_ns > GONE_MS * MILLISECOND) {
            if (!late) {
                tally_fault(&chaos->leaked,
                            "round %" PRIu64 ": processes outlive their caller (%s)", storm->round,
                            storm->plan);
            }
            late = true;
            end_children();
        }
        if (now_ns() - start_ns > LONG_WAIT) {
            exit(tally_end());
        }
        usleep(200);
    }
    const int64_t taken_ns = now_ns() - start_ns;
    slowest_end_ns = taken_ns > slowest_end_ns ? taken_ns : slowest_end_ns;
}

/* `end_ns`: when it is to be killed. */
static void run_caller(int64_t end_ns) {
    for (size_t i = 0; i < COUNT_OF(storm->posts); i++) {
        atomic_store(&storm->posts[i].what, NULL);
    }
    atomic_store(&storm->since_ns, now_ns());
    const pid_t caller = host_start(play_rounds, NULL);
    if (caller < 0) {
        perror("storm: fork");
        exit(2);
    }
    const bool by_itself = watch(caller, end_ns);
    const int status = host_wait(caller);
    if (by_itself) {
        tell_death(status);
    }
    await_end_of_all();
}

/* ---- the program ----------------------------------------------------------------------------- */

/* Entries of /dev/shm, but for those of the test framework that others may run. */
static size_t count_shared_files(void) {
    size_t count = 0;
    DIR *folder = opendir("/dev/shm");
    for (struct dirent *e = folder ? readdir(folder) : NULL; e != NULL; e = readdir(folder)) {
        count += strncmp(e->d_name, "bxf", 3) != 0;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return count;
}

static bool has_pidfds(void) {
    const int file = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (file >= 0) {
        close(file);
    }
    return file >= 0;
}

static int64_t number_in(const char *variable, int64_t otherwise) {
    const char *text = getenv(variable);
    return text != NULL ? strtoll(text, NULL, 10) : otherwise;
}

static void print_breakdown(int64_t start_ns) {
    const double seconds = (double)(now_ns() - start_ns) / SECOND;
    printf("storm: rounds=%" PRIu64 " items=%" PRIu64 " refused=%" PRIu64 "; sent: KILL=%" PRIu64
           " SEGV=%" PRIu64 " BUS=%" PRIu64 " ABRT=%" PRIu64 " TERM=%" PRIu64 " STOP=%" PRIu64
           "; raised by tasks: KILL=%" PRIu64 " SEGV=%" PRIu64 " BUS=%" PRIu64 " ABRT=%" PRIu64
           " TERM=%" PRIu64 " exits=%" PRIu64 "; nurseries: killed=%" PRIu64 " stopped=%" PRIu64
           "; callers killed=%" PRIu64 ", all gone after %.0f ms at most; %.1f s, %.0f rounds/s, "
           "%.0f kills/s, %.0f tasks/s; late waits=%" PRIu64 "\n",
           sums->rounds, sums->items, sums->refused, sums->sent[SIGKILL], sums->sent[SIGSEGV],
           sums->sent[SIGBUS], sums->sent[SIGABRT], sums->sent[SIGTERM], sums->sent[SIGSTOP],
           sums->own[SIGKILL], sums->own[SIGSEGV], sums->own[SIGBUS], sums->own[SIGABRT],
           sums->own[SIGTERM], sums->own[0], sums->nurseries_killed, sums->nurseries_stopped,
           sums->callers_killed, (double)slowest_end_ns / MILLISECOND, seconds,
           (double)sums->rounds / seconds, (double)chaos->kills / seconds,
           (double)chaos->tasks / seconds, sums->late);
}

int main(int argc, char **argv) {
    const int64_t seconds = tally_begin("storm", argc, argv);
    const int64_t start_ns = now_ns(), alone = number_in("CF_CHAOS_ROUND", -1);
    const size_t shared_files = count_shared_files();
    uint64_t seed = chaos_seed;
    program_end_ns = start_ns + (seconds > 0 ? seconds : (int64_t)scaled(REDUCED_SECONDS)) * SECOND;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (!has_pidfds()) {
        printf("storm: the kernel has no pidfds: only tasks kill workers\n");
    }
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    ledger_init();
    storm = shared_alloc(sizeof *storm);
    is_alone = alone >= 0;
    storm->next = is_alone ? (uint64_t)alone : 0;
    hang_ns = number_in("CF_CHAOS_HANG_MS", hang_ns / MILLISECOND) * MILLISECOND;
    rounds_most = seconds > 0 ? -1 : is_alone ? 1 : (int64_t)scaled(ROUNDS);
    faults_most = seconds > 0 ? FAULTS_MOST : 1;
    while (goes_on()) {
        const bool is_killed = !is_alone && !one_in(&seed, 4);
        const int64_t life_ns =
            (int64_t)between(&seed, 1, one_in(&seed, 2) ? 30 : 400) * MILLISECOND;
        run_caller(is_killed ? now_ns() + life_ns : INT64_MAX);
    }
    /* A machine that is busy may wake a few threads late. */
    if (sums->late > 1 + sums->rounds / 500) {
        tally_fault(&chaos->hung, "%" PRIu64 " waits lasted long after their task's end",
                    sums->late);
    }
    if (count_shared_files() > shared_files) {
        tally_fault(&chaos->leaked, "files stay in /dev/shm");
    }
    print_breakdown(start_ns);
    return tally_end();
}
