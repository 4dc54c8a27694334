/* nodes_rig: see the header. */
#include "tests/support/nodes_rig.h"

#include "common/cluster_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

void nodes_rig_save(struct nodes_rig *r)
{
    char why[CLUSTER_WHY_BYTES];

    assert_int_equal(cluster_file_save(r->path, &r->file, why), 0);
}

static void add_node(struct nodes_rig *r, unsigned i)
{
    struct cluster_member *m = &r->file.nodes[i];
    struct node *node;
    void *s;

    node_rig_setup_mem(&s);
    r->node[i] = s;
    node = &r->node[i]->node;
    snprintf(node->name, sizeof(node->name), "n%u", i + 1);
    node->cluster = r->file.cluster;
    node->uuid.b[0] = (uint8_t)(i + 1);
    snprintf(m->id, sizeof(m->id), "n%u", i + 1);
    snprintf(m->url, sizeof(m->url), "http://127.0.0.1:%u", (unsigned)r->node[i]->port);
}

void nodes_rig_open(struct nodes_rig *r)
{
    void *s;

    *r = (struct nodes_rig){ .file.nodes_count = NODES_RIG_NODES, .file.cluster.b[0] = 7 };
    data_rig_setup(&s);
    r->data = s;
    for (unsigned i = 0; i < NODES_RIG_NODES; i++)
        add_node(r, i);
    snprintf(r->path, sizeof(r->path), "%s", data_rig_path(r->data, "cluster.json"));
    r->data->fs.opt.cluster_file = r->path;
    nodes_rig_save(r);
}

void nodes_rig_end(struct nodes_rig *r, unsigned i)
{
    void *s = r->node[i];

    r->node[i] = NULL;
    if (s != NULL)
        node_rig_teardown(&s);
}

void nodes_rig_close(struct nodes_rig *r)
{
    void *s = r->data;

    data_rig_teardown(&s);
    for (unsigned i = 0; i < NODES_RIG_NODES; i++)
        nodes_rig_end(r, i);
}
