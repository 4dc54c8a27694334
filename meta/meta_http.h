/* meta_http: the metadata over HTTP: POST /meta to replicas of vstack-meta (docs/API.md).
 *
 * Happy path: a request becomes a frame (meta/meta_wire.h), goes to the replica that answered last,
 * and the frame that comes back is its answer. No answer in `first_ms`, or none at all: the same
 * question goes to the next replica of the list, or again to the only one, with growing patience,
 * until `deadline_ms` has passed: -VS_EDOWN. For some seconds after that, reads get one second. A
 * replica that did not answer is passed over until it says hello again, in the background: a frozen
 * one costs `first_ms` once, not each request.
 *
 * Replicas say in their hello which of them there are. While anything is asked, one is asked for
 * that each META_HTTP_FOLLOW_MS: a newcomer is used, and who was replaced is not asked any more.
 *
 * Every operation may be repeated: reads, registers (a value is written once), and changes, which
 * carry the id of one of META_HTTP_LANES clients and a number: the journal applies each number of
 * a client once and answers a copy as it answered the first (meta/journal_retry.h). A client has
 * one change under way, so at most META_HTTP_LANES changes are; the others wait, in order. An entry
 * that names its own client is sent as it is. A change that ends with -VS_EDOWN may have been
 * applied, or may not; never later, once another one of its lane was answered.
 *
 * Each start of a client takes META_HTTP_LANES new lines of the retry table, which are never given
 * back: some 300 bytes each, in the namespace of every replica.
 *
 * The leader is asked first: an answer that another replica had to fetch from it starts a look, in
 * the background, for who leads. Each replica that is found there says which incarnation it is;
 * meta_client_owner() is of the one that is asked first now. Ids of a session that was opened for
 * another one, or before a restart, are created by both phases.
 *
 * Two changes that are under way together are applied in any order.
 *
 * Threads: `done` runs on the executor's. Whoever submits bounds what is in flight. */
#ifndef VS_META_META_HTTP_H
#define VS_META_META_HTTP_H

#include "common/http_client.h"
#include "common/member_set.h"
#include "meta/meta_client.h"

#define META_HTTP_ORIGINS_MAX 16
#define META_HTTP_HOSTS_MAX                                                                        \
    32 /* with those that came in the place of others, since it was opened */
#define META_HTTP_FOLLOW_MS 1000
#define META_HTTP_LANES     32

struct meta_http_config {
    struct http_client *client; /* lent; started with `exec` */
    struct vs_exec *exec;       /* lent; runs callbacks and waits */
    const char *const *origins; /* "http://127.0.0.1:7101"; copied by the client */
    unsigned origin_count;      /* 1 .. META_HTTP_ORIGINS_MAX */
    struct vs_id cluster;       /* zero: of whoever answers */
    /* 0: the default */
    unsigned first_ms;    /* for the first answer; 300, with one replica 2000 */
    unsigned deadline_ms; /* of a request, repeats included; 10000 */
    unsigned open_ms;     /* for the first replica to answer; 10000 */
    /* These are the replicas from now on, of an epoch above 1; NULL: nobody wants to know. Maybe
     * inside open. */
    void (*moved)(void *arg, const struct member_set *set);
    void *arg;
};

/* Open: waits until a replica has said who it is. -EINVAL limits or origins; -VS_EDOWN nobody
 * answers; -ESTALE metadata of another cluster; -VS_ENEWER; -ENOMEM. */
int meta_http_open(struct meta_client **ret, const struct meta_http_config *config);

#endif
