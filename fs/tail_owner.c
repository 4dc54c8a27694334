/* tail_owner: see the header. */
#include "fs/tail_owner.h"
#include "common/err.h"
#include "meta/tail_record.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAIL_XATTR      "user.vstack.tail" /* of inode NS_INO_COPY: its session and slot, as text */
#define SCAN_PAGE       256
#define SLOT_TEXT_BYTES 48

/* ---- whose it is ---- */

/* The newest session of a tail: its number and whose it is; 0: there is none. */
static int newest_find(struct vsfs *fs, uint64_t *ret_session, uint64_t *ret_owner)
{
    struct vs_id pairs[SCAN_PAGE];
    struct meta_req r = {
        .op = META_SCAN, .scan = META_SCAN_SESSION_MOUNTS, .scan_ids = pairs, .scan_max = SCAN_PAGE
    };
    int err;

    *ret_session = *ret_owner = 0;
    do {
        err = meta_call(fs->meta, &r);
        for (uint32_t n = 0; err == 0 && n < r.scan_count; n++) {
            uint64_t session, owner;

            meta_pair_get(&pairs[n], &session, &owner);
            if ((owner & NS_MOUNT_TAIL) != 0) {
                *ret_session = session; /* ascending */
                *ret_owner = owner;
            }
        }
        if (r.scan_count > 0)
            r.scan_after_id = pairs[r.scan_count - 1];
    } while (err == 0 && r.scan_count == SCAN_PAGE);
    return err;
}

/* 1: it gives signs of life; 0: not. */
static int is_alive(struct vsfs *fs, uint64_t mount)
{
    struct vs_id pair;
    struct meta_req r = { .op = META_SCAN,
                          .scan = META_SCAN_MOUNTS,
                          .scan_after_id = meta_pair(mount - 1, UINT64_MAX),
                          .scan_ids = &pair,
                          .scan_max = 1 };
    uint64_t found = 0, signs;
    int err = meta_call(fs->meta, &r);

    if (err == 0 && r.scan_count == 1)
        meta_pair_get(&pair, &found, &signs);
    return err < 0 ? err : found == mount;
}

int tail_owner_judge(struct vsfs *fs, uint64_t owner, uint64_t session)
{
    uint64_t newest, whose;
    int r;

    if (fs->mount == 0)
        return 1;
    r = newest_find(fs, &newest, &whose);
    if (r < 0)
        return r;
    if (newest == 0 || whose == owner || newest == session)
        return 1;
    r = is_alive(fs, whose & ~NS_MOUNT_TAIL);
    return r < 0 ? r : !r;
}

void tail_owner_end_others(struct vsfs *fs, uint64_t but)
{
    struct vs_id pairs[SCAN_PAGE];
    struct meta_req r = {
        .op = META_SCAN, .scan = META_SCAN_SESSION_MOUNTS, .scan_ids = pairs, .scan_max = SCAN_PAGE
    };

    do {
        if (meta_call(fs->meta, &r) < 0)
            return; /* the next copy will */
        for (uint32_t n = 0; n < r.scan_count; n++) {
            struct ns_entry e = { .kind = NS_E_SESSION_ABORT };
            uint64_t whose;

            meta_pair_get(&pairs[n], &e.session, &whose);
            if ((whose & NS_MOUNT_TAIL) != 0 && e.session != but)
                vsfs_change(fs, &e, NULL);
        }
        if (r.scan_count > 0)
            r.scan_after_id = pairs[r.scan_count - 1];
    } while (r.scan_count == SCAN_PAGE);
    if (fs->collect != NULL)
        collect_wake(fs->collect);
}

/* ---- how far ---- */

void tail_owner_tell(struct vsfs *fs, uint64_t session, uint64_t slot)
{
    char text[SLOT_TEXT_BYTES];
    struct ns_entry e = { .kind = NS_E_SETXATTR,
                          .ino = NS_INO_COPY,
                          .name = TAIL_XATTR,
                          .name_len = strlen(TAIL_XATTR),
                          .value = text };

    e.value_len = (size_t)snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64, session, slot);
    vsfs_change(fs, &e, NULL);
}

int tail_owner_hear(struct vsfs *fs, uint64_t *ret_slot)
{
    struct meta_req r = {
        .op = META_GETXATTR, .ino = NS_INO_COPY, .name = TAIL_XATTR, .name_len = strlen(TAIL_XATTR)
    };
    char text[SLOT_TEXT_BYTES] = "", *end = text;
    uint64_t newest, owner;
    int err = newest_find(fs, &newest, &owner);

    if (err == 0)
        err = meta_call(fs->meta, &r);
    if (err == 0 && r.bytes.len < sizeof(text))
        memcpy(text, r.bytes.data, r.bytes.len);
    vs_buf_close(&r.bytes);
    if (err == 0 && strtoull(text, &end, 10) != newest) /* of another one, or a former life */
        err = -ENODATA;
    *ret_slot = strtoull(end, NULL, 10);
    return err;
}
