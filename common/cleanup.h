/* Scope cleanup with compiler attributes: VS_AUTO_FREE pointers, VS_AUTO_FD descriptors,
 * VS_LOCK_SCOPE(&mutex) until the end of the block. */
#ifndef VS_COMMON_CLEANUP_H
#define VS_COMMON_CLEANUP_H

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static inline void vs_cleanup_free(void *p)
{
    free(*(void **)p);
}

static inline void vs_cleanup_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline pthread_mutex_t *vs_cleanup_lock(pthread_mutex_t *m)
{
    pthread_mutex_lock(m);
    return m;
}

static inline void vs_cleanup_unlock(pthread_mutex_t **m)
{
    pthread_mutex_unlock(*m);
}

#define VS_AUTO_FREE     __attribute__((cleanup(vs_cleanup_free)))
#define VS_AUTO_FD       __attribute__((cleanup(vs_cleanup_fd)))
#define VS_CONCAT_(a, b) a##b
#define VS_CONCAT(a, b)  VS_CONCAT_(a, b)
#define VS_LOCK_SCOPE(m)                                                                           \
    pthread_mutex_t *VS_CONCAT(vs_lock_, __LINE__)                                                 \
        __attribute__((cleanup(vs_cleanup_unlock), unused)) = vs_cleanup_lock(m)

/* Take ownership out of a VS_AUTO_FREE variable: `return vs_take(&p);` */
#define vs_take(p)                                                                                 \
    ({                                                                                             \
        __typeof__(*(p)) vs_taken_ = *(p);                                                         \
        *(p) = NULL;                                                                               \
        vs_taken_;                                                                                 \
    })

#endif
