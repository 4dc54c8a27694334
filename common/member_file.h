/* member_file: which metadata replicas there are, as JSON: what replicas tell nodes and people, and
 * what nodes and mounts keep of it for their next start.
 *
 *   { "epoch": 2, "metas": [{"id": 1, "url": "http://127.0.0.1:7101"}, ...] }
 *
 * A file is a hint: whoever reads it asks the replicas, which say what is so now. Hence one that
 * cannot be read counts as none, and one that cannot be written costs nothing but that hint.
 *
 * Threads: any. */
#ifndef VS_COMMON_MEMBER_FILE_H
#define VS_COMMON_MEMBER_FILE_H

#include "common/member_set.h"

struct vs_json;

#define MEMBER_FILE_NAME "metas.json" /* in the directory of a node or a mount */

/* Both members into an object that may have others. */
void member_set_to_json(const struct member_set *s, struct vs_json *j);
/* -ENOENT: it says nothing of them; -VS_ECORRUPT: nothing that can be. */
int member_set_from_json(const struct vs_json *j, struct member_set *ret);

/* DIR/metas.json. -ENOENT; -VS_ECORRUPT; I/O errors. */
int member_file_load(const char *dir, struct member_set *ret);
/* Replaced whole; durable when it returns 0. */
int member_file_save(const char *dir, const struct member_set *s);

#endif
