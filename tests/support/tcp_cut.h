/* tcp_cut: a way between two processes that can be cut, in one direction or both, and healed.
 *
 * A relay of TCP connections on the loopback: who connects to its port is connected to the target.
 * A cut direction delivers nothing, as if every packet were lost: connections stay as they are, and
 * what was sent arrives after the healing. A connection that is made while forward is cut reaches
 * the target afterwards. A target that refuses: the connection is closed.
 *
 * Threads: one of its own; calls from any. */
#ifndef VS_TESTS_TCP_CUT_H
#define VS_TESTS_TCP_CUT_H

#include <stdbool.h>
#include <stdint.h>

#define TCP_CUT_CONNECTIONS_MAX 128 /* more are closed */

struct tcp_cut;

/* Aborts when it cannot. */
struct tcp_cut *tcp_cut_start(uint16_t target_port);
uint16_t tcp_cut_port(const struct tcp_cut *t);
/* forward: from who connects to the target. In effect when it returns. */
void tcp_cut_set(struct tcp_cut *t, bool forward, bool backward);
/* Closes all connections. Forgives NULL. */
void tcp_cut_stop(struct tcp_cut *t);

#endif
