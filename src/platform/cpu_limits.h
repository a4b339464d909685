/* How many processors the calling thread may use, by each of the limits that Linux knows.
 *
 * Nothing is cached and nothing fails. A limit that cannot be read (no /proc, no control groups, a
 * file in an unknown form) is unknown, and an unknown limit does not count. */
#ifndef PLATFORM_CPU_LIMITS_H
#define PLATFORM_CPU_LIMITS_H

/* Numbers of processors; 0 = no such limit, or unknown. */
struct plat_cpu_limits {
    unsigned online;   /* at least 1 */
    unsigned affinity; /* in the calling thread's mask */
    unsigned cpuset;   /* in the cpuset of the process's control group */
    unsigned quota;    /* least CPU quota of that group and those above it, rounded up */
};

/* root: prefix of /proc/self/cgroup, /proc/self/mountinfo and the mount points named there. "" is
 * the real machine; tests give a tree of their own. The processors online and the affinity are
 * always the real ones. */
void plat_cpu_limits_read(const char *root, struct plat_cpu_limits *out);

/* The least of the limits and of `most`, which must not be 0. *decided_by becomes the name of the
 * least one: "online", "cpuset", "affinity", "cgroup quota" or "limit" (`most`). */
unsigned plat_cpu_limits_least(const struct plat_cpu_limits *limits, unsigned most,
                               const char **decided_by);

/* The least of all limits on the real machine and of `most`. */
unsigned plat_cpu_limits_count(unsigned most);

#endif
