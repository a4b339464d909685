/* start PROGRAM [ARG...]: becomes PROGRAM, which is killed when the thread ends that has started it: nothing is left of a
 * test that is killed.
 *
 * Python could do this between fork and exec, but to fork an interpreter of many threads costs them all milliseconds:
 * servers among these answered seconds late. */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc > 1) {
        execv(argv[1], argv + 1);
        perror(argv[1]);
    }
    return 127;
}
