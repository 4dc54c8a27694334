/* px_acceptor: see the header.
 *
 * Happy path: the frame is of this cluster, this epoch and a known member; each ask is a step on
 * its register. Failure: whoever is refused learns how high to aim, or that the configuration has
 * changed; a stranger learns nothing. */
#include "meta/px_acceptor.h"
#include "common/assert.h"
#include "meta/px_mutant.h"

enum px_entry px_admit(struct px_acceptor *a, const struct px_head *head, uint32_t peer_pid)
{
    struct px_member *member = NULL;

    if (vs_id_cmp(&head->cluster, &a->cluster) != 0 || head->pid != peer_pid)
        return PX_STRANGER;
    if (head->epoch < a->epoch)
        return PX_OLD_EPOCH;
    if (head->epoch > a->epoch)
        return PX_NEW_EPOCH;
    for (unsigned i = 0; i < a->members; i++)
        if (a->member[i].pid == head->pid)
            member = &a->member[i];
    if (member == NULL || head->inc < member->inc)
        return PX_STRANGER;
    member->inc = head->inc;
    return a->votes ? PX_ADMIT : PX_MUTE;
}

/* Nobody proposes with the ballot of another process, or of its own former life. */
static bool ballot_is_senders(const struct px_head *head, const struct px_ballot *b)
{
    return b->pid == head->pid && (b->inc == head->inc || PX_MUTANT == 9);
}

static enum px_verdict reg_step(const struct px_head *head, struct px_reg *reg,
                                const struct px_ask *ask)
{
    if (ask->phase == PX_READ)
        return PX_OK;
    if (!ballot_is_senders(head, &ask->ballot))
        return PX_NACK;
    switch ((enum px_phase)ask->phase) {
    case PX_ACCEPT0:
        return px_accept0(reg, &ask->id, &ask->ballot, &ask->value);
    case PX_PREPARE:
        return px_prepare(reg, &ask->ballot);
    case PX_ACCEPT:
        return px_accept(reg, &ask->ballot, ask->create, &ask->value);
    case PX_READ:
        break;
    }
    return PX_NACK; /* a phase that only a newer program knows */
}

enum px_verdict px_answer(const struct px_acceptor *a, const struct px_head *head,
                          struct px_reg *reg, const struct px_ask *ask, struct px_answer *ret)
{
    enum px_verdict verdict;

    *ret = (struct px_answer){
        .id = ask->id, .seq = ask->seq, .phase = ask->phase, .ballot = ask->ballot
    };
    if (head->epoch != a->epoch) {
        VS_ASSERT(head->epoch < a->epoch); /* px_admit() was asked */
        ret->word = PX_SAYS_EPOCH;
        return PX_NACK;
    }
    VS_ASSERT(a->votes);
    verdict = reg_step(head, reg, ask);
    ret->word = verdict == PX_NACK ? PX_SAYS_NO : PX_SAYS_OK;
    ret->promised = reg->promised;
    ret->accepted_at = reg->ballot;
    if (verdict != PX_NACK && (ask->phase == PX_PREPARE || ask->phase == PX_READ))
        ret->accepted = reg->accepted;
    return verdict;
}
