/* service: what the mains of the daemons share: signals and limits before the first thread, and how
 * "ready" is said.
 *
 * Threads: the main thread. */
#ifndef VS_COMMON_SERVICE_H
#define VS_COMMON_SERVICE_H

#include <signal.h>

/* Before the first thread: as many descriptors as the system allows; a write to a closed socket is
 * a result, no signal; SIGTERM, SIGINT and SIGHUP are blocked, to be waited for with *ret_waited.
 */
void vs_service_begin(sigset_t *ret_waited);

/* On standard output, flushed: "WHO ready on HOST:PORT", HOST as in `listen` ("HOST:PORT"), the
 * port that was really taken. To systemd: READY, and what is served. */
void vs_service_ready(const char *who, const char *listen, unsigned port, const char *data);

#endif
