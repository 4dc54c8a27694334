/* registers.pml: one ChunkPaxos register, three acceptors (docs/CHUNKPAXOS.md, "Acceptors" and "Proposers").
 *
 * Ballot 0 is the owner's ACCEPT0: one value, sent at any time, any number of times. Ballots 1..P are classic proposers, each with
 * both phases; a proposer makes a new value of what it found, or refuses (compare-and-set) and then reports what it found, at once
 * only if its whole quorum said the same, else after it is written back, which is a change like any other here.
 * Messages are a set that never shrinks: a request once sent may arrive at any later time, any number of times, or never. A promise
 * is merged into its proposer when it is made, or lost.
 * -DREAD: a reader, two reads one after the other, each asks two acceptors, one after the other, at any time between other steps.
 *
 * Properties (assertions): of two chosen ballots x < y, y descends from x, and so does what was reported (one chain, one value per
 * ballot); a read covers what was chosen before it began, and two reads in order never go back.
 *
 * Run: tests/models/run.sh, or  spin -DP=2 -DREAD -a registers.pml; gcc -O2 -DSAFETY -DNOREDUCE pan.c -o pan; ./pan -E -m100000
 *
 * MUT  1 ACCEPT0 admitted although a promise exists     2 ACCEPT ignores the promise
 *      3 an acceptor that lost its disk votes again     4 a promise is answered before it is durable
 *      5 a read returns the highest without agreement   7 promises count as acceptances
 *      8 a refused compare-and-set reports without writing back
 *      9 round 0 of one id is used with two values      11 a classic round without phase 1
 *     10 CREATE where something is accepted: NOT found, 0 errors: the promises of phase 1 keep it safe alone; the flag is a margin */
#ifndef MUT
#define MUT 0
#endif
#ifndef P
#define P 2
#endif
#define NONE 15
#define MAJ(m) ((m)==3 || (m)==5 || (m)==6 || (m)==7)
byte prom[3], accb[3]=NONE;         /* highest promise; ballot of the accepted record */
byte pst[P+1], pmk[P+1];            /* proposer: 0 idle, 1 asking, 2 sent, 3 reported; who promised */
byte hb[P+1]=NONE, par[P+1]=NONE;   /* highest accepted among the promises; what the proposal descends from */
bool mix[P+1];                      /* the promises did not all say the same */
byte ak[P+1];                       /* who accepted the ballot */
byte cho;                           /* ballots chosen, or reported: bit mask */
#if MUT==9
byte av[3], v0, rv[P+1];            /* value of ballot 0 in a record; the one chosen at ballot 0; the one a proposal descends from */
byte ak2;                           /* who accepted the other value at ballot 0 */
#endif
#ifdef READ
byte rst, rm0=NONE, ra, rv1, r1=14; /* reader: step; highest chosen when it began; first answer; result of the first read, 14 none */
#endif
hidden byte x, y, p;

inline check() {
  x=0; do :: x<P -> y=x+1; do :: y<=P -> if :: (cho&(1<<x)) && (cho&(1<<y)) ->
      p=y; do :: p!=NONE && p>x -> p=par[p] :: else -> break od; assert(p==x) :: else fi; y++ :: else -> break od; x++ :: else -> break od;
#if MUT==9
  x=1; do :: x<=P -> if :: (cho&(1<<x)) && v0!=0 && rv[x]!=0 -> assert(rv[x]==v0) :: else fi; x++ :: else -> break od;
#endif
  x=0; y=0; p=0 }
inline chosen(b) { if :: !(cho&(1<<b)) -> cho=cho|(1<<b); check() :: else fi }
inline ack(a,b) { ak[b]=ak[b]|(1<<a); if :: MAJ(ak[b]) -> ak[b]=7; chosen(b) :: else fi }
inline take(a,b) { if :: prom[a]<b -> prom[a]=b :: else fi; accb[a]=b; ack(a,b) }

#if MUT==9
#define ACC0(a) \
  :: d_step{ accb[a]==NONE && prom[a]==0 -> accb[a]=0; av[a]=1; ak[0]=ak[0]|(1<<a); if :: MAJ(ak[0]) -> assert(v0!=2); v0=1; chosen(0) :: else fi } \
  :: d_step{ accb[a]==NONE && prom[a]==0 -> accb[a]=0; av[a]=2; ak2=ak2|(1<<a); if :: MAJ(ak2) -> assert(v0!=1); v0=2; chosen(0) :: else fi }
#define ROOT(b,a) if :: accb[a]==hb[b] -> rv[b]=av[a] :: else fi;
#define KEEP(b,a) av[a]=rv[b];
#else
#define ACC0(a) :: d_step{ (prom[a]==0 || MUT==1) && accb[a]==NONE -> take(a,0) }
#define ROOT(b,a)
#define KEEP(b,a)
#endif
#define PREP(b,a) \
  :: d_step{ pst[b]==1 && prom[a]<b && !(pmk[b]&(1<<a)) -> if :: MUT!=4 -> prom[a]=b :: else fi; \
       if :: pmk[b]!=0 && hb[b]!=accb[a] -> mix[b]=1 :: else fi; pmk[b]=pmk[b]|(1<<a); \
       if :: accb[a]!=NONE && (hb[b]==NONE || accb[a]>=hb[b]) -> hb[b]=accb[a]; ROOT(b,a) :: else fi } \
  :: d_step{ pst[b]>0 && prom[a]<b -> prom[a]=b } /* the reply is lost */
#define ACC(b,a) \
  :: d_step{ pst[b]==2 && (prom[a]<=b || MUT==2) && (accb[a]==NONE || accb[a]<b) && (par[b]!=NONE || accb[a]==NONE || MUT==10) -> KEEP(b,a) take(a,b) }
#define PROP(b) \
  :: d_step{ pst[b]==0 -> pst[b]=1 } \
  :: d_step{ pst[b]==1 && (MAJ(pmk[b]) || (MUT==11 && b==1)) -> if :: MUT==11 && b==1 -> skip :: else -> par[b]=hb[b] fi; \
       if :: MUT==7 -> ak[b]=7; chosen(b) :: else fi; pst[b]=2; hb[b]=NONE; pmk[b]=0; mix[b]=0 } \
  :: d_step{ pst[b]==1 && MAJ(pmk[b]) && hb[b]!=NONE && (!mix[b] || MUT==8) -> chosen(hb[b]); pst[b]=3; hb[b]=NONE; pmk[b]=0; mix[b]=0 } \
  PREP(b,0) PREP(b,1) PREP(b,2) ACC(b,0) ACC(b,1) ACC(b,2)
#ifdef READ
#define HIGHER(u,v) (((u)==NONE || ((v)!=NONE && (v)>(u))) -> (v) : (u))
#define ASK1(a) :: d_step{ (rst==1 || rst==4) -> ra=a; rv1=accb[a]; rst=rst+1 }
#define ASK2(a) \
  :: d_step{ (rst==2 || rst==5) && a!=ra && (accb[a]==rv1 || MUT==5) -> rv1=HIGHER(rv1,accb[a]); \
       assert(rm0==NONE || (rv1!=NONE && rv1>=rm0)); assert(r1>=14 || (rv1!=NONE && rv1>=r1)); \
       if :: rv1!=NONE -> chosen(rv1) :: else fi; if :: rst==2 -> r1=rv1 :: else r1=14 fi; rst=rst+1; ra=0; rv1=0; rm0=NONE }
#define READER \
  :: d_step{ (rst==0 || rst==3) -> rm0=NONE; x=0; do :: x<=P -> if :: cho&(1<<x) -> rm0=x :: else fi; x++ :: else -> break od; x=0; rst=rst+1 } \
  ASK1(0) ASK1(1) ASK1(2) ASK2(0) ASK2(1) ASK2(2)
#endif

init {
  end: do
  ACC0(0) ACC0(1) ACC0(2)
  PROP(1) PROP(2)
#if P==3
  PROP(3)
#endif
#ifdef READ
  READER
#endif
#if MUT==3
  :: d_step{ accb[2]!=NONE || prom[2]>0 -> accb[2]=NONE; prom[2]=0 }
#endif
  od }
