/* The cluster itself: CLUSTER makes root and inbox, NODE_PUT registers a storage node.
 *
 * Failure modes: a second CLUSTER, a node whose name or store belongs to another one: -EEXIST. */
#include "meta/ns_rules.h"

#include "common/err.h"

#include <string.h>
#include <sys/stat.h>

#define CLUSTER_DIR_MODE 0755u

static int cluster_dir(struct ns_tx *tx, const struct ns_entry *e, uint64_t ino)
{
    uint32_t permissions = e->attr.mode & 07777;
    struct ns_inode i = { 0 };

    i.attr.ino = ino;
    i.attr.generation = 1;
    i.attr.mode = S_IFDIR | (permissions != 0 ? permissions : CLUSTER_DIR_MODE);
    i.attr.uid = e->attr.uid;
    i.attr.gid = e->attr.gid;
    i.attr.nlink = 2;
    i.attr.version = 1;
    i.attr.atime = i.attr.mtime = i.attr.ctime = i.attr.btime = tx->now;
    ns_tx_count(tx, &i, 1);
    if (ino == NS_INO_INBOX)
        return ns_tx_add_name(tx, NS_INO_ROOT, "inbox", 5, &i);
    ns_tx_put_inode(tx, &i);
    return 0;
}

int ns_rule_cluster(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct ns_inode root;
    int r;

    if (vs_id_is_zero(&e->cluster))
        return -EINVAL;
    if (!vs_id_is_zero(&tx->state.cluster))
        return -EEXIST;
    tx->state.cluster = e->cluster;
    r = cluster_dir(tx, e, NS_INO_ROOT);
    if (r == 0)
        r = cluster_dir(tx, e, NS_INO_INBOX);
    if (r == 0)
        r = ns_tx_inode(tx, NS_INO_ROOT, &root);
    if (r == 0)
        a->attr = root.attr;
    return r;
}

/* ---- nodes -------------------------------------------------------------------------------------
 */

static int node_item(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                     size_t value_len)
{
    const struct ns_node *new = arg;
    struct ns_node n;
    int r = ns_node_decode(value, value_len, &n);

    (void)key;
    (void)key_len;
    if (r < 0)
        return r;
    if (n.node == new->node)
        return 0;
    if (strcmp(n.name, new->name) == 0)
        return -EEXIST;
    return !vs_id_is_zero(&n.uuid) && vs_id_cmp(&n.uuid, &new->uuid) == 0 ? -EEXIST : 0;
}

static bool node_ok(const struct ns_node *n)
{
    return n->node != 0 && n->name[0] != '\0' && memchr(n->name, 0, sizeof(n->name)) != NULL &&
           memchr(n->domain, 0, sizeof(n->domain)) != NULL &&
           memchr(n->path, 0, sizeof(n->path)) != NULL;
}

int ns_rule_node_put(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct ns_key nodes = ns_key(NS_T_NODE), key = ns_key_u64(NS_T_NODE, e->node.node);
    struct ns_node n = e->node;
    int r;

    (void)a;
    if (!node_ok(&n))
        return -EINVAL;
    r = ns_tx_scan(tx, &nodes, node_item, &n);
    if (r == -EEXIST)
        return r;
    if (ns_tx_note(tx, r) < 0)
        return r;
    ns_tx_put_out(tx, &key, ns_node_encode(&n, &tx->out));
    return 0;
}
