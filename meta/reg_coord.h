/* reg_coord: carries out the register requests of meta_client.h: the coordinator of a replica
 * (px_coord) between its callers, its own acceptor and those of the other replicas.
 *
 * Happy path: one thread makes an operation of each register, gathers what they ask into one frame
 * per acceptor, takes the answers, ends the requests. Its own acceptor is asked like the others
 * (reg_serve), so an acknowledgement of its own counts only once it is synced. Several requests for
 * one register follow each other. Failure: acceptors that cannot be reached are not waited for
 * while a majority answers; without one, after the patience given, -VS_EDOWN, and the request may
 * have been carried out or not: asked again with the same value, it finds its own success.
 *
 * Threads: submit from any; `done` runs on the coordinator's thread: short, and never waiting for
 * another request. */
#ifndef VS_META_REG_COORD_H
#define VS_META_REG_COORD_H

#include "common/clock.h"
#include "meta/px_coord.h"
#include "meta/px_count.h"
#include "meta/px_link.h"
#include "meta/reg_serve.h"

#define REG_COORD_OPS_MAX     16384 /* registers in flight; more wait */
#define REG_COORD_FRAMES_MAX  64    /* to one acceptor, unanswered; more are lost */
#define REG_COORD_ASK_MS      1000  /* for the answers to a frame */
#define REG_COORD_SMALL_BYTES 512   /* a value found that is longer needs memory of its own */

struct reg_coord;

struct reg_coord_config {
    const struct acceptor_identity *id;
    struct acceptor_store *store; /* own; lent, like all below, until stop */
    struct reg_serve *serve;
    struct px_link *link; /* may be NULL with one member */
    const struct vs_clock *clock;
    uint64_t epoch;
    unsigned members;
    uint32_t pid[PX_ACCEPTORS_MAX]; /* own among them */
    unsigned patience_ms;           /* 0: for ever */
    struct px_count *count;         /* frames to the own acceptor; NULL: not counted */
};

/* -ENOMEM, -EAGAIN; -EINVAL */
int reg_coord_new(struct reg_coord **ret, const struct reg_coord_config *config);
/* A newer configuration: whatever is in flight begins again in it. From any thread. */
void reg_coord_configure(struct reg_coord *c, uint64_t epoch, unsigned members,
                         const uint32_t *pid);
/* META_REG_CREATE, META_REG_READ, META_REG_CHANGE. */
void reg_coord_submit(struct reg_coord *c, struct meta_req *r);
/* Finishes what is in flight. Forgives NULL. */
void reg_coord_stop(struct reg_coord *c);

#endif
