/* cutter_impl: what cutter.c, cutter_live.c and cutter_probe.c share. */
#ifndef VS_INGEST_CUTTER_IMPL_H
#define VS_INGEST_CUTTER_IMPL_H

#include "common/list.h"
#include "ingest/cutter_proto.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#define CUTTER_LIVE_MAX 256 /* children at once; above: cut by size */

struct cutter {
    char program[256];
    pthread_mutex_t lock; /* the fields below */
    pthread_t thread;     /* moves bytes of all live streams */
    int wake_fd;          /* eventfd */
    bool stopping, started;
    struct vs_list lives;
    unsigned live_count;
};

struct cutter_child {
    pid_t pid;
    int to_fd, from_fd; /* its standard words: bytes in, messages out */
};

/* exec the program as a child with two pipes. `format`: live's argument, or NULL for probe. */
int cutter_child_spawn(const struct cutter *c, const char *format, struct cutter_child *ret);
/* Kill if need be, close, reap. Forgives a zeroed child. */
void cutter_child_end(struct cutter_child *child);

void *cutter_live_thread(void *arg);
void cutter_wake(struct cutter *c);

#endif
