/* How the limits of a control group are found
 *
 *     /proc/self/cgroup      the process's group in each hierarchy     4:cpu,cpuacct:/box/7
 *     /proc/self/mountinfo   where the hierarchy is mounted            /box  /sys/fs/cgroup/cpu
 *                            and which of its groups the mount shows   (root) (mount point)
 *     the two together       directory of the group                    /sys/fs/cgroup/cpu/7
 *
 * The quotas of all groups from there up to the mount point hold for the process: the least counts.
 * Groups above the mount's root cannot be seen from inside a container.
 *
 * There may be one hierarchy per controller (v1), one for all (v2), or both, with each controller
 * in only one of them. All are looked at in the same way; a file that does not exist sets no
 * limit. */
#define _GNU_SOURCE /* sched_getaffinity, CPU_ALLOC */
#include "platform/cpu_limits.h"

#include "platform/cancellation.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- online and affinity --------------------------------------------------------------------- */

static unsigned count_online(void) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : (unsigned)online;
}

/* False when the kernel's mask is longer than `bits`. */
static bool count_affinity_bits(size_t bits, unsigned *count) {
    cpu_set_t *mask = CPU_ALLOC(bits);
    if (mask == NULL) {
        return false;
    }
    size_t size = CPU_ALLOC_SIZE(bits);
    bool fits = sched_getaffinity(0, size, mask) == 0;
    if (fits) {
        *count = (unsigned)CPU_COUNT_S(size, mask);
    }
    CPU_FREE(mask);
    return fits;
}

/* The kernel does not say how long its mask is, so this tries longer and longer ones. No kernel is
 * built for a million processors: if that fails too, the mask cannot be read. */
static unsigned count_affinity(void) {
    unsigned count = 0;
    size_t bits = CPU_SETSIZE;
    while (!count_affinity_bits(bits, &count) && bits < 1 << 20) {
        bits *= 2;
    }
    return count;
}

/* ---- paths and files ------------------------------------------------------------------------- */

/* The kernel opens no path longer than this, so a longer one need not be tried. */
struct path {
    size_t length;
    char text[PATH_MAX];
};

static bool path_append(struct path *path, const char *text) {
    size_t length = strlen(text);
    if (length >= sizeof path->text - path->length) {
        return false;
    }
    memcpy(path->text + path->length, text, length + 1);
    path->length += length;
    return true;
}

static void path_cut(struct path *path, size_t length) {
    path->length = length;
    path->text[length] = '\0';
}

static bool path_set(struct path *path, const char *root, const char *text) {
    path_cut(path, 0);
    return path_append(path, root) && path_append(path, text);
}

static FILE *open_below(const char *root, const char *name) {
    struct path path;
    return path_set(&path, root, name) ? fopen(path.text, "re") : NULL;
}

/* The first line of the directory's file; NULL if there is none. The caller frees it. On the heap,
 * because lists of processors can be long. */
static char *read_line_in(struct path *directory, const char *name) {
    size_t length = directory->length;
    FILE *file = NULL;
    if (path_append(directory, "/") && path_append(directory, name)) {
        file = fopen(directory->text, "re");
    }
    path_cut(directory, length);
    if (file == NULL) {
        return NULL;
    }
    char *line = NULL;
    size_t size = 0;
    if (getline(&line, &size, file) < 0) {
        free(line);
        line = NULL;
    }
    fclose(file);
    return line;
}

/* ---- the limits of one group ----------------------------------------------------------------- */

/* Texts: microseconds of processor time, of the period. "max" (v2) and -1 (v1) mean no quota. */
static unsigned quota_processors(const char *quota_text, const char *period_text) {
    long long quota = strtoll(quota_text, NULL, 10);
    long long period = strtoll(period_text, NULL, 10);
    if (quota <= 0 || period <= 0) {
        return 0;
    }
    /* Rounded up: rounding down would leave part of the quota unused. */
    long long processors = quota / period + (quota % period != 0);
    return processors > UINT_MAX ? UINT_MAX : (unsigned)processors;
}

/* v2: "150000 100000" */
static unsigned read_quota_v2(struct path *group) {
    unsigned processors = 0;
    char *line = read_line_in(group, "cpu.max");
    const char *space = line == NULL ? NULL : strchr(line, ' ');
    if (space != NULL) {
        processors = quota_processors(line, space);
    }
    free(line);
    return processors;
}

static unsigned read_quota_v1(struct path *group) {
    unsigned processors = 0;
    char *quota = read_line_in(group, "cpu.cfs_quota_us");
    char *period = read_line_in(group, "cpu.cfs_period_us");
    if (quota != NULL && period != NULL) {
        processors = quota_processors(quota, period);
    }
    free(quota);
    free(period);
    return processors;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Length of the range at *text, "7" or "9-10", 0 if there is none. Steps over it. */
static unsigned long long take_range(const char **text) {
    if (!is_digit(**text)) {
        return 0;
    }
    char *end;
    unsigned long long first = strtoull(*text, &end, 10);
    unsigned long long last = first;
    if (end[0] == '-' && is_digit(end[1])) {
        last = strtoull(end + 1, &end, 10);
    }
    *text = end;
    return last >= first && last < UINT_MAX ? last - first + 1 : 0;
}

/* "0-3,7,9-10" -> 7. 0 if the text is not such a list, or is empty. */
static unsigned count_list(const char *text) {
    unsigned long long total = 0;
    for (;; text++) {
        unsigned long long range = take_range(&text);
        if (range == 0) {
            return 0;
        }
        total += range;
        if (*text != ',') {
            break;
        }
    }
    bool ended = *text == '\n' || *text == '\0';
    return ended && total <= UINT_MAX ? (unsigned)total : 0;
}

static unsigned read_cpuset(struct path *group) {
    /* v2; v1; v1 before Linux 3.17, where the set that is configured is also in effect */
    static const char *const names[] = {"cpuset.cpus.effective", "cpuset.effective_cpus",
                                        "cpuset.cpus"};
    unsigned processors = 0;
    for (size_t i = 0; processors == 0 && i < sizeof names / sizeof names[0]; i++) {
        char *line = read_line_in(group, names[i]);
        if (line != NULL) {
            processors = count_list(line);
        }
        free(line);
    }
    return processors;
}

static void take_quota(struct plat_cpu_limits *limits, unsigned quota) {
    if (quota != 0 && (limits->quota == 0 || quota < limits->quota)) {
        limits->quota = quota;
    }
}

static void read_group(struct path *group, struct plat_cpu_limits *limits) {
    take_quota(limits, read_quota_v2(group));
    take_quota(limits, read_quota_v1(group));
    /* The nearest set counts, not the smallest: a group's set lies within its parent's, or the
     * group is a partition whose processors were taken out of the parent's. */
    if (limits->cpuset == 0) {
        limits->cpuset = read_cpuset(group);
    }
}

/* Reads the group, its parent, and so on up to the mount point, whose path has `top` characters. */
static void read_groups(struct path *group, size_t top, struct plat_cpu_limits *limits) {
    read_group(group, limits);
    while (group->length > top) {
        const char *slash = strrchr(group->text + top, '/');
        path_cut(group, slash == NULL ? top : (size_t)(slash - group->text));
        read_group(group, limits);
    }
}

/* ---- the process's group in a hierarchy ------------------------------------------------------ */

/* A v1 hierarchy is named by a controller in it, the v2 hierarchy by the empty name. */
#define V2 ""

/* The comma-separated list has the name. An empty list has the empty name. */
static bool list_has(const char *list, const char *name) {
    size_t length = strlen(name);
    for (;;) {
        size_t item = strcspn(list, ",");
        if (item == length && memcmp(list, name, length) == 0) {
            return true;
        }
        if (list[item] == '\0') {
            return false;
        }
        list += item + 1;
    }
}

/* "4:cpu,cpuacct:/box/7" -> "/box/7"; NULL if the line is about another hierarchy. The path may
 * contain colons. */
static const char *group_in_line(char *line, const char *controller) {
    line[strcspn(line, "\n")] = '\0';
    char *list = strchr(line, ':');
    char *path = list == NULL ? NULL : strchr(list + 1, ':');
    if (path == NULL) {
        return NULL;
    }
    *path = '\0';
    return list_has(list + 1, controller) ? path + 1 : NULL;
}

/* Path of the process's group, from the root of the hierarchy or of the control group namespace.
 * NULL if there is none. The caller frees it. */
static char *find_group(const char *root, const char *controller) {
    FILE *file = open_below(root, "/proc/self/cgroup");
    if (file == NULL) {
        return NULL;
    }
    char *line = NULL;
    size_t size = 0;
    const char *group = NULL;
    while (group == NULL && getline(&line, &size, file) >= 0) {
        group = group_in_line(line, controller);
    }
    char *copy = group == NULL ? NULL : strdup(group);
    free(line);
    fclose(file);
    return copy;
}

/* ---- mounts of a hierarchy ------------------------------------------------------------------- */

struct mount {
    char *root; /* the group that appears at the mount point */
    char *point;
    char *type;    /* "cgroup" (v1), "cgroup2" */
    char *options; /* of the file system; in v1 they name the controllers */
};

/* In mountinfo, blanks, newlines and backslashes are a backslash and three octal digits. */
static void unescape(char *text) {
    char *to = text;
    for (const char *from = text; *from != '\0'; to++) {
        if (from[0] == '\\' && strspn(from + 1, "01234567") >= 3) {
            *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* "36 35 98:0 ROOT POINT rw,noatime shared:1 - TYPE SOURCE OPTIONS". There may be any number of
 * fields before the dash. SOURCE may be empty, so OPTIONS begin after the last blank. The mount's
 * pointers point into the line. */
static bool mount_parse(char *line, struct mount *mount) {
    line[strcspn(line, "\n")] = '\0';
    char *dash = strstr(line, " - ");
    if (dash == NULL) {
        return false;
    }
    *dash = '\0';
    mount->type = dash + 3;
    mount->options = strrchr(mount->type, ' ');
    mount->type[strcspn(mount->type, " ")] = '\0';
    char *rest = line;
    for (int field = 0; rest != NULL && field < 3; field++) {
        strsep(&rest, " ");
    }
    mount->root = strsep(&rest, " ");
    mount->point = strsep(&rest, " ");
    if (mount->options == NULL || mount->root == NULL || mount->point == NULL) {
        return false;
    }
    mount->options++;
    unescape(mount->root);
    unescape(mount->point);
    return true;
}

static bool mount_shows(const struct mount *mount, const char *controller) {
    if (strcmp(controller, V2) == 0) {
        return strcmp(mount->type, "cgroup2") == 0;
    }
    return strcmp(mount->type, "cgroup") == 0 && list_has(mount->options, controller);
}

static bool climbs(const char *path) {
    const char *dots = strstr(path, "/..");
    while (dots != NULL && dots[3] != '/' && dots[3] != '\0') {
        dots = strstr(dots + 3, "/..");
    }
    return dots != NULL;
}

/* The group's path below the mount point: "" for the mount point itself, NULL if it is not below.
 * If the mount or the group is outside the control group namespace, its path begins with "/..". */
static const char *path_below(const char *mount_root, const char *group) {
    size_t length = strcmp(mount_root, "/") == 0 ? 0 : strlen(mount_root);
    if (strncmp(group, mount_root, length) != 0) {
        return NULL;
    }
    const char *below = group + length;
    if (*below == '\0' || strcmp(below, "/") == 0) {
        return "";
    }
    return *below == '/' && !climbs(below) ? below : NULL;
}

/* The directory that shows the group, in *directory, and the length of its mount point in *top.
 *
 * Of several mounts the last one counts: it hides those beneath it. If no mount shows the group,
 * the mount point itself is taken. It is then, as a rule, a group above ours whose name the
 * namespace hides, or the container's own group under another name. */
static bool find_directory(const char *root, const char *controller, const char *group,
                           struct path *directory, size_t *top) {
    FILE *file = open_below(root, "/proc/self/mountinfo");
    if (file == NULL) {
        return false;
    }
    char *line = NULL;
    size_t size = 0;
    bool found = false, shown = false;
    while (getline(&line, &size, file) >= 0) {
        struct mount mount;
        if (!mount_parse(line, &mount) || !mount_shows(&mount, controller)) {
            continue;
        }
        const char *below = path_below(mount.root, group);
        if (below == NULL && shown) {
            continue;
        }
        shown = below != NULL;
        found = path_set(directory, root, mount.point);
        *top = directory->length;
        found = found && path_append(directory, shown ? below : "");
    }
    free(line);
    fclose(file);
    return found;
}

static void read_hierarchy(const char *root, const char *controller,
                           struct plat_cpu_limits *limits) {
    char *group = find_group(root, controller);
    struct path directory;
    size_t top;
    if (group != NULL && find_directory(root, controller, group, &directory, &top)) {
        read_groups(&directory, top, limits);
    }
    free(group);
}

/* ---- all of them ----------------------------------------------------------------------------- */

void plat_cpu_limits_read(const char *root, struct plat_cpu_limits *out) {
    int held = plat_cancellation_hold(); /* files would stay open */
    *out = (struct plat_cpu_limits){.online = count_online(), .affinity = count_affinity()};
    read_hierarchy(root, "cpu", out);
    read_hierarchy(root, "cpuset", out);
    read_hierarchy(root, V2, out);
    plat_cancellation_release(held);
}

unsigned plat_cpu_limits_least(const struct plat_cpu_limits *limits, unsigned most,
                               const char **decided_by) {
    /* Of equal limits the first one decides. A cpuset also shortens the affinity mask, so it comes
     * before affinity, which would hide it. */
    const struct {
        const char *name;
        unsigned count;
    } candidates[] = {
        {"online", limits->online},
        {"cpuset", limits->cpuset},
        {"affinity", limits->affinity},
        {"cgroup quota", limits->quota},
        {"limit", most},
    };
    unsigned least = 0;
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        if (candidates[i].count != 0 && (least == 0 || candidates[i].count < least)) {
            least = candidates[i].count;
            *decided_by = candidates[i].name;
        }
    }
    return least;
}

unsigned plat_cpu_limits_count(unsigned most) {
    struct plat_cpu_limits limits;
    const char *decided_by;
    plat_cpu_limits_read("", &limits);
    return plat_cpu_limits_least(&limits, most, &decided_by);
}
