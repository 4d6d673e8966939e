/* A file layer on which a process dies: preloaded, it counts what is done to one file and its
 * companions (file-wal, …), or to the files below one folder, and ends the process at the n-th
 * operation, as SIGKILL or a loss of power would.
 *
 *     dying_files_arm(place, n, how)    n from 1; 0: only log
 *     dying_files_die()                 end now
 *     dying_files_log()                 the operations so far, a letter each: write, truncate, sync,
 *                                       unlink, rename
 *
 * The environment arms it too: DYING_FILES="n how place".
 *
 * how: 0 killed before the operation; 1 killed when half of a write was done; 2 power lost before the
 * operation: what was written and not synced since is undone; 3 the same, and so are renames and
 * removals in folders that were not synced since: a disk may keep these without the bytes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { KILLED, TORN, POWER_LOST, NAMES_LOST };

static char place[4096];
static long wanted, count;
static int how;
static char operations[65536];

/* Writes that no fsync has made safe yet, newest first. */
struct unsynced {
    struct unsynced *older;
    dev_t device;
    ino_t inode;
    int fd;
    off_t offset, old_size;
    size_t old_length;
    char old[];
};
static struct unsynced *newest;

/* Names that no fsync of their folder has made safe yet, newest first. */
struct unsynced_name {
    struct unsynced_name *older;
    dev_t device;
    ino_t folder;
    /* from was renamed to `to`, or removed where `to` is empty; kept: what was lost by it, or "". */
    char from[4096], to[4096], kept[4200];
};
static struct unsynced_name *newest_name;

#define REAL(result, name, ...)                                                                    \
    static result (*real)(__VA_ARGS__);                                                            \
    if (!real)                                                                                     \
        real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static ssize_t pwrite_now(int fd, const void *bytes, size_t length, off_t offset) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t);
    return real(fd, bytes, length, offset);
}

static int truncate_now(int fd, off_t size) {
    REAL(int, "ftruncate64", int, off_t);
    return real(fd, size);
}

static int rename_now(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    return real(from, to);
}

static void die(void) {
    if (how >= POWER_LOST) {
        for (struct unsynced_name *each = newest_name; each; each = each->older) {
            if (each->to[0])
                rename_now(each->to, each->from);
            if (each->kept[0])
                rename_now(each->kept, each->to[0] ? each->to : each->from);
        }
        for (struct unsynced *each = newest; each; each = each->older) {
            pwrite_now(each->fd, each->old, each->old_length, each->offset);
            truncate_now(each->fd, each->old_size);
        }
    }
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static int is_below(const char *path) {
    size_t length = strlen(place);
    /* strchr finds the end of the string as well: the file itself. */
    return length && !strncmp(path, place, length) && strchr("/-", path[length]);
}

static int is_watched(int fd) {
    char link[64], path[4096];
    if (!place[0])
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return is_below(path);
}

/* Counts; whether the process is to die at this operation. */
static int is_due(char what) {
    if ((size_t)count + 1 < sizeof operations)
        operations[count] = what;
    return ++count == wanted;
}

static void remember(int fd, size_t length, off_t offset) {
    struct stat now;
    if (how < POWER_LOST || fstat(fd, &now))
        return;
    struct unsynced *entry = malloc(sizeof *entry + length);
    if (!entry)
        abort();
    entry->older = newest;
    entry->device = now.st_dev;
    entry->inode = now.st_ino;
    /* Never closed: that would give back the locks that the process holds on the file. */
    entry->fd = newest && newest->inode == now.st_ino ? newest->fd : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    entry->offset = offset;
    entry->old_size = now.st_size;
    ssize_t found = pread(fd, entry->old, length, offset);
    entry->old_length = found < 0 ? 0 : (size_t)found;
    newest = entry;
}

/* The whole path of a name in an open folder; "" if there is none. */
static void whole(char whole[4096], int at, const char *path) {
    char link[64];
    ssize_t length = 0;
    if (path[0] != '/') {
        snprintf(link, sizeof link, at == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", at);
        length = readlink(link, whole, 4095);
        if (length < 0)
            length = 0;
        whole[length++] = '/';
    }
    snprintf(whole + length, (size_t)(4096 - length), "%s", path);
}

/* Before a name is gone: `to` is NULL where it is removed. */
static void remember_name(int at, const char *from, int to_at, const char *to) {
    static int kept;
    struct stat folder;
    if (how != NAMES_LOST)
        return;
    struct unsynced_name *entry = calloc(1, sizeof *entry);
    if (!entry)
        abort();
    whole(entry->from, at, from);
    if (to)
        whole(entry->to, to_at, to);
    const char *lost = to ? entry->to : entry->from;
    char parent[4096];
    snprintf(parent, sizeof parent, "%s", lost);
    *strrchr(parent, '/') = 0;
    if (stat(parent, &folder))
        return;
    entry->device = folder.st_dev;
    entry->folder = folder.st_ino;
    snprintf(entry->kept, sizeof entry->kept, "%s.kept-%d", place, kept++);
    if (link(lost, entry->kept))
        entry->kept[0] = 0;
    entry->older = newest_name;
    newest_name = entry;
}

static void synced(int fd) {
    struct stat now;
    if (fstat(fd, &now))
        return;
    for (struct unsynced_name **each = &newest_name; *each;)
        if ((*each)->folder == now.st_ino && (*each)->device == now.st_dev) {
            unlink((*each)->kept);
            *each = (*each)->older;
        } else
            each = &(*each)->older;
    for (struct unsynced **each = &newest; *each;)
        if ((*each)->inode == now.st_ino && (*each)->device == now.st_dev)
            *each = (*each)->older;
        else
            each = &(*each)->older;
}

static void on_write(int fd, const void *bytes, size_t length, off_t offset) {
    if (!is_watched(fd))
        return;
    if (is_due('w')) {
        if (how == TORN)
            pwrite_now(fd, bytes, length / 2, offset);
        die();
    }
    remember(fd, length, offset);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(ssize_t, "write", int, const void *, size_t);
    if (place[0] && is_watched(fd)) {
        off_t at = lseek(fd, 0, SEEK_CUR);
        on_write(fd, bytes, length, at < 0 ? 0 : at);
    }
    return real(fd, bytes, length);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    on_write(fd, bytes, length, offset);
    return pwrite_now(fd, bytes, length, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    on_write(fd, bytes, length, offset);
    return pwrite_now(fd, bytes, length, offset);
}

static int on_truncate(int fd, off_t size) {
    if (is_watched(fd)) {
        if (is_due('t'))
            die();
        struct stat now;
        if (!fstat(fd, &now) && now.st_size > size)
            remember(fd, (size_t)(now.st_size - size), size);
        else
            remember(fd, 0, 0);
    }
    return truncate_now(fd, size);
}

int ftruncate(int fd, off_t size) { return on_truncate(fd, size); }
int ftruncate64(int fd, off64_t size) { return on_truncate(fd, size); }

/* Nothing is synced but in the books: no power is lost here but in them. */
static int on_sync(int fd) {
    if (is_watched(fd)) {
        if (is_due('s'))
            die();
        synced(fd);
    }
    return 0;
}

int fsync(int fd) { return on_sync(fd); }
int fdatasync(int fd) { return on_sync(fd); }

static int is_watched_at(int at, const char *path) {
    return path[0] == '/' ? is_below(path) : at != AT_FDCWD && is_watched(at);
}

static void on_removal(int at, const char *path) {
    if (is_watched_at(at, path)) {
        if (is_due('u'))
            die();
        remember_name(at, path, AT_FDCWD, NULL);
    }
}

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    on_removal(AT_FDCWD, path);
    return real(path);
}

int unlinkat(int at, const char *path, int flags) {
    REAL(int, "unlinkat", int, const char *, int);
    on_removal(at, path);
    return real(at, path, flags);
}

static void on_renaming(int at, const char *from, int to_at, const char *to) {
    if (is_watched_at(to_at, to)) {
        if (is_due('r'))
            die();
        remember_name(at, from, to_at, to);
    }
}

int rename(const char *from, const char *to) {
    on_renaming(AT_FDCWD, from, AT_FDCWD, to);
    return rename_now(from, to);
}

int renameat(int at, const char *from, int to_at, const char *to) {
    REAL(int, "renameat", int, const char *, int, const char *);
    on_renaming(at, from, to_at, to);
    return real(at, from, to_at, to);
}

void dying_files_arm(const char *where, long n, int in_which_way) {
    snprintf(place, sizeof place, "%s", where);
    wanted = n;
    how = in_which_way;
    count = 0;
    memset(operations, 0, sizeof operations);
}

void dying_files_die(void) { die(); }

const char *dying_files_log(void) { return operations; }

__attribute__((constructor)) static void arm_by_environment(void) {
    const char *wish = getenv("DYING_FILES");
    char where[4096];
    long n;
    int way;
    if (wish && sscanf(wish, "%ld %d %4095s", &n, &way, where) == 3)
        dying_files_arm(where, n, way);
}
