/* cf_cpu_count and the limits below it. Control groups of every kind are trees of files in a
 * temporary directory; affinity and, where they can be made, v1 groups are real. */
#include "platform/cpu_limits.h"

#include <cfutures.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(cpu_limits, .timeout = 60.0);

/* ---- trees of files -------------------------------------------------------------------------- */

struct file {
    const char *path, *text;
};

static bool write_text(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        return false;
    }
    size_t length = strlen(text);
    bool written = write(fd, text, length) == (ssize_t)length;
    return close(fd) == 0 && written;
}

static void make_file(const char *root, const struct file *file) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s%s", root, file->path);
    for (char *slash = strchr(path + strlen(root) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        cr_assert(mkdir(path, 0755) == 0 || errno == EEXIST, "mkdir %s: %s", path, strerror(errno));
        *slash = '/';
    }
    cr_assert(write_text(path, file->text), "%s: %s", path, strerror(errno));
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status, (void)kind, (void)place;
    return remove(path);
}

/* What is read from a tree of these files; the tree is gone afterwards. */
static struct plat_cpu_limits read_tree(const struct file *files, size_t count) {
    char root[] = "/tmp/cfutures-cpu-XXXXXX";
    cr_assert(mkdtemp(root) != NULL, "mkdtemp: %s", strerror(errno));
    for (size_t i = 0; i < count && files[i].path != NULL; i++) {
        make_file(root, &files[i]);
    }
    struct plat_cpu_limits limits;
    plat_cpu_limits_read(root, &limits);
    cr_assert(nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS) == 0, "%s remains", root);
    return limits;
}

#define TREE_FILES 12
#define GROUPS(...)                                                                                \
    { "/proc/self/cgroup", __VA_ARGS__ }
#define MOUNTS(...)                                                                                \
    { "/proc/self/mountinfo", __VA_ARGS__ }

struct tree {
    const char *name;
    unsigned cpuset, quota; /* wanted */
    struct file files[TREE_FILES];
};

static void check_trees(const struct tree *trees, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct plat_cpu_limits limits = read_tree(trees[i].files, TREE_FILES);
        cr_expect(limits.cpuset == trees[i].cpuset, "%s: cpuset is %u, wanted %u", trees[i].name,
                  limits.cpuset, trees[i].cpuset);
        cr_expect(limits.quota == trees[i].quota, "%s: quota is %u, wanted %u", trees[i].name,
                  limits.quota, trees[i].quota);
        cr_expect(limits.online >= 1 && limits.affinity >= 1, "%s: %u online, affinity %u",
                  trees[i].name, limits.online, limits.affinity);
    }
}

#define CHECK_TREES(trees) check_trees((trees), sizeof(trees) / sizeof(trees)[0])

/* ---- where the group is ---------------------------------------------------------------------- */

#define ROOT_MOUNT "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n"
#define V2_MOUNT   "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1_MOUNT   "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
#define SET_MOUNT                                                                                  \
    "34 31 0:31 / /sys/fs/cgroup/cpuset rw shared:9 master:2 - cgroup cgroup rw,cpuset\n"

static const struct tree v2_trees[] = {
    {.name = "v2 group with both limits",
     .cpuset = 3,
     .quota = 2,
     .files = {GROUPS("0::/box\n"),
               MOUNTS(ROOT_MOUNT V2_MOUNT),
               {"/sys/fs/cgroup/box/cpu.max", "150000 100000\n"},
               {"/sys/fs/cgroup/box/cpuset.cpus.effective", "0,2-3\n"}}},
    {.name = "v2 root group: no cpu.max there",
     .cpuset = 4,
     .files = {GROUPS("0::/\n"),
               MOUNTS(V2_MOUNT),
               {"/sys/fs/cgroup/cpuset.cpus.effective", "0-3\n"}}},
    {.name = "v2 container with a namespace",
     .quota = 3,
     .files = {GROUPS("0::/\n"), MOUNTS(V2_MOUNT), {"/sys/fs/cgroup/cpu.max", "300000 100000\n"}}},
    {.name = "v2 least quota is an ancestor's",
     .quota = 2,
     .files = {GROUPS("0::/a/b/c\n"),
               MOUNTS(V2_MOUNT),
               {"/sys/fs/cgroup/a/cpu.max", "500000 100000\n"},
               {"/sys/fs/cgroup/a/b/cpu.max", "200000 100000\n"},
               {"/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n"}}},
    {.name = "v2 least quota is the group's own",
     .quota = 1,
     .files = {GROUPS("0::/a/b\n"),
               MOUNTS(V2_MOUNT),
               {"/sys/fs/cgroup/a/cpu.max", "500000 100000\n"},
               {"/sys/fs/cgroup/a/b/cpu.max", "100000 100000\n"}}},
    {.name = "v2 a neighbour's quota is not ours",
     .files = {GROUPS("0::/box\n"),
               MOUNTS(V2_MOUNT),
               {"/sys/fs/cgroup/box2/cpu.max", "100000 100000\n"}}},
    {.name = "v2 nearest cpuset, though its parent's is smaller",
     .cpuset = 4,
     .files = {GROUPS("0::/a/b/c\n"),
               MOUNTS(V2_MOUNT),
               {"/sys/fs/cgroup/a/cpuset.cpus.effective", "8\n"},
               {"/sys/fs/cgroup/a/b/cpuset.cpus.effective", "0-3\n"},
               {"/sys/fs/cgroup/a/b/c/cpuset.cpus.effective", "\n"}}},
    {.name = "v2 group was deleted",
     .quota = 2,
     .files = {GROUPS("0::/a/b (deleted)\n"),
               MOUNTS(V2_MOUNT),
               {"/sys/fs/cgroup/a/cpu.max", "200000 100000\n"}}},
    {.name = "v2 group has colons and a blank in its name",
     .quota = 2,
     .files = {GROUPS("0::/a:b c\n"),
               MOUNTS(V2_MOUNT),
               {"/sys/fs/cgroup/a:b c/cpu.max", "200000 100000\n"}}},
    {.name = "v2 mount of a part of the hierarchy",
     .quota = 2,
     .files = {GROUPS("0::/pods/box/inner\n"),
               MOUNTS("30 23 0:26 /pods/box /cg ro - cgroup2 cgroup2 rw\n"),
               {"/cg/inner/cpu.max", "200000 100000\n"}}},
    {.name = "v2 part whose name begins alike",
     .quota = 5,
     .files = {GROUPS("0::/pods/box2\n"),
               MOUNTS("30 23 0:26 /pods/box /cg ro - cgroup2 cgroup2 rw\n"),
               {"/cg/cpu.max", "500000 100000\n"},
               {"/cg2/cpu.max", "100000 100000\n"},
               {"/cg/2/cpu.max", "100000 100000\n"}}},
    {.name = "v2 mount from outside the namespace",
     .quota = 4,
     .files = {GROUPS("0::/\n"),
               MOUNTS("30 23 0:26 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
               {"/sys/fs/cgroup/cpu.max", "400000 100000\n"}}},
    {.name = "v2 group beside the namespace, mount above it",
     .quota = 2,
     .files = {GROUPS("0::/../other\n"),
               MOUNTS("30 23 0:26 /.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
               {"/sys/fs/cgroup/other/cpu.max", "200000 100000\n"}}},
    {.name = "v2 group beside the namespace, mount within: no step out of the mount",
     .quota = 3,
     .files = {GROUPS("0::/../other\n"),
               MOUNTS(V2_MOUNT),
               {"/sys/fs/cgroup/cpu.max", "300000 100000\n"},
               {"/sys/fs/other/cpu.max", "100000 100000\n"}}},
    {.name = "v2 two dots that begin a name",
     .quota = 2,
     .files = {GROUPS("0::/..box\n"),
               MOUNTS(V2_MOUNT),
               {"/sys/fs/cgroup/..box/cpu.max", "200000 100000\n"}}},
    {.name = "v2 mount that shows the group goes before one that does not",
     .quota = 2,
     .files = {GROUPS("0::/\n"),
               MOUNTS("30 23 0:26 / /own rw - cgroup2 cgroup2 rw\n"
                      "31 23 0:26 /.. /host rw - cgroup2 cgroup2 rw\n"),
               {"/own/cpu.max", "200000 100000\n"},
               {"/host/cpu.max", "100000 100000\n"}}},
    {.name = "v2 later mount hides the earlier",
     .quota = 3,
     .files = {GROUPS("0::/box\n"),
               MOUNTS("30 23 0:26 / /cg rw - cgroup2 cgroup2 rw\n"
                      "31 30 0:26 /box /cg rw - cgroup2 cgroup2 rw\n"),
               {"/cg/cpu.max", "300000 100000\n"},
               {"/cg/box/cpu.max", "100000 100000\n"}}},
    {.name = "v2 escapes in the mount's root and point",
     .quota = 2,
     .files = {GROUPS("0::/my\tbox\\1/inner\n"),
               MOUNTS("30 23 0:26 /my\\011box\\1341 /a\\040dir/c\\134g rw - cgroup2 none rw\n"),
               {"/a dir/c\\g/inner/cpu.max", "200000 100000\n"}}},
    {.name = "v2 mount with an empty source",
     .quota = 2,
     .files = {GROUPS("0::/box\n"),
               MOUNTS("30 23 0:26 / /cg rw - cgroup2  rw\n"),
               {"/cg/box/cpu.max", "200000 100000\n"}}},
};

Test(cpu_limits, finds_v2_groups) {
    CHECK_TREES(v2_trees);
}

static const struct tree v1_trees[] = {
    {.name = "v1 controllers that share a mount",
     .cpuset = 3,
     .quota = 2,
     .files = {GROUPS("12:cpuset:/set\n4:cpuacct,cpu:/box\n1:name=systemd:/x\n"),
               MOUNTS(ROOT_MOUNT V1_MOUNT SET_MOUNT),
               {"/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "150000\n"},
               {"/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n"},
               {"/sys/fs/cgroup/cpuset/set/cpuset.effective_cpus", "0-1,5\n"},
               {"/sys/fs/cgroup/cpuset/set/cpuset.cpus", "0-7\n"}}},
    {.name = "v1 cpuset and cpu in one hierarchy",
     .cpuset = 2,
     .quota = 1,
     .files = {GROUPS("4:cpuset,cpu:/box\n"),
               MOUNTS("32 31 0:29 / /cg rw - cgroup none rw,cpuset,cpu\n"),
               {"/cg/box/cpu.cfs_quota_us", "50000\n"},
               {"/cg/box/cpu.cfs_period_us", "100000\n"},
               {"/cg/box/cpuset.cpus", "1-2\n"}}},
    {.name = "v1 old kernel: cpuset.cpus only, empty in the group itself",
     .cpuset = 2,
     .files = {GROUPS("12:cpuset:/a/b\n"),
               MOUNTS(SET_MOUNT),
               {"/sys/fs/cgroup/cpuset/a/cpuset.cpus", "4-5\n"},
               {"/sys/fs/cgroup/cpuset/a/b/cpuset.cpus", "\n"}}},
    {.name = "v1 mount with an empty source",
     .quota = 2,
     .files = {GROUPS("4:cpu:/\n"),
               MOUNTS("32 31 0:29 / /cg rw - cgroup  rw,cpu\n"),
               {"/cg/cpu.cfs_quota_us", "200000\n"},
               {"/cg/cpu.cfs_period_us", "100000\n"}}},
    {.name = "v1 no quota",
     .files = {GROUPS("4:cpu,cpuacct:/box\n"),
               MOUNTS(V1_MOUNT),
               {"/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "-1\n"},
               {"/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n"}}},
    {.name = "v1 least quota is an ancestor's",
     .quota = 3,
     .files = {GROUPS("4:cpu,cpuacct:/a/b\n"),
               MOUNTS(V1_MOUNT),
               {"/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "250000\n"},
               {"/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"},
               {"/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n"},
               {"/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n"}}},
    {.name = "v1 container without a namespace",
     .quota = 2,
     .files =
         {GROUPS("4:cpu,cpuacct:/docker/1ebe\n"),
          MOUNTS(
              "742 740 0:32 /docker/1ebe /sys/fs/cgroup/cpu ro master:11 - cgroup cgroup rw,cpu\n"),
          {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n"},
          {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}}},
    {.name = "v1 container without a namespace, group within it",
     .quota = 1,
     .files =
         {GROUPS("4:cpu,cpuacct:/docker/1ebe/job\n"),
          MOUNTS(
              "742 740 0:32 /docker/1ebe /sys/fs/cgroup/cpu ro master:11 - cgroup cgroup rw,cpu\n"),
          {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n"},
          {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"},
          {"/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "90000\n"},
          {"/sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n"}}},
    {.name = "v1 names that only look like the controller",
     .files = {GROUPS("5:cpuacct:/box\n1:name=cpu:/box\n"),
               MOUNTS("30 31 0:30 / /cg rw - cgroup cgroup rw,cpuacct\n"
                      "31 31 0:31 / /cg rw - cgroup cgroup rw,name=cpu\n"),
               {"/cg/box/cpu.cfs_quota_us", "100000\n"},
               {"/cg/box/cpu.cfs_period_us", "100000\n"}}},
    {.name = "v1 quota without a period",
     .files = {GROUPS("4:cpu,cpuacct:/\n"),
               MOUNTS(V1_MOUNT),
               {"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "100000\n"}}},
    {.name = "hybrid: v1 controllers beside an empty v2 hierarchy",
     .cpuset = 2,
     .quota = 3,
     .files = {GROUPS("2:cpuset:/\n1:cpu,cpuacct:/box\n0::/box\n"),
               MOUNTS(V1_MOUNT SET_MOUNT
                      "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"),
               {"/sys/fs/cgroup/unified/box/cgroup.procs", ""},
               {"/sys/fs/cgroup/cpuset/cpuset.cpus", "0-1\n"},
               {"/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "300000\n"},
               {"/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n"}}},
    {.name = "hybrid: cpuset in v1, cpu in v2",
     .cpuset = 2,
     .quota = 3,
     .files = {GROUPS("2:cpuset:/set\n0::/box\n"),
               MOUNTS(SET_MOUNT "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"),
               {"/sys/fs/cgroup/cpuset/set/cpuset.effective_cpus", "0-1\n"},
               {"/sys/fs/cgroup/unified/box/cpu.max", "300000 100000\n"}}},
};

Test(cpu_limits, finds_v1_groups) {
    CHECK_TREES(v1_trees);
}

#define QUOTA_LEFT                                                                                 \
    { "/sys/fs/cgroup/cpu.max", "100000 100000\n" }

static const struct tree bare_trees[] = {
    {.name = "nothing at all", .files = {{NULL, NULL}}},
    {.name = "no mountinfo", .files = {GROUPS("0::/\n"), QUOTA_LEFT}},
    {.name = "no cgroup file", .files = {MOUNTS(V2_MOUNT), QUOTA_LEFT}},
    {.name = "empty files", .files = {GROUPS(""), MOUNTS(""), QUOTA_LEFT}},
    {.name = "control groups not mounted",
     .files = {GROUPS("0::/\n"), MOUNTS(ROOT_MOUNT), QUOTA_LEFT}},
    {.name = "mounted, but /sys is hidden", .files = {GROUPS("0::/box\n"), MOUNTS(V2_MOUNT)}},
    {.name = "lines of another form are passed over",
     .quota = 1,
     .files = {GROUPS("\n:\nx\n0:\n0::/\n"),
               MOUNTS("\n - \n30 - cgroup2\n30 23 0:26 / - cgroup2 cgroup2 rw\n30 23 0:26 / /cg - "
                      "cgroup2\n" V2_MOUNT),
               QUOTA_LEFT}},
    {.name = "no newline at the end",
     .cpuset = 1,
     .quota = 2,
     .files = {GROUPS("0::/box"),
               MOUNTS("30 23 0:26 / /cg rw - cgroup2 cgroup2 rw"),
               {"/cg/box/cpu.max", "200000 100000"},
               {"/cg/box/cpuset.cpus.effective", "7"}}},
};

Test(cpu_limits, does_without_what_is_missing) {
    CHECK_TREES(bare_trees);
    struct plat_cpu_limits limits;
    plat_cpu_limits_read("/nonexistent", &limits);
    cr_assert(limits.cpuset == 0 && limits.quota == 0 && limits.online >= 1);
}

/* ---- what the files say ---------------------------------------------------------------------- */

static struct plat_cpu_limits read_v2_group(const char *cpu_max, const char *cpuset) {
    const struct file files[] = {
        GROUPS("0::/\n"),
        MOUNTS(V2_MOUNT),
        {"/sys/fs/cgroup/cpu.max", cpu_max},
        {"/sys/fs/cgroup/cpuset.cpus.effective", cpuset},
    };
    return read_tree(files, sizeof files / sizeof files[0]);
}

Test(cpu_limits, rounds_quotas_up) {
    static const struct {
        const char *text;
        unsigned processors;
    } quotas[] = {
        {"50000 100000\n", 1},
        {"100000 100000\n", 1},
        {"100001 100000\n", 2},
        {"150000 100000\n", 2},
        {"250000 100000\n", 3},
        {"1000 1000000\n", 1},
        {"20000 10000\n", 2},
        {"9223372036854775807 1\n", UINT_MAX},
        {"8589934593 1\n", UINT_MAX},
        {"max 100000\n", 0},
        {"max\n", 0},
        {"", 0},
        {"\n", 0},
        {"100000\n", 0},
        {"100000 0\n", 0},
        {"0 100000\n", 0},
        {"many 100000\n", 0},
    };
    for (size_t i = 0; i < sizeof quotas / sizeof quotas[0]; i++) {
        unsigned quota = read_v2_group(quotas[i].text, "0\n").quota;
        cr_expect(quota == quotas[i].processors, "'%s' is %u, wanted %u", quotas[i].text, quota,
                  quotas[i].processors);
    }
}

Test(cpu_limits, counts_lists) {
    static const struct {
        const char *text;
        unsigned processors;
    } lists[] = {
        {"0\n", 1},
        {"0-3,7,9-10\n", 7},
        {"1023\n", 1},
        {"0-8191\n", 8192},
        {"3-3\n", 1},
        {"\n", 0},
        {"", 0},
        {"0-\n", 0},
        {"-3\n", 0},
        {"3-0\n", 0},
        {"0,\n", 0},
        {"0-3 5\n", 0},
        {"all\n", 0},
        {"0-18446744073709551615\n", 0},
        {"0-4294967294\n", UINT_MAX},
        {"0-4294967295\n", 0},
        {"0-4294967294,5\n", 0},
        {"1-18446744073709551615,0-4\n", 0},
        {"3-0,0-9\n", 0},
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        unsigned cpuset = read_v2_group("max 100000\n", lists[i].text).cpuset;
        cr_expect(cpuset == lists[i].processors, "'%s' is %u, wanted %u", lists[i].text, cpuset,
                  lists[i].processors);
    }
}

/* "0,2,4,..." of `count` processors, to be freed */
static char *make_scattered_list(unsigned count) {
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    cr_assert(stream != NULL);
    for (unsigned i = 0; i < count; i++) {
        fprintf(stream, i == 0 ? "%u" : ",%u", 2 * i);
    }
    fprintf(stream, "\n");
    fclose(stream);
    return text;
}

/* `before`, then `length` times 'x', then `after`; to be freed */
static char *make_long_text(const char *before, int length, const char *after) {
    char *text;
    cr_assert(asprintf(&text, "%s%0*d%s", before, length, 0, after) > 0);
    memset(text + strlen(before), 'x', (size_t)length);
    return text;
}

Test(cpu_limits, cuts_nothing_short) {
    char *list = make_scattered_list(20000);
    char *groups = make_long_text("5:pids:/", 30000, "\n0::/\n");
    char *mounts =
        make_long_text("29 1 0:9 / /o rw - overlay overlay rw,lowerdir=", 30000, "\n" V2_MOUNT);
    const struct file files[] = {{"/proc/self/cgroup", groups},
                                 {"/proc/self/mountinfo", mounts},
                                 {"/sys/fs/cgroup/cpu.max", "200000 100000\n"},
                                 {"/sys/fs/cgroup/cpuset.cpus.effective", list}};
    struct plat_cpu_limits limits = read_tree(files, sizeof files / sizeof files[0]);
    free(list);
    free(groups);
    free(mounts);
    cr_assert(limits.cpuset == 20000, "cpuset is %u", limits.cpuset);
    cr_assert(limits.quota == 2, "quota is %u", limits.quota);
}

/* No such path can be opened; least of all may a shorter one be opened in its place. */
Test(cpu_limits, leaves_paths_that_are_too_long) {
    for (int length = PATH_MAX - 64; length <= PATH_MAX + 64; length++) {
        char *groups = make_long_text("0::/", length, "\n");
        const struct file files[] = {{"/proc/self/cgroup", groups},
                                     MOUNTS("30 23 0:26 / /cg rw - cgroup2 cgroup2 rw\n"),
                                     {"/cg/x/cpu.max", "100000 100000\n"}};
        struct plat_cpu_limits limits = read_tree(files, sizeof files / sizeof files[0]);
        free(groups);
        cr_assert(limits.quota == 0, "length %d: quota is %u", length, limits.quota);
    }
}

/* ---- affinity -------------------------------------------------------------------------------- */

/* A kernel of another size, or one that refuses: the library's calls come here. */
static size_t kernel_mask_size; /* bytes; 0 = ask the real kernel */
static size_t kernel_mask_bits; /* set in the mask */
static int kernel_refusal;      /* errno, or 0 */

int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *mask) {
    if (kernel_refusal != 0) {
        errno = kernel_refusal;
        return -1;
    }
    if (kernel_mask_size == 0) {
        memset(mask, 0, size);
        return syscall(SYS_sched_getaffinity, pid, size, mask) < 0 ? -1 : 0;
    }
    if (size < kernel_mask_size) {
        errno = EINVAL;
        return -1;
    }
    CPU_ZERO_S(size, mask);
    for (size_t cpu = 0; cpu < kernel_mask_bits; cpu++) {
        CPU_SET_S(cpu, size, mask);
    }
    return 0;
}

static unsigned read_affinity(void) {
    struct plat_cpu_limits limits;
    plat_cpu_limits_read("/nonexistent", &limits);
    return limits.affinity;
}

Test(cpu_limits, grows_the_mask) {
    kernel_mask_size = 128;
    kernel_mask_bits = 1024;
    cr_assert(read_affinity() == 1024);
    kernel_mask_size = 1024;
    kernel_mask_bits = 8000;
    cr_assert(read_affinity() == 8000);
}

Test(cpu_limits, does_without_affinity) {
    kernel_refusal = EPERM;
    cr_assert(read_affinity() == 0);
    kernel_refusal = EINVAL; /* for ever: the search must end */
    cr_assert(read_affinity() == 0);
    cr_assert(cf_cpu_count(NULL) >= 1);
}

static size_t first_cpu(void) {
    cpu_set_t mask;
    size_t cpu = 0;
    cr_assert(sched_getaffinity(0, sizeof mask, &mask) == 0, "%s", strerror(errno));
    while (!CPU_ISSET(cpu, &mask)) {
        cpu++;
    }
    return cpu;
}

Test(cpu_limits, follows_the_affinity) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first_cpu(), &one);
    cr_assert(sched_setaffinity(0, sizeof one, &one) == 0, "%s", strerror(errno));
    cf_cpu_explanation explanation;
    cr_assert(cf_cpu_count(&explanation) == 1);
    cr_assert(explanation.count == 1 && explanation.affinity == 1);
    if (explanation.online > 1 && explanation.cpuset != 1) {
        cr_assert_str_eq(explanation.decided_by, "affinity");
    }
}

/* ---- the answer ------------------------------------------------------------------------------ */

Test(cpu_limits, takes_the_least) {
    static const struct {
        struct plat_cpu_limits limits;
        unsigned count;
        const char *decided_by;
    } cases[] = {
        {{.online = 8, .affinity = 8, .cpuset = 8, .quota = 8}, 8, "online"},
        {{.online = 8}, 8, "online"},
        {{.online = 8, .affinity = 3, .cpuset = 4}, 3, "affinity"},
        {{.online = 8, .affinity = 4, .cpuset = 4}, 4, "cpuset"}, /* the cause, not the effect */
        {{.online = 8, .affinity = 8, .cpuset = 2, .quota = 3}, 2, "cpuset"},
        {{.online = 8, .affinity = 8, .cpuset = 8, .quota = 3}, 3, "cgroup quota"},
        {{.online = 8, .affinity = 8, .quota = 9}, 8, "online"},
        {{.online = 1, .quota = UINT_MAX}, 1, "online"},
        {{.online = 1024, .affinity = 1024}, 1024, "online"},
        {{.online = 1025, .affinity = 1025, .quota = 2000}, 1024, "limit"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *decided_by = NULL;
        unsigned count = plat_cpu_limits_least(&cases[i].limits, 1024, &decided_by);
        cr_expect(count == cases[i].count, "case %zu: %u, wanted %u", i, count, cases[i].count);
        cr_expect_str_eq(decided_by, cases[i].decided_by, "case %zu: %s", i, decided_by);
    }
}

Test(cpu_limits, explains_the_answer) {
    cf_cpu_explanation seen;
    memset(&seen, 0xff, sizeof seen);
    unsigned count = cf_cpu_count(&seen);
    cr_assert(count == seen.count && count == cf_cpu_count(NULL));
    cr_assert(count >= 1 && count <= CF_WORKERS_MAX);
    struct plat_cpu_limits limits = {seen.online, seen.affinity, seen.cpuset, seen.quota};
    const char *decided_by = NULL;
    cr_assert(count == plat_cpu_limits_least(&limits, CF_WORKERS_MAX, &decided_by));
    cr_assert_str_eq(seen.decided_by, decided_by);
}

/* ---- real v1 groups -------------------------------------------------------------------------- */

/* A new group, and one within it that a child process enters: this process itself stays where it
 * is, and the empty groups can be removed whatever the child did. */
struct group {
    char outer[128], inner[160];
};

static bool group_create(struct group *group, const char *mount) {
    snprintf(group->outer, sizeof group->outer, "%s/cfutures-test-%d", mount, (int)getpid());
    snprintf(group->inner, sizeof group->inner, "%s/inner", group->outer);
    if (mkdir(group->outer, 0755) != 0) {
        return false;
    }
    if (mkdir(group->inner, 0755) != 0) {
        rmdir(group->outer);
        return false;
    }
    return true;
}

static void group_remove(const struct group *group) {
    cr_expect(rmdir(group->inner) == 0, "%s: %s", group->inner, strerror(errno));
    cr_expect(rmdir(group->outer) == 0, "%s: %s", group->outer, strerror(errno));
}

static bool group_write(const char *directory, const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool written = write(fd, text, strlen(text)) > 0;
    close(fd);
    return written;
}

static void count_inside(const struct group *group, cf_cpu_explanation *explanation) {
    char pid[32];
    snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (!group_write(group->inner, "cgroup.procs", pid)) {
        _exit(1);
    }
    cf_cpu_count(explanation);
    _exit(0);
}

/* False if the group cannot be entered. */
static bool explain_in_group(const struct group *group, cf_cpu_explanation *explanation) {
    cf_cpu_explanation *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(shared != MAP_FAILED);
    pid_t child = fork();
    if (child == 0) {
        count_inside(group, shared);
    }
    int status = -1;
    bool ended = child > 0 && waitpid(child, &status, 0) == child;
    *explanation = *shared;
    munmap(shared, sizeof *shared);
    return ended && status == 0;
}

#define QUOTAS_MAX 4

static bool explain_quotas(const struct group *group, const char *const *quotas,
                           cf_cpu_explanation *explanations) {
    for (size_t i = 0; i < QUOTAS_MAX; i++) {
        if (!group_write(group->outer, "cpu.cfs_period_us", "100000\n") ||
            !group_write(group->outer, "cpu.cfs_quota_us", quotas[i]) ||
            !explain_in_group(group, &explanations[i])) {
            return false;
        }
    }
    return true;
}

Test(cpu_limits, follows_a_real_v1_quota) {
    static const char *const quotas[QUOTAS_MAX] = {"-1\n", "50000\n", "150000\n", "250000\n"};
    static const unsigned wanted[QUOTAS_MAX] = {0, 1, 2, 3};
    struct group group;
    if (!group_create(&group, "/sys/fs/cgroup/cpu")) {
        cr_skip_test("no v1 cpu group can be made here");
    }
    cf_cpu_explanation seen[QUOTAS_MAX];
    bool done = explain_quotas(&group, quotas, seen);
    group_remove(&group);
    if (!done) {
        cr_skip_test("v1 cpu groups cannot be used here");
    }
    unsigned above = seen[0].quota; /* without one of our own: from the groups above, if any */
    for (size_t i = 1; i < QUOTAS_MAX; i++) {
        unsigned least = above != 0 && above < wanted[i] ? above : wanted[i];
        cr_expect(seen[i].quota == least, "%s: quota is %u", quotas[i], seen[i].quota);
        cr_expect(seen[i].count <= least, "%s: count is %u", quotas[i], seen[i].count);
    }
    if (seen[0].count > 1) {
        cr_expect(seen[1].count == 1, "half a processor: count is %u", seen[1].count);
        cr_expect_str_eq(seen[1].decided_by, "cgroup quota");
    }
}

static bool set_one_cpu(const char *directory) {
    char cpu[32];
    snprintf(cpu, sizeof cpu, "%zu\n", first_cpu());
    return group_write(directory, "cpuset.cpus", cpu) &&
           group_write(directory, "cpuset.mems", "0\n");
}

Test(cpu_limits, follows_a_real_v1_cpuset) {
    struct group group;
    if (!group_create(&group, "/sys/fs/cgroup/cpuset")) {
        cr_skip_test("no v1 cpuset group can be made here");
    }
    cf_cpu_explanation seen;
    bool done =
        set_one_cpu(group.outer) && set_one_cpu(group.inner) && explain_in_group(&group, &seen);
    group_remove(&group);
    if (!done) {
        cr_skip_test("v1 cpuset groups cannot be used here");
    }
    cr_assert(seen.cpuset == 1 && seen.affinity == 1 && seen.count == 1);
    if (seen.online > 1) {
        cr_assert_str_eq(seen.decided_by, "cpuset");
    }
}
