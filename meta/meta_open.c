/* The directory of a metadata replica.
 *
 * Happy path: there is metadata of this replica and this cluster: open it; or the directory is
 * empty: make new metadata. Failure modes: each has a sentence that says what is wrong with the
 * directory and what to do; nothing is written to one that is not ours. */
#include "meta/meta_open.h"

#include "common/err.h"
#include "common/rand.h"
#include "meta/meta_join.h"
#include "meta/meta_local.h"
#include "meta/meta_rejoin.h"
#include "meta/meta_replica.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOCK_WAIT_MS 10000
#define LOCK_STEP_MS 50
#define READ_THREADS 4

enum dir_state {
    DIR_OTHERS, /* there is more in it */
    DIR_EMPTY,  /* nothing but what a file system brings along; or it is not there yet */
    DIR_BEGUN,  /* acceptor/ alone: a first start may have been ended half-way */
};

/* Negative: it cannot be read. */
static int dir_state(const char *path)
{
    DIR *dir = opendir(path);
    enum dir_state state = DIR_EMPTY;
    const struct dirent *e;

    if (dir == NULL)
        return errno == ENOENT ? DIR_EMPTY : -errno;
    while (state != DIR_OTHERS && (e = readdir(dir)) != NULL) {
        if (strcmp(e->d_name, "acceptor") == 0)
            state = DIR_BEGUN;
        else if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
                 strcmp(e->d_name, "lost+found") != 0)
            state = DIR_OTHERS;
    }
    closedir(dir);
    return state;
}

/* What a replica that may not vote any more is told to do. */
static void why_forgot(const struct meta_options *o, char *why)
{
    snprintf(why, META_WHY_BYTES,
             "%.200s is behind what it has acknowledged: an old copy, or a disk that lost writes. "
             "It must not vote any more; put the right directory back%s",
             o->data,
             o->peer_count == 0 ? ""
                                : ", or put another one in its place: vstack-meta --id NEW "
                                  "--replace N --data EMPTY_DIRECTORY --listen HOST:PORT "
                                  "--cluster UUID --peers ID=URL,...");
}

static void why_open(int err, const struct meta_options *o, char *why)
{
    switch (err) {
    case -EAGAIN:
        snprintf(why, META_WHY_BYTES,
                 "another process uses %.200s; stop it first, or give another --data", o->data);
        break;
    case -ENOENT:
        snprintf(why, META_WHY_BYTES,
                 "%.200s is not empty, and there is no metadata in it; give an empty directory, or "
                 "mount the disk that belongs there",
                 o->data);
        break;
    case -ESTALE:
        snprintf(why, META_WHY_BYTES,
                 "the metadata in %.200s is not that of replica %u of cluster %.32s; mount the "
                 "right disk, or look at --id and --cluster",
                 o->data, (unsigned)o->id, o->cluster);
        break;
    case -EDOM:
        snprintf(why, META_WHY_BYTES,
                 "%.200s holds the metadata of another number of replicas than the %u that this "
                 "command line says; start it with the --peers that it was made with. A cluster "
                 "keeps its number: for another one make a new cluster, and copy the films into it",
                 o->data, o->peer_count + 1);
        break;
    case -VS_ENEWER:
        snprintf(why, META_WHY_BYTES,
                 "%.200s was written by a newer version of V-Stack; use that version", o->data);
        break;
    case -VS_EFORGOT:
        why_forgot(o, why);
        break;
    default:
        snprintf(why, META_WHY_BYTES, "cannot open the metadata in %.200s: %s", o->data,
                 vs_err_text(err));
    }
}

/* It is started again, and then takes what the others have. */
static void open_late(void *arg)
{
    struct meta_server *m = arg;

    atomic_store(&m->is_late, true);
    kill(getpid(), SIGHUP);
}

/* One of several: its first entry is the same on all of them, because all say the same cluster, and
 * that says when it was made. */
static int open_member(struct meta_server *m, const struct meta_options *o, bool create)
{
    struct meta_replica_config config = {
        .dir = o->data,
        .create = create,
        .root_uid = getuid(),
        .root_gid = getgid(),
        .pid = (uint16_t)o->id,
        .member_count = m->peers.members,
        .read_threads = READ_THREADS,
        .clock = &vs_clock_system,
        .link = px_http_link(m->peers.http),
        .count = &m->peers.count,
        .late = open_late,
        .arg = m,
    };
    struct meta_replica *replica;
    int r;

    if (vs_id_from_text(o->cluster, &config.cluster) < 0)
        return -EINVAL;                                      /* the options have seen to it */
    (void)vs_uuid_born_ns(&config.cluster, &config.born_ns); /* another version: 0 */
    for (unsigned i = 0; i < m->peers.members; i++)
        config.members[i] = m->peers.member[i];
    r = meta_replica_open(&replica, &config);
    if (r < 0)
        return r;
    m->meta = meta_replica_client(replica);
    meta_peers_ready(&m->peers, replica, &m->meta->cluster);
    return 0;
}

static int open_alone(struct meta_server *m, const struct meta_options *o, bool create)
{
    struct meta_local_config config = {
        .dir = o->data,
        .create = create,
        .pid = (uint16_t)o->id,
        .root_uid = getuid(),
        .root_gid = getgid(),
        .read_threads = READ_THREADS,
        .clock = &vs_clock_system,
    };
    int r;

    if (vs_id_from_text(o->cluster, &config.cluster) < 0)
        vs_rand_system(&config.cluster, sizeof(config.cluster));
    r = meta_local_open(&m->meta, &config);
    if (r == 0)
        meta_peers_ready(&m->peers, NULL, &m->meta->cluster);
    return r;
}

/* A former process may still be closing. */
static int open_waiting(struct meta_server *m, const struct meta_options *o, bool create)
{
    struct timespec step = { 0, LOCK_STEP_MS * VS_NS_PER_MS };
    int r;

    for (unsigned ms = 0;; ms += LOCK_STEP_MS) {
        r = m->peers.members > 1 ? open_member(m, o, create) : open_alone(m, o, create);
        if (r != -EAGAIN || ms >= LOCK_WAIT_MS)
            return r;
        nanosleep(&step, NULL);
    }
}

/* Is it the metadata of this replica, and of the cluster that was said? */
static int whose(const struct meta_client *meta, const struct meta_options *o, char *why)
{
    char uuid[VS_ID_TEXT_BYTES];
    struct vs_id said;

    if (meta->pid != o->id) {
        snprintf(why, META_WHY_BYTES,
                 "%.200s is the directory of replica %u, not of %u; mount the right disk, or start "
                 "it with --id %u",
                 o->data, meta->pid, (unsigned)o->id, meta->pid);
        return -ESTALE;
    }
    if (vs_id_from_text(o->cluster, &said) < 0 || vs_id_cmp(&said, &meta->cluster) == 0)
        return 0;
    vs_id_to_text(&meta->cluster, uuid);
    snprintf(why, META_WHY_BYTES,
             "the metadata in %.200s belongs to cluster %s, not to %.32s; mount the right disk",
             o->data, uuid, o->cluster);
    return -ESTALE;
}

/* Take a lost replica's place first (meta_join), or what the others have of an epoch that was
 * opened without this one (meta_rejoin). */
static int join(struct meta_server *m, const struct meta_options *o,
                int (*how)(const struct meta_join_config *config))
{
    static const _Atomic int go_on;
    struct meta_join_config config = { .dir = o->data,
                                       .pid = (uint16_t)o->id,
                                       .lost = (uint16_t)o->replace,
                                       .url = o->url,
                                       .peer_count = o->peer_count,
                                       .link = px_http_link(m->peers.http),
                                       .clock = &vs_clock_system,
                                       .is_stopping = &go_on };
    sigset_t ends, before;
    int r;

    if (vs_id_from_text(o->cluster, &config.cluster) < 0)
        return -EINVAL;
    for (unsigned i = 0; i < o->peer_count; i++) {
        config.peer[i].pid = o->peer[i].id;
        snprintf(config.peer[i].url, sizeof(config.peer[i].url), "%s", o->peer[i].url);
    }
    /* It may take long, and a signal ends it at once: the next start goes on. */
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &ends, &before);
    r = how(&config);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

static void why_join(int err, const struct meta_options *o, char *why)
{
    unsigned lost = (unsigned)o->replace, id = (unsigned)o->id;

    switch (err) {
    case -VS_EFORGOT:
        snprintf(
            why, META_WHY_BYTES,
            "replica %u was a member before, so its id cannot be used with an empty directory; "
            "give an id that was never used: --id NEW --replace %u",
            id, id);
        break;
    case -ENOENT:
        snprintf(why, META_WHY_BYTES,
                 "replica %u is none of the metadata replicas; GET /health of another one says "
                 "which there are",
                 lost);
        break;
    case -EEXIST:
        snprintf(why, META_WHY_BYTES,
                 "%.200s holds other metadata; give an empty directory to take the place of "
                 "replica %u",
                 o->data, lost);
        break;
    default:
        snprintf(why, META_WHY_BYTES, "cannot take the place of replica %u in %.200s: %s", lost,
                 o->data, vs_err_text(err));
    }
}

/* One of several that begins anew has forgotten what it promised: only on request. */
static bool may_make(const struct meta_server *m, const struct meta_options *o)
{
    return !o->existing && (m->peers.members == 1 || o->is_new);
}

/* What is there, or new metadata where there is none. */
static int open_or_make(struct meta_server *m, const struct meta_options *o, int state)
{
    int r = state == DIR_EMPTY ? -ENOENT : open_waiting(m, o, false);

    return r != -ENOENT || state == DIR_OTHERS || !may_make(m, o) ? r : open_waiting(m, o, true);
}

void meta_close(struct meta_server *m)
{
    if (m->peers.replica != NULL)
        meta_replica_stop(m->peers.replica);
    else
        meta_client_stop(m->meta);
    m->meta = NULL;
    meta_peers_end(&m->peers);
}

int meta_open(struct meta_server *m, const struct meta_options *o, char why[META_WHY_BYTES])
{
    int state = dir_state(o->data), r = state;

    *m = (struct meta_server){ .id = (unsigned)o->id };
    snprintf(m->data, sizeof(m->data), "%s", o->data);
    if (r >= 0)
        r = meta_peers_begin(&m->peers, o);
    if (r == 0 && o->replace != 0) {
        r = join(m, o, meta_join);
        if (r < 0) {
            why_join(r, o, why);
            meta_close(m);
            return r;
        }
        state = DIR_OTHERS;
    }
    if (r == 0 && m->peers.members > 1)
        r = join(m, o, meta_rejoin);
    if (r == 0)
        r = open_or_make(m, o, state);
    if (r == 0)
        r = whose(m->meta, o, why);
    else if (r == -ENOENT && m->peers.members > 1 && state != DIR_OTHERS && !may_make(m, o))
        snprintf(why, META_WHY_BYTES,
                 "%.200s has no metadata in it, and should hold that of replica %u; is its disk "
                 "mounted? If it is lost, a replica with a number never used takes its place: "
                 "--id NEW --replace %u. Only while the cluster is made: --new",
                 o->data, m->id, m->id);
    else if (r == -ENOENT && o->existing)
        snprintf(why, META_WHY_BYTES,
                 "%.200s has no metadata in it, and should hold that of replica %u; is its disk "
                 "mounted? Without --existing an empty directory becomes new, empty metadata",
                 o->data, m->id);
    else if (r == -ENOENT && state != DIR_OTHERS)
        snprintf(why, META_WHY_BYTES,
                 "cannot make the directory %.200s; make the one it is in, or give another --data",
                 o->data);
    else
        why_open(r, o, why);
    if (r < 0)
        meta_close(m);
    return r;
}
