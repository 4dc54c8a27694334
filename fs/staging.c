/* staging: nameless sparse files and the count of what they hold. See the header.
 *
 * Happy path: O_TMPFILE, pwrite, pread, close. Failure: a file system without O_TMPFILE gets a
 * named file that is unlinked at once; a crash between the two leaves a name for staging_clean().
 */
#include "fs/staging.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "common/rand.h"
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#define STAGING_NAME_PREFIX "stage-"
#define STAGING_NAME_TRIES  16
#define STAGING_LEFTOVERS   65536 /* names looked at by one start */

struct staging {
    _Atomic int refs;
    int fd;
    struct vsfs *fs;
    _Atomic uint64_t used; /* bytes of fs->staging_used that are this file's */
};

static int staging_remove_leftovers(DIR *d)
{
    for (unsigned n = 0; n < STAGING_LEFTOVERS; n++) {
        struct dirent *e;

        errno = 0;
        e = readdir(d);
        if (e == NULL)
            return -errno;
        if (strncmp(e->d_name, STAGING_NAME_PREFIX, strlen(STAGING_NAME_PREFIX)) == 0 &&
            unlinkat(dirfd(d), e->d_name, 0) < 0 && errno != ENOENT)
            return -errno;
    }
    return 0;
}

int staging_clean(struct vsfs *fs)
{
    struct statvfs st;
    int fd, r;
    DIR *d;

    fd = openat(fs->staging_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    d = fdopendir(fd);
    if (d == NULL) {
        r = -errno;
        close(fd);
        return r;
    }
    r = staging_remove_leftovers(d);
    closedir(d);
    if (r < 0)
        return r;
    if (fs->opt.staging_bytes_max == 0) {
        if (fstatvfs(fs->staging_fd, &st) < 0)
            return -errno;
        fs->opt.staging_bytes_max = (uint64_t)st.f_bavail * st.f_frsize / 4;
    }
    return 0;
}

static int staging_open_named(struct vsfs *fs)
{
    for (unsigned n = 0; n < STAGING_NAME_TRIES; n++) {
        char name[sizeof(STAGING_NAME_PREFIX) + 16];
        uint64_t salt;
        int fd;

        vs_rand_system(&salt, sizeof(salt));
        snprintf(name, sizeof(name), STAGING_NAME_PREFIX "%016" PRIx64, salt);
        fd = openat(fs->staging_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0) {
            unlinkat(fs->staging_fd, name, 0);
            return fd;
        }
        if (errno != EEXIST)
            return -errno;
    }
    return -EEXIST;
}

int staging_new(struct staging **ret, struct vsfs *fs)
{
    struct staging *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return -ENOMEM;
    atomic_store(&s->refs, 1);
    s->fs = fs;
    s->fd = openat(fs->staging_fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (s->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT))
        s->fd = staging_open_named(fs);
    else if (s->fd < 0)
        s->fd = -errno;
    if (s->fd < 0) {
        int r = s->fd;

        free(s);
        return r;
    }
    *ret = s;
    return 0;
}

struct staging *staging_ref(struct staging *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

void staging_uncount(struct staging *s, uint64_t bytes)
{
    struct vsfs *fs = s->fs;

    atomic_fetch_sub(&s->used, bytes);
    if (__atomic_sub_fetch(&fs->staging_used, bytes, __ATOMIC_RELAXED) <
        fs->opt.staging_bytes_max / 2)
        fs->staging_full_said = false;
}

static int staging_count(struct staging *s, uint64_t bytes)
{
    uint64_t used = __atomic_add_fetch(&s->fs->staging_used, bytes, __ATOMIC_RELAXED);

    atomic_fetch_add(&s->used, bytes);
    if (used <= s->fs->opt.staging_bytes_max)
        return 0;
    staging_uncount(s, bytes);
    if (!atomic_exchange(&s->fs->staging_full_said, true))
        vs_error("%s/staging is full: %llu bytes that cannot stream wait in it -> writes that go "
                 "backwards get ENOSPC; write fewer files at once, or mount with -o staging=SIZE",
                 s->fs->opt.data_dir, (unsigned long long)s->fs->opt.staging_bytes_max);
    return -ENOSPC;
}

void staging_put(struct staging *s)
{
    if (s == NULL || atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    staging_uncount(s, atomic_load(&s->used));
    close(s->fd);
    free(s);
}

int staging_write(struct staging *s, uint64_t offset, const void *bytes, size_t len, uint64_t fresh)
{
    size_t done = 0;
    int r = 0;

    if (fresh > 0) {
        r = staging_count(s, fresh);
        if (r < 0)
            return r;
    }
    while (done < len) {
        ssize_t n =
            pwrite(s->fd, (const uint8_t *)bytes + done, len - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            r = n < 0 ? -errno : -EIO;
            break;
        }
        done += (size_t)n;
    }
    if (r < 0)
        staging_uncount(s, fresh);
    return r;
}

int staging_read(struct staging *s, uint64_t offset, void *dst, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(s->fd, (uint8_t *)dst + done, len - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO; /* somebody cut the file: what was staged is gone */
        done += (size_t)n;
    }
    return 0;
}

void staging_punch(struct staging *s, uint64_t start, uint64_t end, uint64_t staged)
{
    /* where holes cannot be punched, the space comes back with the last reference */
    (void)fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)start,
                    (off_t)(end - start));
    staging_uncount(s, staged);
}
