/* cluster_port: a port of the loopback for a process that is about to start.
 *
 * Addresses are written down before the processes run (replicas have to know each other's), so a
 * port is held meanwhile: bound, but not listened on, by a descriptor. Nobody else who asks here,
 * nor the kernel for a connection of its own, takes it; the process itself may, since it binds with
 * SO_REUSEADDR (socket(7)). Ports are drawn below those that the kernel gives to connections, so
 * that they are free again at the next start. IPv4.
 *
 * Threads: any. */
#ifndef VS_FS_CLUSTER_PORT_H
#define VS_FS_CLUSTER_PORT_H

#include <stdint.h>

#define CLUSTER_PORT_FIRST 20000 /* drawn from here .. */
#define CLUSTER_PORT_LAST  32767

/* Hold port `wanted`; 0: any that is free. The descriptor, for the caller to close once the process
 * listens; -EADDRINUSE: somebody listens there or is about to; other errno. */
int cluster_port_hold(uint16_t wanted, uint16_t *ret_port);

#endif
