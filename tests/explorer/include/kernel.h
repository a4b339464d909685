/* The system calls of a process pool: ../processes.c answers them. */
#ifndef EXPLORER_KERNEL_H
#define EXPLORER_KERNEL_H

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* Starts the nursery, a simulated thread. */
pid_t sim_fork(void);
int sim_pidfd(pid_t pid);
/* The nursery is dead, and the kernel has killed this worker by now. */
void sim_process_ends(pid_t pid);

int sim_eventfd(void);
int sim_close(int file);
/* Of the nursery: fills in info->si_pid if it has ended. */
int sim_waitid(siginfo_t *info);
int sim_poll(struct pollfd *files, nfds_t count, int timeout_ms);

/* Not the system's: the numbers of simulated processes may be those of real ones. Not a macro: a
 * member of a struct has that name. */
int kill(pid_t pid, int number) __asm__("sim_signal");

#define fork()                        sim_fork()
#define getpid()                      ((pid_t)1)
#define waitid(type, id, info, which) sim_waitid(info)
#define eventfd(initial, flags)       sim_eventfd()
#define poll(files, count, timeout)   sim_poll((files), (count), (timeout))
#define close(file)                   sim_close(file)

#endif
