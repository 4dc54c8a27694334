/* fence.pml: one ChunkPaxos register and a membership change by fence (docs/CHUNKPAXOS.md, "Membership").
 *
 * Epoch e = {A,B,C}, e+1 = {A,B,D}; acceptors 0 A, 1 B, 2 C, 3 D. C is alive and slow; A or B may be the slow one, too. Ballot 0:
 * the owner's ACCEPT0, sent in both epochs (a restart repeats it, with the same value). Ballots 1..P: classic proposers; each runs
 * both phases in one epoch, chosen freely. Messages are a set that never shrinks.
 * Fence: acceptors of e store e+1 one by one (in[a]=1: they answer no message of e any more). When a majority F is fenced, D copies
 * from F, per key the highest accepted, and e+1 opens; a fenced member of e+1 then votes (in=2). A member of e+1 outside F goes on
 * in e until it learns of e+1; before it votes it replaces its own record by F's, keeping its promises (-DJOIN: by the highest of a
 * majority that votes in e+1 already). -DSTAY: F is all that stay, {A,B}. Marks: "background copy with a mark per acceptor, then
 * what lies above the mark" is the full state of each member of F, so the copy here is that.
 *
 * Properties (assertions): of two chosen ballots x < y, y descends from x. Chosen = accepted by a majority of the ballot's epoch, or
 * held by a majority of e+1, since READ and a repeated ACCEPT0 take that for chosen. -DI8: once e+1 is open, no majority of e is left.
 *
 * Run: tests/models/run.sh, or  spin -DP=3 -DI8 -a fence.pml; gcc -O2 -DSAFETY -DNOREDUCE pan.c -o pan; ./pan -E -m100000 -w26
 *
 * MUT 1 fence skipped: e+1 opens, D copies from a majority, nobody has to be fenced      2 D copies from one acceptor only
 *     3 acceptances of ACCEPT0 counted over epochs      4 background copy of one majority, delta of another
 *     5 a member outside F keeps its own record         6 a member outside F enters e+1 with an empty register
 *     7 both phases not in one epoch: promises of e, ACCEPT in e+1 */
#ifndef MUT
#define MUT 0
#endif
#ifndef P
#define P 2
#endif
#define NONE 15
#define MAJ3(m) (((m)&7)==3||((m)&7)==5||((m)&7)==6||((m)&7)==7)
#define E1(m) ((m)&11)                       /* members of e+1: A, B, D */
#define MAJ1(m) (E1(m)==3||E1(m)==9||E1(m)==10||E1(m)==11)
byte prom[4], accb[4]=NONE;
byte in[4];              /* 0 in e, 1 fenced, 2 votes in e+1 */
bool open; byte F, M=NONE; /* the fenced majority that D copied; its highest accepted ballot */
#ifdef JOIN
byte jm[2], jv[2]=NONE;
#endif
#if MUT==4
bool chg[3], bgd; byte bg=NONE; /* changed since the background copy; what that copied, of any majority */
#define CHANGED(a) if :: a<3 -> chg[a]=1 :: else fi;
#define DL(a) (chg[a] -> accb[a] : NONE)
#else
#define CHANGED(a)
#endif
byte pst[P+1], pe[P+1], pmk[P+1], hb[P+1]=NONE, par[P+1]=NONE;
bool sent[P+1];
byte ak0[P+1], ak1[P+1]; /* accepted in e; accepted or held in e+1 */
byte cho;                /* chosen ballots, bit mask */
hidden byte i, x, y, p;
inline check(){ /* chain over all chosen pairs */
  x=0; do :: x<P -> y=x+1; do :: y<=P -> if :: (cho&(1<<x)) && (cho&(1<<y)) ->
        p=y; do :: p!=NONE && p>x -> p=par[p] :: else -> break od; assert(p==x) :: else fi; y++ :: else -> break od; x++ :: else -> break od; x=0;y=0;p=0 }
inline chosen(b){ if :: !(cho&(1<<b)) && (MAJ3(ak0[b]) || MAJ1(ak1[b]) || (MUT==3 && b==0 && (MAJ3(ak0[b]|ak1[b])||MAJ1(ak0[b]|ak1[b])))) -> cho=cho|(1<<b); check() :: else fi }
inline ack(a,b){ if :: in[a]==0 -> ak0[b]=ak0[b]|(1<<a) :: else -> ak1[b]=ak1[b]|(1<<a) fi;
  if :: MAJ3(ak0[b]) -> ak0[b]=7 :: else fi; if :: MAJ1(ak1[b]) -> ak1[b]=11 :: else fi; chosen(b) }
inline hold(a){ if :: accb[a]!=NONE -> ak1[accb[a]]=ak1[accb[a]]|(1<<a); if :: MAJ1(ak1[accb[a]]) -> ak1[accb[a]]=11 :: else fi; chosen(accb[a]) :: else fi }
#define HI(u,v) ((u)==NONE -> (v) : ((v)==NONE -> (u) : ((u)>(v) -> (u) : (v))))
#define CAN(a,ep) ((ep==0 && in[a]==0 && a<3) || (ep==1 && in[a]==2))
#define PREP(b,a) \
  :: d_step{ pst[b]==1 && CAN(a,pe[b]) && prom[a]<b -> prom[a]=b; pmk[b]=pmk[b]|(1<<a); hb[b]=HI(hb[b],accb[a]) } \
  :: d_step{ pst[b]>0 && CAN(a,pe[b]) && prom[a]<b -> prom[a]=b } /* reply lost */
#define ACC(b,a) :: d_step{ sent[b] && (CAN(a,pe[b]) || (MUT==7 && in[a]==2)) && prom[a]<=b && (accb[a]==NONE||accb[a]<b) && (par[b]!=NONE || accb[a]==NONE) -> \
     prom[a]=b; accb[a]=b; CHANGED(a) ack(a,b) }
#define ACC0(a) :: d_step{ in[a]!=1 && (a<3 || in[a]==2) && accb[a]==NONE && prom[a]==0 -> accb[a]=0; CHANGED(a) ack(a,0) }
#define PROP(b) \
  :: d_step{ pst[b]==0 -> pst[b]=1; pe[b]=0 } :: d_step{ pst[b]==0 && open -> pst[b]=1; pe[b]=1 } \
  :: d_step{ pst[b]==1 && ((pe[b]==0 && MAJ3(pmk[b])) || (pe[b]==1 && MAJ1(pmk[b]))) -> par[b]=hb[b]; hb[b]=NONE; pmk[b]=0; pst[b]=2; sent[b]=1 } \
  PREP(b,0) PREP(b,1) PREP(b,2) PREP(b,3) ACC(b,0) ACC(b,1) ACC(b,2) ACC(b,3)
#define FENCE(a) :: d_step{ in[a]==0 && !open -> in[a]=1 }
inline opening(){ /* D has its record and votes; M is what e+1 begins with */
  open=1; accb[3]=M; if :: M!=NONE -> prom[3]=M :: else fi; in[3]=2; hold(3) }
#define LATE(a) /* a fenced member starts to vote; a straggler learns e+1 after the opening */ \
  :: d_step{ open && in[a]<2 -> if \
        :: !(F&(1<<a)) && MUT==6 -> accb[a]=NONE; prom[a]=0 \
        :: !(F&(1<<a)) && MUT!=6 && MUT!=5 -> accb[a]=M; if :: M!=NONE && prom[a]<M -> prom[a]=M :: else fi \
        :: else fi; in[a]=2; hold(a) }
#ifdef JOIN
/* the straggler reads the two voters of e+1 one after the other, at any moment after the opening, and joins later with the higher record */
#define JREAD(a,o,bit) :: d_step{ open && in[a]<2 && !(F&(1<<a)) && in[o]==2 && !(jm[a]&bit) -> jm[a]=jm[a]|bit; jv[a]=HI(jv[a],accb[o]) }
#define LATEJ(a) JREAD(a,(1-a),1) JREAD(a,3,2) \
  :: d_step{ open && in[a]<2 && (F&(1<<a)) -> in[a]=2; hold(a) } \
  :: d_step{ in[a]<2 && jm[a]==3 -> accb[a]=jv[a]; if :: jv[a]!=NONE && prom[a]<jv[a] -> prom[a]=jv[a] :: else fi; jm[a]=0; jv[a]=NONE; in[a]=2; hold(a) }
#endif
#define BG(u,v) :: d_step{ !bgd && !open -> bgd=1; bg=HI(accb[u],accb[v]); chg[0]=0; chg[1]=0; chg[2]=0 }
#if MUT==2
#define COPY(u,v) M=accb[u];
#elif MUT==4
#define COPY(u,v) M=HI(bg,HI(DL(u),DL(v)));
#else
#define COPY(u,v) M=HI(accb[u],accb[v]);
#endif
#define OPEN(u,v) /* D takes what it needs from u and v, both of F */ \
  :: d_step{ !open && ((in[u]==1 && in[v]==1) || MUT==1) -> \
      COPY(u,v) \
      F=(1<<u)|(1<<v); opening() }
init {
  end: do
  ACC0(0) ACC0(1) ACC0(2) ACC0(3)
  PROP(1) PROP(2)
#if P==3
  PROP(3)
#endif
  FENCE(0) FENCE(1) FENCE(2)
#if MUT==4
  BG(0,1) BG(0,2) BG(1,2)
#endif
  OPEN(0,1)
#ifndef STAY
  OPEN(0,2) OPEN(1,2)
#endif
#if MUT==2
  OPEN(1,0) OPEN(2,0) OPEN(2,1)
#endif
#ifdef I8
  :: d_step{ open && ((in[0]==0&&in[1]==0)||(in[0]==0&&in[2]==0)||(in[1]==0&&in[2]==0)) -> assert(false) }
#endif
#ifdef JOIN
  LATEJ(0) LATEJ(1)
#else
  LATE(0) LATE(1)
#endif
  od }
