#define _GNU_SOURCE
#include "refuse.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef SYS_clone3
#define SYS_clone3 435
#endif

#ifndef SYS_openat2
#define SYS_openat2 437
#endif

static bool install(struct sock_filter *program, unsigned short length) {
    const struct sock_fprog filter = {.len = length, .filter = program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

static bool refuse_number(unsigned number, int error) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    return install(program, sizeof program / sizeof *program);
}

/* clone makes both, and its first argument says which. */
static bool refuse_clone(bool threads, int error) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, !threads, threads),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    return install(program, sizeof program / sizeof *program);
}

bool refuse_call(const char *call, int error) {
    static const struct {
        const char *name;
        unsigned number;
    } CALLS[] = {
        {"memfd_create", SYS_memfd_create},
        {"ftruncate", SYS_ftruncate},
        {"fallocate", SYS_fallocate},
        {"mprotect", SYS_mprotect},
        {"eventfd", SYS_eventfd2},
        {"sched_setaffinity", SYS_sched_setaffinity},
        {"waitid", SYS_waitid},
        {"openat2", SYS_openat2},
    };
    for (size_t i = 0; i < sizeof CALLS / sizeof *CALLS; i++) {
        if (strcmp(CALLS[i].name, call) == 0) {
            return refuse_number(CALLS[i].number, error);
        }
    }
    if (strcmp(call, "pthread_create") == 0) {
        return refuse_clone(true, error) && refuse_number(SYS_clone3, error);
    }
    return strcmp(call, "fork") == 0 && refuse_clone(false, error);
}
