/* Signals, limits and the readiness line of a daemon. Failure modes: a limit that cannot be raised
 * stays; who listens to "ready" may be gone. */
#include "common/service.h"

#include "common/sd_notify.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static void raise_limits(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == files.rlim_max)
        return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

void vs_service_begin(sigset_t *ret_waited)
{
    raise_limits();
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(ret_waited);
    sigaddset(ret_waited, SIGTERM);
    sigaddset(ret_waited, SIGINT);
    sigaddset(ret_waited, SIGHUP);
    pthread_sigmask(SIG_BLOCK, ret_waited, NULL);
}

void vs_service_ready(const char *who, const char *listen, unsigned port, const char *data)
{
    int host = (int)(strrchr(listen, ':') - listen);
    char text[512];

    printf("%s ready on %.*s:%u\n", who, host, listen, port);
    fflush(stdout);
    snprintf(text, sizeof(text), "READY=1\nSTATUS=Serving %s on port %u", data, port);
    (void)vs_sd_notify(text);
}
