/* session.pml: upload session, chunk register, reaper, and fragments with generations (docs/CHUNKPAXOS.md, "Sessions").
 *
 * The journal is atomic (one order: journal.pml), and so is the register (linearizable: registers.pml), but every operation on either
 * is a message that may take effect at any time after it was sent, or never, also after its sender gave up.
 * One upload session, one chunk, k=1: two fragments, three nodes. A fragment file is (node, generation): f[node], bit g. The register
 * is { ABSENT | LIVE | TOMB, gen, pl = nodes it names }; fg[node] (ghost): generation of the file the register means on that node.
 * Actors: uploader (fragments on nodes 0 and 1, generation 0, then ACCEPT0, then the linking entry); reaper (at any time, clocks are
 * not trusted); unlink of the linked file, then its TOMB; two movers (repair or migration): read the register, write a new fragment
 * of generation gen+1 on any node, compare-and-set; collection: a node asks (quorum read) and removes later, exactly the file it
 * asked about; onto an absent id of a closed session a TOMB is written first.
 * -DGE: an unnamed file of the register's own generation may go too. -DLOSS: one node may lose its fragments once (then at least k
 * must remain).
 *
 * Properties (assertions): a linked file's chunk is LIVE, and every fragment it names is there (with loss: one); a TOMB is never
 * followed by LIVE; nobody removes a file that the register names at that moment; -DI9: register LIVE, whatever its session: every
 * fragment it names is there.
 *
 * Run: tests/models/run.sh, or  spin -DI9 -DG=2 -a session.pml; gcc -O2 -DSAFETY -DNOREDUCE pan.c -o pan; ./pan -E -m100000 -w26
 *
 * MUT 1 reaper writes TOMB before ABORTED is committed      2 the linking entry does not check OPEN
 *     3 a node drops an unnamed fragment of a generation >= the register's without raising it
 *     4 mover writes the register without comparing the generation     5 ACCEPT0 before the fragments are durable
 *     6 the loser of a compare-and-set removes its own fragment itself  7 a node removes by chunk id, whatever generation lies there now
 *     8 a mover whose result is unknown (timeout) takes itself for the loser
 *     9 an absent register of an OPEN session is collected              10 TOMB of an unlinked file's chunk before the unlink is committed
 *    11 ACCEPT0 or CREATE revives a TOMB
 *    12 an absent register of a closed session: dropped without a TOMB (a late ACCEPT0 comes between) */
#ifndef MUT
#define MUT 0
#endif
#define NODES 3
#ifdef I9
#define ALLLIVE true
#else
#define ALLLIVE false
#endif
#ifdef GE
#define OLD(g) (gen>=(g))
#else
#define OLD(g) (gen>(g))
#endif
#ifndef G
#define G 1      /* highest generation */
#endif
mtype = { NOSES, OPEN, COMMITTED, ABORTED, ABSENT, LIVE, TOMB };
mtype ses=NOSES, reg=ABSENT;
bool linked, unl, utomb;       /* linked: the name exists; unl: it was unlinked (committed) */
byte gen, pl; byte fg[NODES];
byte f[NODES];                 /* files: bit g = a fragment of generation g lies on the node, durable */
bool up, a0, a0ok, lk, rp;     /* uploader alive past reserve; ACCEPT0 sent, its OK seen; link sent; reaper's TOMB sent */
byte ms[2], mg[2], mfrom[2], mto[2];   /* movers: 0 idle, 1 read, 2 fragment durable, 3 CAS sent, 4 done/gave up; gen read; from; to */
byte mpl[2], mres[2];                  /* 0 unknown, 1 won, 2 lost */
byte q[NODES]; byte qg[NODES]; /* node: 0 idle, 1 decided to remove generation qg, 2 wants generation qg gone, register must be raised first */
bool lost; byte ltomb;
hidden byte i, c;
#define NAMED(n,g) (reg==LIVE && (pl&(1<<(n))) && fg[n]==(g))
#define HASF(n) ((f[n]>>fg[n])&1)
inline inv(){
  if :: reg==LIVE && (linked || ALLLIVE) -> c=0; i=0; do :: i<NODES -> if :: pl&(1<<i) -> if :: HASF(i) -> c++ :: else -> assert(lost) fi :: else fi; i++ :: else -> break od; i=0; assert(c>=1); c=0
  :: else fi;
  assert(!linked || reg==LIVE); assert(!(ltomb && reg==LIVE)); if :: reg==TOMB -> ltomb=1 :: else fi }
inline rm(n,g){ assert(!NAMED(n,g)); f[n]=f[n]&(255-(1<<g)) }
inline rmall(n){ assert(!(reg==LIVE && (pl&(1<<n)) && HASF(n))); f[n]=0 }
inline tomb(){ reg=TOMB; gen=0; pl=0; i=0; do :: i<NODES -> fg[i]=0; i++ :: else -> break od; i=0; inv() }
#define WRITE(n) :: d_step{ (ses!=NOSES) && up && !(f[n]&1) && !a0 && n<2 -> f[n]=f[n]|1 }
#define MOVE(m,a,b) /* replace the fragment of node a by one on node b (b==a: rewrite in place) */ \
  :: d_step{ ms[m]==0 && reg==LIVE && gen<G && (pl&(1<<a)) && (b==a || !(pl&(1<<b))) -> ms[m]=1; mg[m]=gen; mfrom[m]=a; mto[m]=b; if :: MUT==4 -> mpl[m]=pl :: else fi }
#define MOVER(m) MOVE(m,0,0) MOVE(m,0,1) MOVE(m,0,2) MOVE(m,1,0) MOVE(m,1,1) MOVE(m,1,2) MOVE(m,2,0) MOVE(m,2,1) MOVE(m,2,2) \
  :: d_step{ ms[m]==1 -> f[mto[m]]=f[mto[m]]|(1<<(mg[m]+1)); ms[m]=2 } \
  :: d_step{ ms[m]==2 -> ms[m]=3 } \
  :: d_step{ ms[m]==3 && mres[m]==0 && reg==LIVE && (gen==mg[m] || MUT==4) -> mres[m]=1; gen=mg[m]+1; if :: MUT==4 -> pl=mpl[m]; mpl[m]=0 :: else fi; pl=pl&(7-(1<<mfrom[m])); pl=pl|(1<<mto[m]); \
        fg[mfrom[m]]=0; fg[mto[m]]=mg[m]+1; inv() } \
  :: d_step{ ms[m]==3 && mres[m]==0 && MUT!=4 && (reg!=LIVE || gen!=mg[m]) -> mres[m]=2 } \
  :: d_step{ ms[m]==3 && mres[m]==2 && MUT==6 && ((f[mto[m]]>>(mg[m]+1))&1) -> rm(mto[m],(mg[m]+1)); ms[m]=4; inv() } \
  :: d_step{ ms[m]==3 && mres[m]==0 && MUT==8 && ((f[mto[m]]>>(mg[m]+1))&1) -> rm(mto[m],(mg[m]+1)); ms[m]=5; inv() } \
  :: d_step{ ms[m]==5 && mres[m]==0 && reg==LIVE && gen==mg[m] -> mres[m]=1; gen=mg[m]+1; pl=pl&(7-(1<<mfrom[m])); pl=pl|(1<<mto[m]); fg[mfrom[m]]=0; fg[mto[m]]=mg[m]+1; inv() } \
  :: d_step{ ms[m]==3 && mres[m]>0 -> ms[m]=0; mg[m]=0; mfrom[m]=0; mto[m]=0; mres[m]=0 } /* next job */
#define CLOSED (ses==COMMITTED || ses==ABORTED || MUT==9)
#define COLL(n,g) /* the node asks about its file (n,g); it acts later (q=1) */ \
  :: d_step{ q[n]==0 && ((f[n]>>g)&1) && (reg==TOMB || (reg==LIVE && !(pl&(1<<n)) && (OLD(g) || MUT==3))) -> q[n]=1; qg[n]=g } \
  :: d_step{ q[n]==0 && ((f[n]>>g)&1) && reg==ABSENT && CLOSED && (MUT==12 || MUT==9) -> q[n]=1; qg[n]=g } \
  :: d_step{ q[n]==0 && ((f[n]>>g)&1) && reg==ABSENT && CLOSED && MUT!=12 -> q[n]=3; qg[n]=g } /* classic TOMB onto the absent id, sent */ \
  :: d_step{ q[n]==0 && ((f[n]>>g)&1) && reg==LIVE && !(pl&(1<<n)) && !OLD(g) && gen<G -> q[n]=2; qg[n]=gen } /* raise gen -> gen+1, sent */
#define NODE(n) COLL(n,0) COLL(n,1) COLL(n,2) COLL(n,3) \
  :: d_step{ q[n]==1 && MUT!=7 -> if :: (f[n]>>qg[n])&1 -> rm(n,qg[n]) :: else fi; q[n]=0; qg[n]=0; inv() } \
  :: d_step{ q[n]==1 && MUT==7 -> rmall(n); q[n]=0; qg[n]=0; inv() } \
  :: d_step{ q[n]==2 -> if :: reg==LIVE && gen==qg[n] -> gen=gen+1 :: else fi; q[n]=0; qg[n]=0; inv() } \
  :: d_step{ q[n]==3 -> if :: reg==ABSENT -> tomb() :: else fi; q[n]=0; qg[n]=0 } \
  :: d_step{ (q[n]==2||q[n]==3) -> q[n]=0; qg[n]=0 }
#define DIE(n) :: d_step{ !lost -> lost=1; f[n]=0; inv() }
init {
  end: do
  :: d_step{ ses==NOSES -> ses=OPEN; up=1 }                        /* session with the reserved id, committed before the first send */
  WRITE(0) WRITE(1)
  :: d_step{ up && !a0 && ses!=NOSES && (f[0]&1) && ((f[1]&1)) -> a0=1 }
  :: d_step{ MUT==5 && up && !a0 && ses!=NOSES -> a0=1 }
  :: d_step{ a0 && reg==ABSENT -> reg=LIVE; gen=0; pl=3; inv() }   /* takes effect whenever it arrives */
  :: d_step{ a0 && MUT==11 && reg==TOMB -> reg=LIVE; gen=0; pl=3; inv() }
  :: d_step{ a0 && !a0ok && up && reg==LIVE -> a0ok=1 }
  :: d_step{ a0ok && up && !lk -> lk=1 }
  :: d_step{ lk && (ses==OPEN || (MUT==2 && ses==ABORTED)) -> ses=COMMITTED; linked=1; inv() }
  :: d_step{ up -> up=0 }                                           /* uploader dies or gives up; what it sent stays in flight */
  :: d_step{ ses==OPEN -> ses=ABORTED }                             /* reaper, at any time */
  :: d_step{ !rp && (ses==ABORTED || (MUT==1 && ses==OPEN)) -> rp=1 }
  :: d_step{ rp && reg!=TOMB && (ses==ABORTED || MUT==1 || MUT==2) -> tomb() }
  :: d_step{ linked -> linked=0; unl=1 }                            /* unlink committed */
  :: d_step{ !utomb && (unl || (MUT==10 && linked)) -> utomb=1 }
  :: d_step{ utomb && reg!=TOMB -> tomb() }
  MOVER(0) MOVER(1)
  NODE(0) NODE(1) NODE(2)
#ifdef LOSS
  DIE(0) DIE(1) DIE(2)
#endif
  od }
