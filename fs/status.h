/* status: the state of a mount as JSON: `.vstack/status`, `vstackfs status --json`.
 *
 * Waits (it counts every chunk): ops threads. */
#ifndef VS_FS_STATUS_H
#define VS_FS_STATUS_H

#include "common/json.h"
#include "fs/vsfs.h"

/* NULL and a negative *ret_status when the metadata cannot be asked. */
struct vs_json *status_json(struct vsfs *fs, int *ret_status);

#endif
