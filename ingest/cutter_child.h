/* cutter_child: what the two modes of the child process share. Only the child runs this; a mistake
 * here, or in libavformat, costs one file its keyframe cut. */
#ifndef VS_INGEST_CUTTER_CHILD_H
#define VS_INGEST_CUTTER_CHILD_H

#include "ingest/cutter_proto.h"
#include <libavformat/avformat.h>

#define CHILD_AVIO_BYTES (256 << 10)

int cutter_child_live(const char *format);
int cutter_child_probe(void);

/* Whole reads and writes on the two pipes. 0, or negative at the end or on an error. */
int child_read(void *dst, size_t len);
int child_send(uint8_t type, const void *payload, size_t len);

/* A format context that reads through `io` and may open nothing else. NULL out of memory. */
AVFormatContext *child_context(AVIOContext *io);

/* Milliseconds from the stream's start; UINT32_MAX when unknown. */
uint32_t child_time_ms(const AVStream *st, int64_t ts);

/* The first video stream that is no cover picture; -1. */
int child_video_stream(const AVFormatContext *c);

#endif
