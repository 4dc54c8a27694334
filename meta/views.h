/* views: how often a file was watched: all views, and the heat, which forgets: half of it in 30
 * days.
 *
 * A mount counts the views of a minute and reports them in one entry of the journal. Each report of
 * a file has an id, and a file remembers the last VIEWS_RECENT_MAX of them: whoever got no answer
 * reports again under the same id, and is counted once.
 *
 * The same arithmetic everywhere: integers only, so that all replicas hold the same bytes.
 *
 * Pure. docs/FORMAT.md has every byte. */
#ifndef VS_META_VIEWS_H
#define VS_META_VIEWS_H

#include "common/buf.h"
#include "common/id.h"
#include <stdbool.h>

#define VIEWS_HALF_LIFE_S  (INT64_C(30) * 24 * 3600)
#define VIEWS_HEAT_ONE     UINT64_C(65536) /* the heat of one view, now */
#define VIEWS_RECENT_MAX   16
#define VIEWS_REPORT_MAX   1024    /* files in one report */
#define VIEWS_COUNT_MAX    1000000 /* views of a file in one report */
#define VIEWS_RECORD_BYTES (1 + 8 + 8 + 8 + 1 + VIEWS_RECENT_MAX * VS_ID_BYTES)

/* What is known of a file. All zero: nobody watched it. */
struct views {
    uint64_t views;
    uint64_t heat; /* at at_s, in parts of VIEWS_HEAT_ONE */
    int64_t at_s;  /* since 1970, of the last view */
    unsigned recent_count;
    struct vs_id recent[VIEWS_RECENT_MAX]; /* reports, oldest first */
};

/* Its heat at that time. A clock that ran back is taken for one that stood. */
uint64_t views_heat(const struct views *v, int64_t now_s);
/* A report. False: it was counted before. */
bool views_add(struct views *v, const struct vs_id *report, uint32_t count, int64_t now_s);

/* Appended. -ENOMEM. */
int views_encode(const struct views *v, struct vs_buf *ret);
/* -VS_ECORRUPT, -VS_ENEWER. */
int views_decode(const void *bytes, size_t len, struct views *ret);

/* ---- a report: the value of an entry ---- */

struct views_item {
    uint64_t ino;
    uint32_t count; /* 1 .. VIEWS_COUNT_MAX */
    struct vs_id report;
};

/* Items by ascending inode, each once. Appended. -EINVAL, -ENOMEM. */
int views_report_encode(const struct views_item *items, unsigned count, struct vs_buf *ret);
/* How many items; -VS_ECORRUPT, also when they are not in order. */
int views_report_count(const void *bytes, size_t len);
/* Item i of a report that views_report_count() has seen. */
struct views_item views_report_item(const void *bytes, unsigned i);

#endif
