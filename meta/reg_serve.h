/* reg_serve: an acceptor's answers to frames of asks (meta/px_msg.h), its own coordinator's and
 * those of other replicas alike.
 *
 * Happy path: a frame is a job of the acceptor's writer: each ask is a step on its register
 * (px_acceptor), what changed goes into the batch, and the answers leave when that batch, and every
 * one before it, is synced: also those that changed nothing (I4). Failure: a register that cannot
 * be read or stored is not answered, as if the ask had been lost, and said in the log; a frame that
 * is none, of another cluster, of a stranger or a former life gets a status and no answers.
 *
 * Threads: reg_serve_frame() from any; answers come on the writer's thread. */
#ifndef VS_META_REG_SERVE_H
#define VS_META_REG_SERVE_H

#include "meta/acceptor_writer.h"
#include "meta/meta_replica.h"
#include "meta/px_acceptor.h"

/* No answer to one frame is longer: values of that many asks. */
#define REG_SERVE_ASKS_MAX         256 /* in one frame; what is behind them is not answered */
#define REG_SERVE_ANSWER_BYTES_MAX (17u << 20)

struct reg_serve;

/* writer and the store it writes: lent until free. acceptor: copied, the writer's from then on.
 * -ENOMEM */
int reg_serve_new(struct reg_serve **ret, struct acceptor_writer *writer,
                  const struct acceptor_identity *id, const struct px_acceptor *acceptor);
/* Nothing may be asked any more, and the writer is through. Forgives NULL. */
void reg_serve_free(struct reg_serve *s);

/* Another configuration; votes false: the epoch before it was left, and nothing is answered in this
 * one yet. On the writer's thread: in the fill of the job that stores it. */
void reg_serve_configure(struct reg_serve *s, uint64_t epoch, bool votes, unsigned members,
                         const uint32_t *pid);

/* A frame of kind PX_FRAME_ASKS; `done` as meta_replica_receive() says. */
void reg_serve_frame(struct reg_serve *s, struct meta_replica_frame *f);

#endif
