/* meta_open: the directory of a metadata daemon: judged, made when it is empty, opened. */
#ifndef VS_META_META_OPEN_H
#define VS_META_META_OPEN_H

#include "meta/meta_options.h"
#include "meta/meta_server.h"

#define META_WHY_BYTES 512

/* Open: fills id, data, meta and peers of `m`. Waits up to 10 s for a former process. Negative:
 * `why` is a sentence, and nothing is open. */
int meta_open(struct meta_server *m, const struct meta_options *o, char why[META_WHY_BYTES]);
/* Nothing asks it any more. */
void meta_close(struct meta_server *m);

#endif
