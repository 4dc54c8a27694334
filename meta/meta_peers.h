/* meta_peers: a metadata daemon and the other replicas of its cluster: the way to them (px_http)
 * and the routes they come in by (px_serve), opened before the metadata and closed after it.
 *
 * Happy path: begin, open the metadata with the link, serve, stop serving, stop the metadata, end.
 * Failure modes: an address that is none, no memory for threads: a sentence. With one replica alone
 * there is no link, and whoever posts frames is a stranger.
 *
 * Threads: begin, ready and end on the main one; the rest on any. */
#ifndef VS_META_META_PEERS_H
#define VS_META_META_PEERS_H

#include "meta/meta_options.h"
#include "meta/meta_replica.h"
#include "meta/px_http.h"
#include "meta/px_serve.h"

struct vs_json;
struct vs_metrics_text;

struct meta_peers {
    uint16_t id;                        /* of this replica */
    unsigned members;                   /* with this one: 1, 3 or 5 */
    uint16_t member[META_REPLICAS_MAX]; /* as the command line says */
    char url[META_URL_BYTES_MAX];       /* of this one; "" not said */
    struct px_http *http;               /* NULL: alone */
    struct px_serve serve;              /* once it is ready */
    struct px_count count;
    struct meta_replica *replica; /* NULL: alone */
};

/* Take the others from the options and open the way to them. -EINVAL, -ENOMEM, -EAGAIN, -EMFILE */
int meta_peers_begin(struct meta_peers *p, const struct meta_options *o);
/* The metadata is open (replica: NULL when this one is alone): frames may come. */
void meta_peers_ready(struct meta_peers *p, struct meta_replica *replica,
                      const struct vs_id *cluster);
/* Nothing comes in any more, and the metadata is stopped. Forgives a zeroed struct and one that
 * was never ready. */
void meta_peers_end(struct meta_peers *p);

/* Does this replica lead, as far as it knows? */
bool meta_peers_leads(const struct meta_peers *p);
/* The replicas there are, with the addresses that this one uses ("": not known); without one of
 * them a client keeps what it has. False: alone, or this one does not vote now. */
bool meta_peers_members(struct meta_peers *p, struct member_set *ret);
/* Role, leader, slots, who is reachable: members of the report of health. True: there is a
 * majority, as far as this replica knows. */
bool meta_peers_report(struct meta_peers *p, struct vs_json *j);
void meta_peers_metrics(struct meta_peers *p, struct vs_metrics_text *t);

/* ---- routes; http_req_arg() is a struct meta_server ---- */

void meta_px_run(struct http_req *q);
void meta_px_tell_run(struct http_req *q);

#endif
