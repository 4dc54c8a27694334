/* frag_rule: see the header.
 *
 * Why each answer is safe: a TOMB is final. A value of the same or a higher generation that does
 * not name the fragment never will again, because a change that names it would have to find the
 * lower generation. An absent register could still become a value that names it (a proposal on its
 * way), and a lower generation too (a repair on its way): those two are made impossible first. */
#include "meta/frag_rule.h"
#include "meta/px_mutant.h"

enum frag_verdict frag_rule(const struct frag_facts *f)
{
    if (!f->present) {
        if (f->session != FRAG_SESSION_CLOSED)
            return FRAG_KEEP;
        return PX_MUTANT == 21 ? FRAG_REMOVE : FRAG_TOMB_FIRST;
    }
    if (f->tomb)
        return FRAG_REMOVE;
    if (f->named)
        return FRAG_KEEP;
    return f->reg_generation >= f->generation ? FRAG_REMOVE : FRAG_RAISE_FIRST;
}

bool frag_may_reap(enum frag_session session)
{
    return session == FRAG_SESSION_CLOSED || PX_MUTANT == 18;
}

enum frag_verdict frag_after_repair(int status)
{
    return status < 0 && PX_MUTANT == 22 ? FRAG_REMOVE : FRAG_KEEP;
}
