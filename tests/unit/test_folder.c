/* The folder of images: whole files or none, and nothing left behind. */
#include "../check.h"
#include "../scratch.h"

#include "download/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char home[SCRATCH_PATH];

static void make_home(void) {
    scratch_make(home);
}

static void remove_home(void) {
    scratch_remove(home);
}

TestSuite(folder, .init = make_home, .fini = remove_home, .timeout = TEST_SECONDS);

static const country_code BR = {"BR"}, DE = {"DE"};

/* ---- looks ----------------------------------------------------------------------------------- */

/* A path in `home`; good until the next four calls. */
static const char *in_home(const char *name) {
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    int length = snprintf(path, sizeof paths[0], "%s/%s", home, name);
    cr_assert(length > 0 && length < (int)sizeof paths[0]);
    return path;
}

static void expect_names(const char *folder, const char *wanted) {
    char names[2000];
    cr_assert_str_eq(scratch_list(folder, names, sizeof names), wanted);
}

static void expect_content(const char *name, const char *wanted) {
    cr_assert(scratch_holds(home, name, wanted, strlen(wanted)), "%s is not '%s'", name, wanted);
}

static void put(const char *name, const char *content) {
    cr_assert(scratch_write(home, name, content, strlen(content)), "%s", name);
}

static struct stat status_of(const char *name) {
    struct stat status;
    cr_assert(lstat(in_home(name), &status) == 0, "%s: %s", name, strerror(errno));
    return status;
}

static int save(const download_folder *folder, country_code code, const char *content) {
    return download_folder_save(folder, code, content, strlen(content), false);
}

static download_folder open_home(void) {
    download_folder folder;
    EXPECT_EQ(download_folder_open(&folder, home), 0);
    cr_assert(folder.path == home && folder.fd > STDERR_FILENO);
    return folder;
}

/* ---- opening --------------------------------------------------------------------------------- */

static void expect_opens(const char *path) {
    download_folder folder;
    EXPECT_EQ(download_folder_open(&folder, path), 0);
    EXPECT_EQ(save(&folder, BR, "x"), 0);
    download_folder_close(&folder);
    expect_names(path, "BR.gif");
    unlink(in_home("BR.gif"));
}

static void expect_error(const char *path, int wanted) {
    const size_t before = fd_count();
    download_folder folder;
    EXPECT_EQ(download_folder_open(&folder, path), wanted);
    EXPECT_EQ(fd_count(), before);
}

Test(folder, is_made_with_its_parents) {
    expect_opens(home); /* there already */
    expect_opens(in_home("one"));
    expect_opens(in_home("two/parents/too/"));
    expect_opens(in_home("three//slashes///"));
    expect_opens(in_home("four/./and/../dots"));
    expect_names(in_home("four"), "and dots");
}

Test(folder, is_made_where_the_program_is) {
    cr_assert(chdir(home) == 0);
    expect_opens("relative");
    expect_opens("relatives/of/it");
    cr_assert(symlink("relatives", "link") == 0);
    expect_opens("link/more");
    expect_names("relatives", "more of");
}

Test(folder, a_file_in_the_way) {
    put("file", "content");
    cr_assert(symlink("nowhere", in_home("dangling")) == 0);
    expect_error(in_home("file"), ENOTDIR);
    expect_error(in_home("file/"), ENOTDIR);
    expect_error(in_home("file/folder"), ENOTDIR);
    expect_error(in_home("file/folder/folder"), ENOTDIR);
    expect_error(in_home("dangling"), ENOENT);
    expect_error("", ENOENT);
    expect_content("file", "content");
    expect_names(home, "dangling file");
}

Test(folder, names_too_long) {
    char name[5000];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    expect_error(name, ENAMETOOLONG);
    name[300] = '\0';
    expect_error(in_home(name), ENAMETOOLONG);
    expect_names(home, "");
}

/* Root may do all: as somebody else. */
static int try_without_permission(void *context) {
    (void)context;
    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0)) {
        return 77;
    }
    download_folder folder;
    HOST_CHECK(download_folder_open(&folder, in_home("sealed/folder")) == EACCES);
    HOST_CHECK(download_folder_open(&folder, in_home("unreadable")) == EACCES);
    HOST_CHECK(download_folder_open(&folder, in_home("sealed")) == 0); /* to look is allowed */
    HOST_CHECK(save(&folder, BR, "x") == EACCES);
    download_folder_close(&folder);
    return 0;
}

Test(folder, no_permission) {
    cr_assert(chmod(home, 0755) == 0);
    cr_assert(mkdir(in_home("sealed"), 0755) == 0 && chmod(in_home("sealed"), 0555) == 0);
    cr_assert(mkdir(in_home("unreadable"), 0) == 0);
    put("sealed/.BR.gif.1", "left by somebody else");
    const int status = host_run(try_without_permission, NULL);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        cr_skip_test("nobody else to be here");
    }
    EXPECT_EQ(status, 0);
    expect_names(in_home("sealed"),
                 ".BR.gif.1"); /* which cannot be removed, and is no reason to fail */
}

/* ---- saving ---------------------------------------------------------------------------------- */

Test(folder, saves_what_it_is_given) {
    enum {
        SIZE = 3 << 20
    };
    static char large[SIZE];
    uint64_t seed = 1;
    for (size_t i = 0; i < SIZE; i++) {
        large[i] = (char)random_next(&seed);
    }
    const size_t before = fd_count();
    download_folder folder = open_home();
    EXPECT_EQ(download_folder_save(&folder, BR, large, SIZE, false), 0);
    EXPECT_EQ(download_folder_save(&folder, DE, large, 0, true), 0); /* to the disk */
    download_folder_close(&folder);
    EXPECT_EQ(fd_count(), before);
    cr_assert(scratch_holds(home, "BR.gif", large, SIZE));
    expect_content("DE.gif", "");
    expect_names(home, "BR.gif DE.gif");
}

Test(folder, replaces_a_file_as_a_whole) {
    put("BR.gif", "old content");
    cr_assert(chmod(in_home("BR.gif"), 0444) == 0); /* which concerns the file, not its name */
    const ino_t old_inode = status_of("BR.gif").st_ino;
    const int reader = open(in_home("BR.gif"), O_RDONLY | O_CLOEXEC);
    download_folder folder = open_home();
    EXPECT_EQ(save(&folder, BR, "new"), 0);
    expect_content("BR.gif", "new");
    cr_assert(status_of("BR.gif").st_ino != old_inode);
    char seen[20] = "";
    EXPECT_EQ(read(reader, seen, sizeof seen), 11);
    cr_assert_str_eq(seen, "old content");
    close(reader);
    EXPECT_EQ(save(&folder, BR, "newer"), 0);
    expect_content("BR.gif", "newer");
    download_folder_close(&folder);
    expect_names(home, "BR.gif");
}

Test(folder, replaces_a_link_not_its_target) {
    put("target", "untouched");
    cr_assert(symlink("target", in_home("BR.gif")) == 0);
    cr_assert(symlink("nowhere", in_home("DE.gif")) == 0);
    download_folder folder = open_home();
    EXPECT_EQ(save(&folder, BR, "new"), 0);
    EXPECT_EQ(save(&folder, DE, "new"), 0);
    download_folder_close(&folder);
    cr_assert(S_ISREG(status_of("BR.gif").st_mode) && S_ISREG(status_of("DE.gif").st_mode));
    expect_content("BR.gif", "new");
    expect_content("target", "untouched");
    expect_names(home, "BR.gif DE.gif target");
}

Test(folder, a_folder_in_the_way) {
    cr_assert(mkdir(in_home("BR.gif"), 0755) == 0);
    download_folder folder = open_home();
    EXPECT_EQ(save(&folder, BR, "new"), EISDIR);
    EXPECT_EQ(save(&folder, DE, "new"), 0);
    download_folder_close(&folder);
    cr_assert(S_ISDIR(status_of("BR.gif").st_mode));
    expect_names(home, "BR.gif DE.gif");
}

Test(folder, is_gone_meanwhile) {
    char path[100];
    snprintf(path, sizeof path, "%s", in_home("folder"));
    download_folder folder;
    EXPECT_EQ(download_folder_open(&folder, path), 0);
    cr_assert(rmdir(path) == 0);
    EXPECT_EQ(save(&folder, BR, "new"), ENOENT);
    cr_assert(!download_folder_has(&folder, BR));
    download_folder_close(&folder);
}

Test(folder, modes_obey_the_umask) {
    static const mode_t MASKS[] = {0, 022, 027, 077};
    for (size_t i = 0; i < COUNT_OF(MASKS); i++) {
        char path[100];
        snprintf(path, sizeof path, "%s/%zu/inner", home, i);
        umask(MASKS[i]);
        download_folder folder;
        EXPECT_EQ(download_folder_open(&folder, path), 0);
        EXPECT_EQ(save(&folder, BR, "x"), 0);
        download_folder_close(&folder);
        struct stat status;
        cr_assert(stat(path, &status) == 0);
        EXPECT_EQ(status.st_mode & 0777, 0777 & ~MASKS[i]);
        strcat(path, "/BR.gif");
        cr_assert(stat(path, &status) == 0);
        EXPECT_EQ(status.st_mode & 0777, 0666 & ~MASKS[i]);
    }
    umask(022);
}

/* A limit on the size of files is as good as a disk that is full. */
Test(folder, no_room) {
    char content[5000];
    memset(content, 'n', sizeof content);
    put("BR.gif", "old");
    signal(SIGXFSZ, SIG_IGN);
    download_folder folder = open_home();
    struct rlimit size;
    cr_assert(getrlimit(RLIMIT_FSIZE, &size) == 0);
    const rlim_t before = size.rlim_cur;
    size.rlim_cur = 4096;
    cr_assert(setrlimit(RLIMIT_FSIZE, &size) == 0);
    const int problem = download_folder_save(&folder, BR, content, sizeof content, true);
    const int another = download_folder_save(&folder, DE, content, sizeof content, false);
    const int smaller = download_folder_save(&folder, (country_code){"FR"}, content, 4096, false);
    size.rlim_cur = before;
    cr_assert(setrlimit(RLIMIT_FSIZE, &size) == 0);
    EXPECT_EQ(problem, EFBIG);
    EXPECT_EQ(another, EFBIG);
    EXPECT_EQ(smaller, 0);
    download_folder_close(&folder);
    expect_content("BR.gif", "old");
    expect_names(home, "BR.gif FR.gif");
}

typedef struct saver {
    pthread_t thread;
    const download_folder *folder;
    char letter;
} saver;

static void *save_26(void *context) {
    const saver *s = context;
    for (char second = 'A'; second <= 'Z'; second++) {
        const country_code code = {{s->letter, second, '\0'}};
        EXPECT_EQ(save(s->folder, code, code.text), 0);
    }
    return NULL;
}

Test(folder, threads_save_side_by_side) {
    download_folder folder = open_home();
    saver savers[4];
    for (size_t i = 0; i < COUNT_OF(savers); i++) {
        savers[i] = (saver){.folder = &folder, .letter = (char)('A' + i)};
        cr_assert(pthread_create(&savers[i].thread, NULL, save_26, &savers[i]) == 0);
    }
    for (size_t i = 0; i < COUNT_OF(savers); i++) {
        pthread_join(savers[i].thread, NULL);
    }
    download_folder_close(&folder);
    for (char first = 'A'; first <= 'D'; first++) {
        for (char second = 'A'; second <= 'Z'; second++) {
            char name[10];
            snprintf(name, sizeof name, "%c%c.gif", first, second);
            cr_assert(scratch_holds(home, name, name, 2), "%s", name);
        }
    }
}

/* ---- what runs that were killed have left ---------------------------------------------------- */

static void put_leftovers(void) {
    put(".BR.gif.1", "");
    put(".ZZ.gif.4194304", "half");
}

#define LEFTOVERS ".BR.gif.1 .ZZ.gif.4194304"

Test(folder, leftovers_are_removed) {
    put_leftovers();
    put("BR.gif", "stays");
    download_folder folder = open_home();
    expect_names(home, "BR.gif");
    download_folder_close(&folder);
    expect_content("BR.gif", "stays");
}

Test(folder, what_only_looks_alike_is_kept) {
    static const char *const NAMES[] = {
        "..gif.1",    ".B.gif.1",   ".BR",         ".BR.gif",     ".BR.gif.",
        ".BR.gif.-1", ".BR.gif.1.", ".BR.gif.1.2", ".BR.gif.12a", ".BR.gif.new",
        ".BR.gif1",   ".BR.jpg.1",  ".BRA.gif.1",  ".Br.gif.1",   "._BR.gif.1",
        ".b1.gif.1",  ".br.gif.1",  "BR.gif.1",    "xBR.gif.1",   ".\xc3\x9f.gif.1"};
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        put(NAMES[i], NAMES[i]);
    }
    cr_assert(mkdir(in_home(".BR.gif.5"), 0755) == 0); /* no file of ours */
    cr_assert(symlink("BR.gif", in_home(".DE.gif.77")) == 0);
    download_folder folder = open_home();
    download_folder_close(&folder);
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        expect_content(NAMES[i], NAMES[i]);
    }
    cr_assert(S_ISDIR(status_of(".BR.gif.5").st_mode));
    cr_assert(S_ISLNK(status_of(".DE.gif.77").st_mode));
}

static void open_and_close(void) {
    download_folder folder = open_home();
    download_folder_close(&folder);
}

typedef struct writer {
    counter locked, gate;
} writer;

/* As a worker has it that is in the middle of a file. */
static int lock_one(void *context) {
    writer *w = context;
    const int fd = open(in_home(".BR.gif.1"), O_WRONLY | O_CLOEXEC);
    HOST_CHECK(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
    counter_add(&w->locked, 1);
    return counter_wait(&w->gate, 1) ? 0 : 1;
}

Test(folder, what_a_live_worker_writes_stays) {
    writer *w = shared_alloc(sizeof *w);
    put_leftovers();
    const pid_t worker = host_start(lock_one, w);
    cr_assert(worker > 0 && counter_wait(&w->locked, 1));
    open_and_close();
    expect_names(home, ".BR.gif.1");
    kill(worker, SIGKILL); /* a lock ends with its process, however that ends */
    host_wait(worker);
    open_and_close();
    expect_names(home, "");
    shared_free(w, sizeof *w);
}

/* `flock DIR PROGRAM --dest=DIR`: the lock of whoever started us. */
Test(folder, another_lock_on_the_folder_does_not_matter) {
    static const int KINDS[] = {LOCK_EX, LOCK_SH};
    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        const int guard = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        cr_assert(guard >= 0 && flock(guard, KINDS[i]) == 0);
        put_leftovers();
        download_folder folder = open_home(); /* for ever, once */
        EXPECT_EQ(save(&folder, BR, "new"), 0);
        expect_names(home, "BR.gif");
        put_leftovers();
        download_folder_close(&folder);
        expect_names(home, "BR.gif");
        close(guard);
    }
}

/* The guard of another program must not have to wait either. */
Test(folder, is_not_locked) {
    download_folder folder = open_home();
    const int guard = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    EXPECT_EQ(flock(guard, LOCK_EX | LOCK_NB), 0);
    close(guard);
    download_folder_close(&folder);
}

static atomic_bool all_saved;

static void *open_again_and_again(void *unused) {
    while (!atomic_load(&all_saved)) {
        open_and_close();
    }
    return unused;
}

/* The others look for leftovers all the time, and see files that are a microsecond old. */
Test(folder, others_open_it_while_files_are_saved) {
    enum {
        OTHERS = 3,
        ROUNDS = 20
    };
    pthread_t others[OTHERS];
    atomic_store(&all_saved, false);
    for (size_t i = 0; i < OTHERS; i++) {
        cr_assert(pthread_create(&others[i], NULL, open_again_and_again, NULL) == 0);
    }
    download_folder folder = open_home();
    for (int i = 0; i < ROUNDS; i++) {
        save_26(&(saver){.folder = &folder, .letter = 'A'});
    }
    atomic_store(&all_saved, true);
    for (size_t i = 0; i < OTHERS; i++) {
        pthread_join(others[i], NULL);
    }
    download_folder_close(&folder);
    char names[1000];
    cr_assert(strchr(scratch_list(home, names, sizeof names), '.') != names, "%s", names);
    EXPECT_EQ(strlen(names), 26 * strlen("AA.gif ") - 1);
}

/* ---- what is there already ------------------------------------------------------------------- */

Test(folder, has_what_begins_as_a_gif) {
    static const struct {
        const char *content;
        bool is_gif;
    } FILES[] = {{"GIF87a", true},  {"GIF89a", true},   {"GIF89a and more", true},
                 {"", false},       {"GIF89", false},   {"GIF88a", false},
                 {"gif89a", false}, {" GIF89a", false}, {"<html>", false}};
    download_folder folder = open_home();
    cr_assert(!download_folder_has(&folder, BR));
    for (size_t i = 0; i < COUNT_OF(FILES); i++) {
        put("BR.gif", FILES[i].content);
        cr_assert(download_folder_has(&folder, BR) == FILES[i].is_gif, "'%s'", FILES[i].content);
        cr_assert(!download_folder_has(&folder, DE));
    }
    download_folder_close(&folder);
}

Test(folder, has_nothing_but_regular_files) {
    const size_t before = fd_count();
    download_folder folder = open_home();
    put("target", "GIF89a");
    cr_assert(mkdir(in_home("AA.gif"), 0755) == 0);
    cr_assert(mkfifo(in_home("BB.gif"), 0644) == 0); /* which nobody must wait for */
    cr_assert(symlink("nowhere", in_home("CC.gif")) == 0);
    cr_assert(symlink("DD.gif", in_home("DD.gif")) == 0);
    cr_assert(symlink("/dev/zero", in_home("EE.gif")) == 0);
    for (char c = 'A'; c <= 'E'; c++) {
        cr_assert(!download_folder_has(&folder, (country_code){{c, c, '\0'}}), "%c", c);
    }
    cr_assert(symlink("target", in_home("FF.gif")) == 0);
    cr_assert(download_folder_has(&folder, (country_code){"FF"}));
    download_folder_close(&folder);
    EXPECT_EQ(fd_count(), before);
}
