/* sd_notify: tell systemd what state the program is in, where it asked to be told (sd_notify(3):
 * a datagram to the socket named by NOTIFY_SOCKET). Without systemd: nothing happens. */
#ifndef VS_COMMON_SD_NOTIFY_H
#define VS_COMMON_SD_NOTIFY_H

/* `state`: "READY=1", "STOPPING=1", "STATUS=sentence", lines of those. 1 sent, 0 nobody asked,
 * negative errno. Threads: any. */
int vs_sd_notify(const char *state);

#endif
