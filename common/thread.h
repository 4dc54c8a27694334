/* thread: starting a thread of ours, and waiting on a condition until a time.
 *
 * A signal for the process is the business of the threads that the program waits for it with: on
 * another one, the call that it should have ended goes on. So all of ours start with every signal
 * blocked. Times are of the monotonic clock, as everywhere (common/clock.h): a clock that is set
 * neither ends a wait nor stretches it.
 *
 * Threads: any. */
#ifndef VS_COMMON_THREAD_H
#define VS_COMMON_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Run `run(arg)` on a thread to be joined. -EAGAIN: the system has none to spare. */
int vs_thread_start(pthread_t *ret, void *(*run)(void *arg), void *arg);

/* A condition for vs_cond_wait_until(); pair with pthread_cond_destroy(). Cannot fail on Linux. */
void vs_cond_init(pthread_cond_t *cond);

/* pthread_cond_wait(), but no longer than until `until_ns` of vs_now_ns(&vs_clock_system):
 * false when that has come. INT64_MAX: for ever. True may be spurious, as with any condition. */
bool vs_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ns);

#endif
