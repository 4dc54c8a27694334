/* VIEWS: a mount reports how often files were watched.
 *
 * Happy path: each file's count and heat grow, and its record remembers the report. Failure modes:
 * a report that was counted before, and a file that is gone, change nothing; a value that is no
 * report: -EINVAL. */
#include "meta/ns_rules.h"

#include "common/err.h"
#include "meta/views.h"

#include <sys/stat.h>

static int views_read(struct ns_tx *tx, uint64_t ino, struct views *ret)
{
    struct ns_key key = ns_key_u64(NS_T_VIEWS, ino);
    const uint8_t *value;
    size_t len;
    int r = ns_tx_get(tx, &key, &value, &len);

    *ret = (struct views){ 0 };
    if (r == 0)
        r = views_decode(value, len, ret);
    return r == -ENOENT ? 0 : ns_tx_note(tx, r);
}

int ns_rule_views(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    int count = views_report_count(e->value, e->value_len);

    (void)a;
    if (count < 0)
        return -EINVAL;
    for (int n = 0; n < count; n++) {
        struct views_item item = views_report_item(e->value, (unsigned)n);
        struct ns_key key = ns_key_u64(NS_T_VIEWS, item.ino);
        struct ns_inode i;
        struct views v;
        int r = ns_tx_inode(tx, item.ino, &i);

        if (r == -ENOENT || (r == 0 && !S_ISREG(i.attr.mode)))
            continue; /* removed meanwhile: nobody asks any more */
        if (r == 0)
            r = views_read(tx, item.ino, &v);
        if (r < 0)
            return r;
        if (views_add(&v, &item.report, item.count, tx->now.s))
            ns_tx_put_out(tx, &key, views_encode(&v, &tx->out));
    }
    return 0;
}
