/* Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A pass-through file system that waits before each operation, counts them, and can hang: a shared file system of known
 * latency on a machine without one. See README.md for what it imitates of an NFS mount and what it does not.
 *
 *     slow_files [options] SOURCE MOUNTPOINT     SOURCE and MOUNTPOINT may be one folder: the mount then covers its source
 *     slow_files ctl SOCKET COMMAND...           ask a running one: counters, reset, delay MICROSECONDS, recent, hang, resume
 */
#define FUSE_USE_VERSION 312
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <fuse_lowlevel.h>
#include <getopt.h>
#include <limits.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define RECENT 4096        /* operations remembered with their path */
#define RECENT_PATH 200    /* bytes of a path kept there */
#define VERSIONS 65536     /* buckets of the table of file versions */
#define OPTION_LIMIT 86400 /* seconds: the longest cache time taken */

enum operation {
    OP_GETATTR, OP_READLINK, OP_OPENDIR, OP_READDIR, OP_OPEN, OP_CREATE, OP_READ, OP_WRITE, OP_FLUSH, OP_FSYNC, OP_MKNOD,
    OP_MKDIR, OP_UNLINK, OP_RMDIR, OP_SYMLINK, OP_RENAME, OP_LINK, OP_SETATTR, OP_STATFS, OP_LOCK, OPERATIONS
};

static const char *const names[OPERATIONS] = {
    "getattr", "readlink", "opendir", "readdir", "open", "create", "read", "write", "flush", "fsync", "mknod",
    "mkdir", "unlink", "rmdir", "symlink", "rename", "link", "setattr", "statfs", "lock",
};

static atomic_ullong counts[OPERATIONS], bytes_read, bytes_written, waited_us;
static atomic_uint delay_us;
static double attribute_seconds = 3, entry_seconds = 30; /* acregmin and acdirmin of an NFS mount */
static int source_fd;
static struct fuse *the_fuse;

/* Hanging: an operation that arrives while the gate is shut waits until it opens. */
static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_opened = PTHREAD_COND_INITIALIZER;
static atomic_bool gate_shut;

static pthread_mutex_t recent_lock = PTHREAD_MUTEX_INITIALIZER;
static struct { unsigned char operation; char path[RECENT_PATH]; } recent[RECENT];
static unsigned long long recent_next;

/* An open file: its descriptor, and whether it was written since the last close. */
struct handle { int fd; atomic_bool dirty; };

/* Close-to-open consistency: the page cache of a file is kept at open when the file is as the kernel last saw it. */
struct version { dev_t device; ino_t inode; struct timespec changed; off_t size; struct version *next; };
static struct version *versions[VERSIONS];
static pthread_mutex_t versions_lock = PTHREAD_MUTEX_INITIALIZER;

static void pause_for(unsigned int round_trips)
{
    unsigned int microseconds = atomic_load(&delay_us) * round_trips;
    if (microseconds == 0)
        return;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t nanoseconds = (uint64_t)until.tv_nsec + (uint64_t)microseconds * 1000;
    until.tv_sec += (time_t)(nanoseconds / 1000000000);
    until.tv_nsec = (long)(nanoseconds % 1000000000);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
    atomic_fetch_add(&waited_us, microseconds);
}

/* Count an operation, remember it, and wait for as many round trips as it would cost. */
static void meter(enum operation operation, const char *path, unsigned int round_trips)
{
    atomic_fetch_add(&counts[operation], 1);
    pthread_mutex_lock(&recent_lock);
    recent[recent_next % RECENT].operation = (unsigned char)operation;
    snprintf(recent[recent_next % RECENT].path, RECENT_PATH, "%s", path ? path : "(open file)");
    recent_next++;
    pthread_mutex_unlock(&recent_lock);
    if (atomic_load(&gate_shut)) {
        pthread_mutex_lock(&gate_lock);
        while (atomic_load(&gate_shut))
            pthread_cond_wait(&gate_opened, &gate_lock);
        pthread_mutex_unlock(&gate_lock);
    }
    pause_for(round_trips);
}

static const char *below(const char *path) { return path[1] ? path + 1 : "."; }
static int answer(int result) { return result < 0 ? -errno : 0; }
static struct handle *handle_of(struct fuse_file_info *file) { return (struct handle *)(uintptr_t)file->fh; }

/* True when the file is as it was when last asked; remembers it as it is now. */
static bool unchanged(const struct stat *now)
{
    struct version **bucket = &versions[((uint64_t)now->st_ino * 2654435761u ^ now->st_dev) % VERSIONS];
    bool same = false;
    pthread_mutex_lock(&versions_lock);
    struct version *known = *bucket;
    while (known && (known->inode != now->st_ino || known->device != now->st_dev))
        known = known->next;
    if (!known && (known = calloc(1, sizeof(*known)))) {
        known->next = *bucket;
        known->size = -1;
        *bucket = known;
    }
    if (known) {
        same = known->size == now->st_size && known->changed.tv_sec == now->st_ctim.tv_sec &&
               known->changed.tv_nsec == now->st_ctim.tv_nsec;
        known->device = now->st_dev;
        known->inode = now->st_ino;
        known->size = now->st_size;
        known->changed = now->st_ctim;
    }
    pthread_mutex_unlock(&versions_lock);
    return same;
}

/* A new entry belongs to who made it (this process is root); a set-group-id folder gives its own group. */
static void give_to_caller(const char *path)
{
    struct fuse_context *caller = fuse_get_context();
    char folder[PATH_MAX];
    struct stat parent;
    snprintf(folder, sizeof(folder), "%s", below(path));
    char *slash = strrchr(folder, '/');
    snprintf(slash ? slash : folder, 2, "%s", slash ? "" : ".");
    gid_t group = caller->gid;
    if (fstatat(source_fd, folder, &parent, 0) == 0 && parent.st_mode & S_ISGID)
        group = (gid_t)-1;
    if (caller->uid || group)
        if (fchownat(source_fd, below(path), caller->uid, group, AT_SYMLINK_NOFOLLOW))
            perror("slow_files: chown of a new entry");
}

static int sf_getattr(const char *path, struct stat *status, struct fuse_file_info *file)
{
    meter(OP_GETATTR, path, 1);
    if (file ? fstat(handle_of(file)->fd, status) : fstatat(source_fd, below(path), status, AT_SYMLINK_NOFOLLOW))
        return -errno;
    unchanged(status);
    return 0;
}

static int sf_readlink(const char *path, char *target, size_t size)
{
    meter(OP_READLINK, path, 1);
    ssize_t length = readlinkat(source_fd, below(path), target, size - 1);
    if (length < 0)
        return -errno;
    target[length] = 0;
    return 0;
}

static int sf_opendir(const char *path, struct fuse_file_info *file)
{
    struct stat status;
    meter(OP_OPENDIR, path, 1);
    int fd = openat(source_fd, below(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    DIR *folder = fdopendir(fd);
    if (!folder || fstat(fd, &status)) {
        int problem = errno;
        folder ? closedir(folder) : close(fd);
        return -problem;
    }
    file->fh = (uint64_t)(uintptr_t)folder;
    file->cache_readdir = entry_seconds > 0;
    file->keep_cache = unchanged(&status) && entry_seconds > 0;
    return 0;
}

/* The whole listing with its attributes is one round trip, as NFS's READDIR with attributes is for a folder of some size. */
static int sf_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *file,
                      enum fuse_readdir_flags flags)
{
    (void)offset;
    DIR *folder = (DIR *)(uintptr_t)file->fh;
    struct dirent *entry;
    meter(OP_READDIR, path, 1);
    rewinddir(folder);
    while ((entry = readdir(folder))) {
        struct stat status;
        bool full = (flags & FUSE_READDIR_PLUS) && !fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW);
        if (full) {
            unchanged(&status);
        } else {
            memset(&status, 0, sizeof(status));
            status.st_ino = entry->d_ino;
            status.st_mode = (mode_t)DTTOIF(entry->d_type);
        }
        if (fill(buffer, entry->d_name, &status, 0, full ? FUSE_FILL_DIR_PLUS : 0))
            break;
    }
    return 0;
}

static int sf_releasedir(const char *path, struct fuse_file_info *file)
{
    (void)path;
    return answer(closedir((DIR *)(uintptr_t)file->fh));
}

static int take_handle(int fd, struct fuse_file_info *file)
{
    struct handle *handle = fd < 0 ? NULL : calloc(1, sizeof(*handle));
    if (!handle) {
        int problem = fd < 0 ? errno : ENOMEM;
        if (fd >= 0)
            close(fd);
        return -problem;
    }
    handle->fd = fd;
    file->fh = (uint64_t)(uintptr_t)handle;
    return 0;
}

static int sf_open(const char *path, struct fuse_file_info *file)
{
    struct stat status;
    meter(OP_OPEN, path, 1);
    int fd = openat(source_fd, below(path), (file->flags & ~(O_NOFOLLOW | O_APPEND)) | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &status) == 0) {
        file->keep_cache = unchanged(&status);
        if (!file->keep_cache)
            fuse_invalidate_path(the_fuse, path); /* its cached size is not that of the new content */
    }
    return take_handle(fd, file);
}

static int sf_create(const char *path, mode_t mode, struct fuse_file_info *file)
{
    meter(OP_CREATE, path, 1);
    int fd = openat(source_fd, below(path), (file->flags & ~O_APPEND) | O_CREAT | O_CLOEXEC, mode);
    if (fd >= 0)
        give_to_caller(path);
    return take_handle(fd, file);
}

static int sf_read(const char *path, char *buffer, size_t size, off_t offset, struct fuse_file_info *file)
{
    meter(OP_READ, path, 1);
    ssize_t got = pread(handle_of(file)->fd, buffer, size, offset);
    if (got < 0)
        return -errno;
    atomic_fetch_add(&bytes_read, (unsigned long long)got);
    return (int)got;
}

/* NFS collects writes and sends them at close: the waiting is sf_flush's. */
static int sf_write(const char *path, const char *buffer, size_t size, off_t offset, struct fuse_file_info *file)
{
    meter(OP_WRITE, path, 0);
    ssize_t put = pwrite(handle_of(file)->fd, buffer, size, offset);
    if (put < 0)
        return -errno;
    atomic_store(&handle_of(file)->dirty, true);
    atomic_fetch_add(&bytes_written, (unsigned long long)put);
    return (int)put;
}

/* Each close: CLOSE, and before it WRITE when something was written. */
static int sf_flush(const char *path, struct fuse_file_info *file)
{
    struct handle *handle = handle_of(file);
    struct stat status;
    bool dirty = atomic_exchange(&handle->dirty, false);
    meter(OP_FLUSH, path, dirty ? 2 : 1);
    if (dirty && fstat(handle->fd, &status) == 0)
        unchanged(&status); /* what was written here need not be read again */
    return 0;
}

static int sf_release(const char *path, struct fuse_file_info *file)
{
    (void)path;
    struct handle *handle = handle_of(file);
    close(handle->fd);
    free(handle);
    return 0;
}

static int sf_fsync(const char *path, int data_only, struct fuse_file_info *file)
{
    meter(OP_FSYNC, path, atomic_exchange(&handle_of(file)->dirty, false) ? 2 : 1);
    return answer(data_only ? fdatasync(handle_of(file)->fd) : fsync(handle_of(file)->fd));
}

static int made(const char *path, int result)
{
    if (result < 0)
        return -errno;
    give_to_caller(path);
    return 0;
}

static int sf_mknod(const char *path, mode_t mode, dev_t device)
{ meter(OP_MKNOD, path, 1); return made(path, mknodat(source_fd, below(path), mode, device)); }
static int sf_mkdir(const char *path, mode_t mode)
{ meter(OP_MKDIR, path, 1); return made(path, mkdirat(source_fd, below(path), mode)); }
static int sf_symlink(const char *target, const char *path)
{ meter(OP_SYMLINK, path, 1); return made(path, symlinkat(target, source_fd, below(path))); }
static int sf_unlink(const char *path)
{ meter(OP_UNLINK, path, 1); return answer(unlinkat(source_fd, below(path), 0)); }
static int sf_rmdir(const char *path)
{ meter(OP_RMDIR, path, 1); return answer(unlinkat(source_fd, below(path), AT_REMOVEDIR)); }
static int sf_rename(const char *from, const char *to, unsigned int flags)
{ meter(OP_RENAME, to, 1); return answer(renameat2(source_fd, below(from), source_fd, below(to), flags)); }
static int sf_link(const char *from, const char *to)
{ meter(OP_LINK, to, 1); return answer(linkat(source_fd, below(from), source_fd, below(to), 0)); }

static int sf_chmod(const char *path, mode_t mode, struct fuse_file_info *file)
{
    meter(OP_SETATTR, path, 1);
    return answer(file ? fchmod(handle_of(file)->fd, mode) : fchmodat(source_fd, below(path), mode, 0));
}

static int sf_chown(const char *path, uid_t user, gid_t group, struct fuse_file_info *file)
{
    meter(OP_SETATTR, path, 1);
    if (file)
        return answer(fchown(handle_of(file)->fd, user, group));
    return answer(fchownat(source_fd, below(path), user, group, AT_SYMLINK_NOFOLLOW));
}

static int sf_truncate(const char *path, off_t size, struct fuse_file_info *file)
{
    meter(OP_SETATTR, path, 1);
    if (file)
        return answer(ftruncate(handle_of(file)->fd, size));
    int fd = openat(source_fd, below(path), O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int result = answer(ftruncate(fd, size));
    close(fd);
    return result;
}

static int sf_utimens(const char *path, const struct timespec times[2], struct fuse_file_info *file)
{
    meter(OP_SETATTR, path, 1);
    if (file)
        return answer(futimens(handle_of(file)->fd, times));
    return answer(utimensat(source_fd, below(path), times, AT_SYMLINK_NOFOLLOW));
}

static int sf_statfs(const char *path, struct statvfs *status)
{ meter(OP_STATFS, path, 1); return answer(fstatvfs(source_fd, status)); }

/* Locks reach the source, so two mounts of one source exclude each other as two NFS clients do. */
static int sf_flock(const char *path, struct fuse_file_info *file, int operation)
{
    const struct timespec between = {.tv_nsec = 5000000};
    meter(OP_LOCK, path, 1);
    while (flock(handle_of(file)->fd, operation | LOCK_NB)) {
        if (errno != EWOULDBLOCK || operation & LOCK_NB)
            return -errno;
        if (fuse_interrupted())
            return -EINTR;
        nanosleep(&between, NULL);
    }
    return 0;
}

static void *sf_init(struct fuse_conn_info *connection, struct fuse_config *settings)
{
    connection->want |= connection->capable & (FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_PARALLEL_DIROPS);
    connection->max_background = 64;
    settings->attr_timeout = attribute_seconds;
    settings->entry_timeout = entry_seconds;
    settings->negative_timeout = entry_seconds;
    settings->use_ino = 1;
    settings->nullpath_ok = 1;
    settings->hard_remove = 1;
    return NULL;
}

/*
 * Have the kernel ask for several names of one folder at a time, as NFS does. libfuse before 3.16.2 takes FUSE_CAP_PARALLEL_DIROPS and does not pass
 * it on, so the linker puts this in front of its writev(). The first answer of a mount is the one to INIT.
 */
ssize_t __real_writev(int fd, const struct iovec *parts, int count);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count);

ssize_t __wrap_writev(int fd, const struct iovec *parts, int count)
{
    static atomic_bool answered;
    if (!atomic_exchange(&answered, true) && count > 1 && parts[1].iov_len >= sizeof(struct fuse_init_out)) {
        struct fuse_init_out *init = parts[1].iov_base;
        init->flags |= FUSE_PARALLEL_DIROPS;
    }
    return __real_writev(fd, parts, count);
}

static const struct fuse_operations operations = {
    .init = sf_init, .getattr = sf_getattr, .readlink = sf_readlink, .opendir = sf_opendir, .readdir = sf_readdir,
    .releasedir = sf_releasedir, .open = sf_open, .create = sf_create, .read = sf_read, .write = sf_write,
    .flush = sf_flush, .release = sf_release, .fsync = sf_fsync, .mknod = sf_mknod, .mkdir = sf_mkdir,
    .symlink = sf_symlink, .unlink = sf_unlink, .rmdir = sf_rmdir, .rename = sf_rename, .link = sf_link,
    .chmod = sf_chmod, .chown = sf_chown, .truncate = sf_truncate, .utimens = sf_utimens, .statfs = sf_statfs,
    .flock = sf_flock,
};

static void say_counters(FILE *out)
{
    unsigned long long total = 0;
    fprintf(out, "{\"operations\": {");
    for (int index = 0; index < OPERATIONS; index++) {
        unsigned long long count = atomic_load(&counts[index]);
        fprintf(out, "%s\"%s\": %llu", index ? ", " : "", names[index], count);
        total += count;
    }
    fprintf(out, "}, \"total\": %llu, \"waited_us\": %llu, \"bytes_read\": %llu, \"bytes_written\": %llu", total,
            atomic_load(&waited_us), atomic_load(&bytes_read), atomic_load(&bytes_written));
    fprintf(out, ", \"delay_us\": %u, \"hanging\": %s}\n", atomic_load(&delay_us), atomic_load(&gate_shut) ? "true" : "false");
}

/* Paths come from the file system: what JSON does not take as it is becomes a question mark. */
static void say_recent(FILE *out)
{
    pthread_mutex_lock(&recent_lock);
    unsigned long long first = recent_next > RECENT ? recent_next - RECENT : 0;
    fputc('[', out);
    for (unsigned long long index = first; index < recent_next; index++) {
        fprintf(out, "%s[\"%s\", \"", index > first ? ", " : "", names[recent[index % RECENT].operation]);
        for (const char *letter = recent[index % RECENT].path; *letter; letter++)
            fputc((unsigned char)*letter < 32 || (unsigned char)*letter > 126 || strchr("\"\\", *letter) ? '?' : *letter, out);
        fputs("\"]", out);
    }
    fputs("]\n", out);
    pthread_mutex_unlock(&recent_lock);
}

static void reset_counters(void)
{
    for (int index = 0; index < OPERATIONS; index++)
        atomic_store(&counts[index], 0);
    atomic_store(&waited_us, 0);
    atomic_store(&bytes_read, 0);
    atomic_store(&bytes_written, 0);
    pthread_mutex_lock(&recent_lock);
    recent_next = 0;
    pthread_mutex_unlock(&recent_lock);
}

static void set_gate(bool shut)
{
    pthread_mutex_lock(&gate_lock);
    atomic_store(&gate_shut, shut);
    pthread_cond_broadcast(&gate_opened);
    pthread_mutex_unlock(&gate_lock);
}

static void obey(const char *command, FILE *out)
{
    unsigned int microseconds;
    if (strcmp(command, "recent") == 0) {
        say_recent(out);
        return;
    }
    if (strcmp(command, "reset") == 0)
        reset_counters();
    else if (strcmp(command, "hang") == 0)
        set_gate(true);
    else if (strcmp(command, "resume") == 0)
        set_gate(false);
    else if (sscanf(command, "delay %u", &microseconds) == 1)
        atomic_store(&delay_us, microseconds);
    else if (strcmp(command, "counters") != 0) {
        fputs("{\"error\": \"one of: counters, reset, recent, hang, resume, delay MICROSECONDS\"}\n", out);
        return;
    }
    say_counters(out);
}

static void *serve_control(void *socket_fd)
{
    char command[64];
    for (;;) {
        int client = accept4(*(int *)socket_fd, NULL, NULL, SOCK_CLOEXEC);
        FILE *talk = client < 0 ? NULL : fdopen(client, "r+");
        if (!talk) {
            if (client >= 0)
                close(client);
            continue;
        }
        if (fgets(command, sizeof(command), talk)) {
            command[strcspn(command, "\n")] = 0;
            fseek(talk, 0, SEEK_CUR); /* a socket cannot seek: this only lets the stream change its direction */
            obey(command, talk);
        }
        fclose(talk);
    }
    return NULL;
}

static int control_socket(const char *path, bool serve)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        close(fd);
        return -1;
    }
    strcpy(address.sun_path, path);
    if (serve)
        unlink(path);
    if (fd < 0 || (serve ? bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 16)
                         : connect(fd, (struct sockaddr *)&address, sizeof(address)))) {
        close(fd);
        return -1;
    }
    return fd;
}

static int ask(int count, char **words)
{
    char buffer[65536];
    ssize_t got;
    int fd = count < 2 ? -1 : control_socket(words[0], false);
    if (fd < 0) {
        perror(count < 2 ? "usage: slow_files ctl SOCKET COMMAND" : words[0]);
        return 1;
    }
    for (int index = 1; index < count; index++)
        dprintf(fd, "%s%s", words[index], index + 1 < count ? " " : "\n");
    while ((got = read(fd, buffer, sizeof(buffer))) > 0)
        if (write(STDOUT_FILENO, buffer, (size_t)got) != got)
            return 1;
    return 0;
}

static int usage(void)
{
    fputs("usage: slow_files [--delay-us N] [--attributes SECONDS] [--entries SECONDS] [--threads N] [--control SOCKET]\n"
          "                  [--background] SOURCE MOUNTPOINT\n"
          "       slow_files ctl SOCKET counters|reset|recent|hang|resume|delay MICROSECONDS\n", stderr);
    return 2;
}

int main(int count, char **words)
{
    static const struct option options[] = {
        {"delay-us", 1, 0, 'd'}, {"attributes", 1, 0, 'a'}, {"entries", 1, 0, 'e'}, {"threads", 1, 0, 't'},
        {"control", 1, 0, 'c'}, {"background", 0, 0, 'b'}, {0, 0, 0, 0},
    };
    const char *control = NULL;
    bool background = false;
    unsigned int threads = 64;
    int letter, control_fd = -1;

    if (count > 1 && strcmp(words[1], "ctl") == 0)
        return ask(count - 2, words + 2);
    while ((letter = getopt_long(count, words, "", options, NULL)) != -1) {
        if (letter == 'd') atomic_store(&delay_us, (unsigned int)strtoul(optarg, NULL, 10));
        else if (letter == 'a') attribute_seconds = strtod(optarg, NULL);
        else if (letter == 'e') entry_seconds = strtod(optarg, NULL);
        else if (letter == 't') threads = (unsigned int)strtoul(optarg, NULL, 10);
        else if (letter == 'c') control = optarg;
        else if (letter == 'b') background = true;
        else return usage();
    }
    bool sane = attribute_seconds >= 0 && attribute_seconds <= OPTION_LIMIT && entry_seconds >= 0 && entry_seconds <= OPTION_LIMIT;
    if (count - optind != 2 || !sane || threads == 0)
        return usage();
    source_fd = open(words[optind], O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* before the mount, which may cover it */
    if (source_fd < 0) {
        perror(words[optind]);
        return 1;
    }
    umask(0);
    prctl(PR_SET_TIMERSLACK, 1UL); /* inherited by the threads: a sleep of 1 ms is not one of 1.05 */
    char *fuse_words[] = {words[0], "-oallow_other,default_permissions,fsname=slow_files"};
    struct fuse_args arguments = FUSE_ARGS_INIT(2, fuse_words);
    the_fuse = fuse_new(&arguments, &operations, sizeof(operations), NULL);
    if (!the_fuse || fuse_mount(the_fuse, words[optind + 1]))
        return 1;
    if (control && (control_fd = control_socket(control, true)) < 0) {
        perror(control);
        fuse_unmount(the_fuse);
        return 1;
    }
    pthread_t controller;
    struct fuse_loop_config *loop = fuse_loop_cfg_create();
    fuse_loop_cfg_set_clone_fd(loop, 1);
    fuse_loop_cfg_set_max_threads(loop, threads);
    fuse_loop_cfg_set_idle_threads(loop, threads);
    fuse_daemonize(!background);
    fuse_set_signal_handlers(fuse_get_session(the_fuse));
    if (control_fd >= 0)
        pthread_create(&controller, NULL, serve_control, &control_fd);
    int result = fuse_loop_mt(the_fuse, loop);
    fuse_unmount(the_fuse);
    return control && unlink(control) ? 1 : result != 0;
}
