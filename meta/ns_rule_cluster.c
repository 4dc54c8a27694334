/* The cluster itself: CLUSTER makes root and inbox, NODE_PUT registers a storage node, MEMBERS says
 * which metadata replicas there are.
 *
 * Failure modes: a second CLUSTER, a node whose name or store belongs to another one: -EEXIST; one
 * that was removed: -ESTALE; too many: -ENOBUFS; a
 * configuration that does not follow the one there is: -ESTALE. */
#include "meta/ns_rules.h"

#include "common/err.h"
#include "meta/px_fence.h"

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

/* The first reason stays until a person has seen it. */
int ns_rule_brake(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct ns_key key = ns_key(NS_T_BRAKE);
    const uint8_t *value;
    size_t len;
    int r;

    (void)a;
    if (e->value_len > NS_BRAKE_BYTES_MAX)
        return -EINVAL;
    r = ns_tx_get(tx, &key, &value, &len);
    if (r < 0 && r != -ENOENT)
        return r;
    if (e->value_len == 0)
        ns_tx_del(tx, &key);
    else if (r == -ENOENT)
        ns_tx_put(tx, &key, e->value, e->value_len);
    return 0;
}

/* ---- nodes -------------------------------------------------------------------------------------
 */

/* What is there already beside `new`. */
struct node_search {
    const struct ns_node *new;
    struct ns_node same; /* found: the record of this number, or of this uuid where it has none */
    bool found, taken;   /* taken: another node has its name or its store */
    uint32_t last;       /* highest number ever given */
    unsigned count;      /* not gone */
};

static int node_item(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                     size_t value_len)
{
    struct node_search *s = arg;
    const struct ns_node *new = s->new;
    struct ns_node n;
    bool uuid, name;
    int r = ns_node_decode(value, value_len, &n);

    (void)key;
    (void)key_len;
    if (r < 0)
        return r;
    uuid = !vs_id_is_zero(&n.uuid) && vs_id_cmp(&n.uuid, &new->uuid) == 0;
    name = strcmp(n.name, new->name) == 0;
    s->last = n.node > s->last ? n.node : s->last;
    s->count += n.state != NS_NODE_GONE;
    if (new->node != 0 ? n.node == new->node : uuid && name) {
        s->found = true;
        s->same = n;
    } else if (uuid || name) {
        s->taken = true;
    }
    return 0;
}

static bool node_ok(const struct ns_node *n)
{
    return n->name[0] != '\0' && memchr(n->name, 0, sizeof(n->name)) != NULL &&
           memchr(n->domain, 0, sizeof(n->domain)) != NULL &&
           memchr(n->path, 0, sizeof(n->path)) != NULL && n->state <= NS_NODE_GONE;
}

/* It registers itself: number and state are those it has, or it is new. */
static int node_register(const struct node_search *s, struct ns_node *n)
{
    if (vs_id_is_zero(&n->uuid) || n->domain[0] == '\0' || n->path[0] == '\0' ||
        n->state != NS_NODE_IN)
        return -EINVAL;
    if (!s->found && (s->count >= NS_NODES_MAX || s->last >= NS_NODE_NUMBER_MAX))
        return -ENOBUFS;
    n->node = s->found ? s->same.node : s->last + 1;
    n->state = s->found ? s->same.state : NS_NODE_IN;
    return 0;
}

int ns_rule_node_put(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct ns_key nodes = ns_key(NS_T_NODE), key;
    struct ns_node n = e->node;
    struct node_search s = { .new = &e->node };
    int r;

    if (!node_ok(&n))
        return -EINVAL;
    r = ns_tx_scan(tx, &nodes, node_item, &s);
    if (ns_tx_note(tx, r) < 0)
        return r;
    if (s.taken)
        return -EEXIST;
    if (s.found && s.same.state == NS_NODE_GONE)
        return -ESTALE;
    r = n.node == 0 ? node_register(&s, &n) : 0;
    if (r < 0)
        return r;
    key = ns_key_u64(NS_T_NODE, n.node);
    ns_tx_put_out(tx, &key, ns_node_encode(&n, &tx->out));
    a->first = n.node;
    return 0;
}

/* ---- metadata replicas -------------------------------------------------------------------------
 */

static int members_now(struct ns_tx *tx, const struct ns_key *key, struct ns_members *ret)
{
    const uint8_t *value;
    size_t len;
    int r = ns_tx_get(tx, key, &value, &len);

    *ret = (struct ns_members){ .is_open = true, .set.epoch = 1 }; /* as it was made */
    if (r == -ENOENT)
        return 0;
    return r < 0 ? r : ns_tx_note(tx, ns_members_decode(value, len, ret));
}

/* One that is coming may be replaced by another one as long as nobody says that it is open: whoever
 * fences makes sure that all know the same (meta/meta_join.h). */
int ns_rule_members(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct ns_key key = ns_key(NS_T_MEMBERS);
    struct ns_members now, next = { .is_open = (e->flags & NS_MEMBERS_OPEN) != 0 };
    uint64_t epoch;
    int r;

    (void)a;
    if (member_set_decode(e->value, e->value_len, &next.set) < 0 || e->flags > NS_MEMBERS_OPEN)
        return -EINVAL;
    r = members_now(tx, &key, &now);
    if (r < 0)
        return r;
    epoch = now.is_open ? now.set.epoch + 1 : now.set.epoch;
    if (next.is_open ? next.set.epoch < now.set.epoch : next.set.epoch != epoch)
        return -ESTALE;
    if (!next.is_open && now.is_open && now.set.count > 0 &&
        !px_fence_sizes(now.set.count, next.set.count))
        return -EINVAL;
    ns_tx_put_out(tx, &key, ns_members_encode(&next, &tx->out));
    return 0;
}
