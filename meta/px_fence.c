/* px_fence: see the header.
 *
 * Why F decides: any two majorities of e share a member, so what was chosen in e is accepted by a
 * member of F, and F being fenced nothing is chosen in e any more. A record from outside F proves
 * nothing: it may be one that was never chosen and that e went past. */
#include "meta/px_fence.h"
#include "common/assert.h"
#include "meta/px_mutant.h"

bool px_may_vote(bool identity, uint64_t recorded, uint64_t found)
{
    return (identity && found >= recorded) || PX_MUTANT == 3;
}

bool px_fence_sizes(unsigned n, unsigned n_next)
{
    return n >= 1 && n_next % 2 == 1 && n_next <= PX_ACCEPTORS_MAX &&
           n_next / 2 + 1 + n / 2 + 1 > n;
}

static bool is_majority(const struct px_fence *f, uint32_t mask)
{
    return (unsigned)__builtin_popcount(mask) * 2 > f->acceptors;
}

void px_fence_begin(struct px_fence *f, unsigned acceptors)
{
    VS_ASSERT(acceptors >= 1 && acceptors <= PX_ACCEPTORS_MAX);
    *f = (struct px_fence){ .acceptors = acceptors };
}

bool px_fence_wants_copy(const struct px_fence *f, unsigned from)
{
    if ((f->copied & 1u << from) != 0)
        return false;
    return PX_MUTANT != 20 || !is_majority(f, f->copied);
}

void px_fence_copied(struct px_fence *f, unsigned from, bool records, uint64_t mark)
{
    uint32_t bit = 1u << from;

    VS_ASSERT(from < f->acceptors);
    if (f->members != 0 || (f->marked & bit) != 0)
        return;
    f->marked |= bit;
    f->mark[from] = mark;
    if (records)
        f->copied |= bit;
}

void px_fence_fenced(struct px_fence *f, unsigned from, bool whole)
{
    VS_ASSERT(from < f->acceptors);
    if (whole && f->members == 0)
        f->fenced |= 1u << from;
}

bool px_fence_close(struct px_fence *f)
{
    uint32_t members = PX_MUTANT == 11 ? f->copied : f->fenced;

    if (f->members != 0)
        return true;
    if (!is_majority(f, members))
        return false;
    f->members = PX_MUTANT == 12 ? members & -members : members;
    return true;
}

bool px_fence_wants_rest(const struct px_fence *f, unsigned from, uint64_t *ret_above)
{
    uint32_t bit = 1u << from;

    *ret_above = (f->marked & bit) != 0 ? f->mark[from] : 0;
    return (f->members & bit) != 0 && (f->taken & bit) == 0;
}

void px_fence_taken(struct px_fence *f, unsigned from)
{
    VS_ASSERT(from < f->acceptors);
    f->taken |= 1u << from & f->members;
}

bool px_fence_may_open(const struct px_fence *f)
{
    return f->members != 0 && f->taken == f->members;
}

bool px_fence_counts(const struct px_fence *f, unsigned from)
{
    return ((f->members | (PX_MUTANT == 20 ? f->copied : 0)) & 1u << from) != 0;
}

void px_fence_merge(struct px_reg *start, const struct px_reg *theirs)
{
    if (px_ballot_cmp(&theirs->ballot, &start->ballot) <= 0)
        return;
    *start = *theirs;
    start->promised = theirs->ballot;
}

void px_fence_adopt(struct px_reg *own, const struct px_reg *start)
{
    if (PX_MUTANT == 19)
        return;
    own->ballot = start->ballot;
    own->accepted = start->accepted;
    if (px_ballot_cmp(&start->ballot, &own->promised) > 0)
        own->promised = start->ballot;
}
