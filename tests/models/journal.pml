/* journal.pml: the replicated log (docs/CHUNKPAXOS.md, "The journal"), with truncation, snapshots, crashes and strict reads.
 *
 * Three replicas, each acceptor and namespace; S slots; ballots 1..B, ballot b is a candidate on replica (b-1)%3 (-DHOME3=0: ballot 3
 * runs on replica 0 again, a leader that comes back). Every ballot is used once. Messages are a set that never shrinks: a JACCEPT
 * once sent may arrive at any later time, any number of times, or never. A promise is merged into its candidate when it is made, or
 * lost; a late arrival only delays the candidate, so nothing is left out. A leader sends everything it will ever propose at once
 * (found values, no-ops in gaps, its own entries behind): the order of arrival is free anyway. It goes on when two acceptors
 * promised, also if the third said NACK(snapshot): wider than the text.
 * Entries: NOP = no-op, b = an entry of leader b. The value of a record (ballot, slot) is acv[ballot][slot].
 * -DCRASH: applied and flushed differ (fl), a crash sets applied back to flushed and ends the leaderships of that replica.
 * -DRESEND: a leader also sends slots chosen before its time, under its own ballot, out of its own acceptor, to whoever lacks them:
 * those that it has applied, behind its last snapshot (kn), and only while its acceptor has promised nothing higher. Then a follower
 * applies a slot only if its own record carries the leader's ballot (without: also with the entry as it was sent, which is wider).
 * -DREAD: one strict read at any time by any leader. Its gate is "found slots chosen", without a no-op of the leader's own: wider.
 *
 * Properties (assertions): one entry chosen per slot for ever, also behind `first` (chv is a ghost that truncation does not touch);
 * one entry per ballot and slot, whoever sends it (RESEND);
 * an applied entry is the chosen one, in slot order; a read covers every entry answered before it began; -DDUR: an answered entry
 * stays recoverable from any two replicas.
 *
 * Run: tests/models/run.sh, or  spin -DS=2 -DREAD -a journal.pml; gcc -O2 -DSAFETY -DNOREDUCE pan.c -o pan; ./pan -E -m100000 -w26
 *
 * MUT 1 truncated slots answered as empty            2 strict read before the found slots are chosen
 *     3 deposed leader reads without confirming      4 JACCEPT ignores the promise
 *     5 first raised when only this replica has flushed the slot: NOT found, 0 errors: whoever truncated holds it durably and says
 *       NACK(snapshot), and the others keep their records; the majority clause is a margin
 *     6 candidate counts NACK(snapshot) as an empty promise
 *     7 first raised to what is applied, not flushed (needs CRASH, DUR)
 *     8 first raised to what one other replica has flushed, this one not (needs DUR)
 *     9 leader counts itself in the heartbeat without asking its own acceptor
 *    10 a follower applies its own record under the leader's commit slot, whatever ballot the record has
 *    11 JPREPARE does not raise the promise         12 confirmation taken from a heartbeat older than the read
 *    13 a leader resends from its own acceptor after that has promised a higher ballot (needs RESEND): another leader's entry under
 *       this ballot   14 it resends what lies below its last snapshot: a record there may never have been chosen (needs RESEND)
 *    15 a follower applies the entry as it was sent, over an older record of its own, which it resends when it leads (needs RESEND)
 * -DSTUCK asserts that no leader meets two acceptors which truncated a slot it still has to choose. It fails: that is liveness, not
 * safety; such a leader is told NACK(snapshot) by JACCEPT too, and steps down. */
#ifndef MUT
#define MUT 0
#endif
#ifndef S
#define S 2
#endif
#ifndef B
#define B 2
#endif
#ifndef HOME3
#define HOME3 2
#endif
#define NOP 7
#define HOME(b) ((b)==3 -> HOME3 : (b)-1)
#define MAJ(m) ((m)==3||(m)==5||(m)==6||(m)==7)
#define I(p,x) ((p)*S+(x))
byte jp[3], fs[3], ap[3], ab[3*S];
#ifdef CRASH
byte fl[3];
#define FL(a) fl[a]
#else
#define FL(a) ap[a]
#endif
byte cst[B+1];           /* 0 idle, 1 asking, 2 leader, 3 was leader / gave up */
#ifdef RESEND
byte kn[3];              /* records below came to rest under a snapshot */
#define SNAPPED(a) kn[a]=ap[a]
#else
#define SNAPPED(a) skip
#endif
bool sent[B+1];          /* the JACCEPTs of this ballot are in the set */
byte st[B+1], mf[B+1], cm[B+1], pmk[B+1];   /* start slot, first slot behind the found ones, commit slot, promise mask */
byte hb[(B+1)*S], acv[(B+1)*S], am[(B+1)*S];
byte chv[S], ans;        /* ghosts: chosen entry, answered prefix */
byte rst, rb, rc, rg, rm; byte hm[B+1]; /* the read; hm: old confirmations (MUT 12) */
hidden byte i, k, n1;

inline merge(b,a){ /* a's records from slot st[b] on into the candidate */
  pmk[b]=pmk[b]|(1<<a);
  i=st[b]; do :: i<S -> if :: ab[I(a,i)]>hb[I(b,i)] -> hb[I(b,i)]=ab[I(a,i)] :: else fi; i++ :: else -> break od; i=0 }
inline lead(b){
  k=st[b]; i=st[b]; do :: i<S -> if :: hb[I(b,i)]>0 -> k=i+1 :: else fi; i++ :: else -> break od;
  i=st[b]; do :: i<S -> if :: hb[I(b,i)]>0 -> acv[I(b,i)]=acv[I(hb[I(b,i)],i)] :: i<k && hb[I(b,i)]==0 -> acv[I(b,i)]=NOP :: else -> acv[I(b,i)]=b fi;
     hb[I(b,i)]=0; i++ :: else -> break od;
  mf[b]=k; cm[b]=st[b]; cst[b]=2; sent[b]=1; pmk[b]=0; i=0; k=0 }
inline choose(b,x){ if :: MAJ(am[I(b,x)]) -> assert(chv[x]==0 || chv[x]==acv[I(b,x)]); chv[x]=acv[I(b,x)]; am[I(b,x)]=7 :: else fi }

#ifdef DUR
#define HAS(q,x) (FL(q)>x || (ab[I(q,x)]>0 && acv[I(ab[I(q,x)],x)]==chv[x]))
inline dur(){ i=0; do :: i<ans -> assert((HAS(0,i)||HAS(1,i)) && (HAS(0,i)||HAS(2,i)) && (HAS(1,i)||HAS(2,i))); i++ :: else -> break od; i=0 }
#else
#define dur() skip
#endif
#define PREPARE(b,a) \
  :: d_step{ cst[b]==1 && jp[a]<b && fs[a]<=st[b] -> if :: MUT==11 -> skip :: else -> jp[a]=b fi; merge(b,a) } \
  :: d_step{ cst[b]>0 && jp[a]<b && fs[a]<=st[b] && MUT!=11 -> jp[a]=b } /* reply lost */ \
  :: d_step{ MUT==1 && cst[b]==1 && jp[a]<b && fs[a]>st[b] -> jp[a]=b; merge(b,a) } \
  :: d_step{ MUT==6 && cst[b]==1 && fs[a]>st[b] && !(pmk[b]&(1<<a)) -> pmk[b]=pmk[b]|(1<<a) }
#define ACC(b,a,x) \
  :: d_step{ sent[b] && acv[I(b,x)]!=0 && (jp[a]<=b || MUT==4) && x>=fs[a] && ab[I(a,x)]!=b -> \
       if :: jp[a]<b -> jp[a]=b :: else fi; ab[I(a,x)]=b; am[I(b,x)]=am[I(b,x)]|(1<<a); choose(b,x); dur() }
#define ACC3(b,x) ACC(b,0,x) ACC(b,1,x) ACC(b,2,x)
#if S==3
#define ACCS(b) ACC3(b,0) ACC3(b,1) ACC3(b,2)
#elif S==2
#define ACCS(b) ACC3(b,0) ACC3(b,1)
#else
#define ACCS(b) ACC3(b,0)
#endif
#ifdef RESEND
#define MAYAPPLY(b,a) (ab[I(a,ap[a])]==b || (MUT==15 && ap[a]>=st[b]))
#else
#define MAYAPPLY(b,a) (ap[a]>=st[b])
#endif
#define APPLY(b,a) /* the entry of slot ap[a], told by leader b that has it committed */ \
  :: d_step{ sent[b] && ap[a]<cm[b] && MUT!=10 && MAYAPPLY(b,a) -> assert(chv[ap[a]]==acv[I(b,ap[a])]); ap[a]=ap[a]+1 } \
  :: d_step{ MUT==10 && sent[b] && ap[a]<cm[b] && ap[a]>=fs[a] && ab[I(a,ap[a])]>0 -> assert(chv[ap[a]]==acv[I(ab[I(a,ap[a])],ap[a])]); ap[a]=ap[a]+1 }
#ifdef RESEND
#define OWN(b,x) ab[I(HOME(b),x)]
#define RESENDS(b,x) \
  :: d_step{ cst[b]==2 && OWN(b,x)>0 && acv[I(b,x)]!=acv[I(OWN(b,x),x)] && ((MUT==13 && OWN(b,x)>b) \
        || (x<st[b] && x<ap[HOME(b)] && (x>=kn[HOME(b)] || MUT==14) && jp[HOME(b)]==b)) -> assert(acv[I(b,x)]==0); acv[I(b,x)]=acv[I(OWN(b,x),x)] }
#if S==2
#define RESENT(b) RESENDS(b,0) RESENDS(b,1)
#else
#define RESENT(b) RESENDS(b,0)
#endif
#else
#define RESENT(b)
#endif
#define CAND(b) \
  :: d_step{ cst[b]==0 -> cst[b]=1; st[b]=FL(HOME(b)) } \
  :: d_step{ cst[b]==1 && MAJ(pmk[b]) -> lead(b) } \
  :: d_step{ cst[b]==2 && cm[b]<S && MAJ(am[I(b,(cm[b]<S->cm[b]:0))]) -> cm[b]=cm[b]+1; if :: cm[b]>ans -> ans=cm[b]; dur() :: else fi } \
  PREPARE(b,0) PREPARE(b,1) PREPARE(b,2) APPLY(b,0) APPLY(b,1) APPLY(b,2) ACCS(b) RESENT(b)
#define ONE(a,p,q) \
  :: d_step{ fs[a]<S && ((fs[a]<FL(a) && (fs[a]<FL(p) || fs[a]<FL(q) || MUT==5)) || (MUT==7 && fs[a]<ap[a] && (fs[a]<ap[p]||fs[a]<ap[q])) \
        || (MUT==8 && (fs[a]<FL(p) || fs[a]<FL(q)))) -> ab[I(a,(fs[a]<S->fs[a]:0))]=0; fs[a]=fs[a]+1; dur() } \
  :: d_step{ ap[a]<FL(p) || ap[a]<FL(q) -> ap[a]=ap[a]+1; FL(a)=ap[a]; SNAPPED(a) } /* snapshot at slot ap+1, from p or q */ \
  CRASHES(a)
#ifdef CRASH
#define CRASHES(a) \
  :: d_step{ fl[a]<ap[a] -> fl[a]=ap[a] } \
  :: d_step{ n1=1; ap[a]=fl[a]; do :: n1<=B -> if :: HOME(n1)==a && (cst[n1]==1||cst[n1]==2) -> cst[n1]=3; pmk[n1]=0; mf[n1]=0; \
        i=0; do :: i<S -> hb[I(n1,i)]=0; i++ :: else -> break od; i=0; \
        if :: rst==1 && rb==n1 -> rst=2; rb=0; rc=0; rg=0; rm=0 :: else fi :: else fi; n1++ :: else -> break od; n1=0; dur() }
#else
#define CRASHES(a)
#endif
#define CONF(a) :: d_step{ rst==1 && !(rm&(1<<a)) && (jp[a]<=rb || (MUT==9 && HOME(rb)==a)) -> rm=rm|(1<<a) }
#define READS(b) \
  :: d_step{ rst==0 && cst[b]==2 && (cm[b]>=mf[b] || MUT==2) -> rst=1; rb=b; rc=cm[b]; rg=ans; rm=0; if :: MUT==12 -> rm=hm[b] :: else fi } \
  :: d_step{ MUT==12 && rst==0 && cst[b]==2 && hm[b]==0 && jp[HOME(b)]<=b && (jp[(HOME(b)+1)%3]<=b || jp[(HOME(b)+2)%3]<=b) -> hm[b]=7 }

init {
  end: do
  CAND(1) CAND(2)
#if B==3
  CAND(3)
#endif
  ONE(0,1,2) ONE(1,0,2) ONE(2,0,1)
#ifdef READ
  READS(1) READS(2)
#if B==3
  READS(3)
#endif
  CONF(0) CONF(1) CONF(2)
  :: d_step{ rst==1 && (MAJ(rm) || MUT==3) && ap[HOME(rb)]>=rc -> assert(rc>=rg); rst=2; rb=0; rc=0; rg=0; rm=0 }
#endif
#ifdef STUCK
#define GONE(a,b) (fs[a]>(cm[b]))
#define STK(b) :: d_step{ cst[b]==2 && cm[b]<S && !MAJ(am[I(b,(cm[b]<S->cm[b]:0))]) && ((GONE(0,b)&&GONE(1,b))||(GONE(0,b)&&GONE(2,b))||(GONE(1,b)&&GONE(2,b))) -> assert(false) }
  STK(1) STK(2)
#endif
  od }
