/* px_mutant: deliberate errors of the protocol, M1 to M24 of docs/CHUNKPAXOS.md, to prove that the
 * simulator finds them. `PX_MUTANT == n` in the pure code is constant false unless a build asks for
 * one (-DPX_MUTANT=n) or for all, one of which is then chosen while it runs (-DPX_MUTANTS). No
 * program that stores anything is built so.
 *
 * Pure. */
#ifndef VS_META_PX_MUTANT_H
#define VS_META_PX_MUTANT_H

#ifdef PX_MUTANTS
extern int px_mutant; /* of the simulator */
#define PX_MUTANT px_mutant
#elif !defined(PX_MUTANT)
#define PX_MUTANT 0
#endif

#endif
