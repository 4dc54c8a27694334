/* A namespace in memory for tests: entries go through the codec and ns_apply, questions through
 * ns_read. Time goes on by one second with every entry. */
#ifndef VS_TESTS_SUPPORT_NS_FIXTURE_H
#define VS_TESTS_SUPPORT_NS_FIXTURE_H

#include "meta/kv.h"
#include "meta/manifest.h"
#include "meta/meta_client.h"
#include "meta/ns_apply.h"

struct nsf {
    struct kv *kv;
    struct ns_apply *apply;
    uint64_t slot;
    struct ns_time now;      /* of the last entry */
    struct ns_answer answer; /* of the last entry */
    struct vs_buf log;       /* encoded entries, each behind its length: u32 */
};

/* Empty store; nsf_open() also makes the cluster. */
void nsf_init(struct nsf *f);
void nsf_open(struct nsf *f);
void nsf_close(struct nsf *f);
/* A test with a cluster of its own; afterwards the invariants are checked. *state: struct nsf. */
int nsf_setup(void **state);
int nsf_teardown(void **state);
#define NSF_TEST(name) cmocka_unit_test_setup_teardown(name, nsf_setup, nsf_teardown)

/* Encode, decode, apply as the next slot. The answer's status; `e->now` is set. */
int nsf_do(struct nsf *f, struct ns_entry *e);

/* Entries by hand. Names are C strings. Numbers of inodes are returned (or negative codes). */
int64_t nsf_make(struct nsf *f, uint64_t parent, const char *name, uint32_t mode);
int64_t nsf_mkdir(struct nsf *f, uint64_t parent, const char *name);
int64_t nsf_file(struct nsf *f, uint64_t parent, const char *name, const char *text);
int64_t nsf_symlink(struct nsf *f, uint64_t parent, const char *name, const char *target);
int nsf_link(struct nsf *f, uint64_t ino, uint64_t parent, const char *name);
int nsf_unlink(struct nsf *f, uint64_t parent, const char *name);
int nsf_rmdir(struct nsf *f, uint64_t parent, const char *name);
int nsf_rename(struct nsf *f, uint64_t parent, const char *name, uint64_t new_parent,
               const char *new_name, uint32_t flags);
int nsf_forget(struct nsf *f, uint64_t ino);
int nsf_publish(struct nsf *f, uint64_t parent, const char *name, uint8_t taken);
int nsf_setxattr(struct nsf *f, uint64_t ino, const char *name, const char *value, uint32_t flags);
/* A session with `count` ids of owner (1, 1); its number. The first sequence in answer.first. */
uint64_t nsf_session(struct nsf *f, uint64_t count);

/* A manifest of `segments` segments with one chunk of 1 MiB each, ids with sequences from `seq` on
 * (chunk and segment share one), sha256 filled with `sha` (0: not known). Encoded into `ret`. */
void nsf_manifest(struct vs_buf *ret, uint32_t segments, uint64_t seq, uint8_t sha);
/* Fields of a CREATE or SWAP with that manifest. `head` is lent. */
void nsf_content(struct ns_entry *e, const struct vs_buf *head, uint32_t segments,
                 uint64_t session);
/* A file with that manifest, its session opened and committed. */
int64_t nsf_big_file(struct nsf *f, uint64_t parent, const char *name, uint32_t segments,
                     uint8_t sha);

/* Questions. */
int nsf_read(struct nsf *f, struct meta_req *r);
int nsf_lookup(struct nsf *f, uint64_t parent, const char *name, struct ns_attr *ret);
uint64_t nsf_ino(struct nsf *f, uint64_t parent, const char *name); /* 0: not there */
struct ns_attr nsf_attr(struct nsf *f, uint64_t ino);               /* must be there */
struct meta_stats nsf_stats(struct nsf *f);
/* Items of a list, at most `max`. */
uint32_t nsf_scan_ids(struct nsf *f, enum meta_scan scan, struct vs_id *ids, uint32_t max);
uint32_t nsf_scan_u64(struct nsf *f, enum meta_scan scan, uint64_t *n, uint32_t max);

/* Fails the test unless names, inodes, counts and statistics agree with each other. */
void nsf_check(struct nsf *f);
/* SHA-256 over all keys and values of a store. */
void nsf_digest(struct kv *kv, uint8_t digest[VS_SHA256_BYTES]);

#endif
