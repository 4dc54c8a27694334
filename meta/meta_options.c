/* The command line of a metadata replica.
 *
 * Happy path: a table of flags with ranges and units. Failure modes: a sentence that names the
 * flag. */
#include "meta/meta_options.h"

#include "common/err.h"
#include "common/http_server.h"
#include "common/id.h"

#include <stdio.h>
#include <string.h>

const char meta_options_help[] =
    "usage: vstack-meta --id N --listen HOST:PORT --data DIR [OPTIONS]\n"
    "\n"
    "The metadata of a cluster: names, attributes, and where every chunk is, over HTTP.\n"
    "\n"
    "  --id N                  number of this replica: 1 to 65535\n"
    "  --listen HOST:PORT      where to listen; port 0: any free one, printed when ready\n"
    "  --data DIR              its directory; an empty one becomes new metadata\n"
    "  --peers ID=URL,...      all replicas, this one too; only one can run so far\n"
    "  --cluster UUID          whose metadata it is, 32 hex digits; that of another is refused\n"
    "  --existing              the metadata is there already: an empty directory (a disk that is\n"
    "                          not mounted) is refused instead of made new metadata\n"
    "  --connections N         at most so many: 16 to 60000 (default 12000)\n"
    "  --timeout S             seconds that a client has for headers and between two pieces of a\n"
    "                          body: 1 to 3600 (default 10)\n"
    "  --drain S               seconds that clients have at the end: 0 to 3600 (default 10)\n"
    "  --insecure-lan          listen where other machines can reach it, without encryption\n"
    "  --help                  this text\n"
    "\n"
    "Ready: one line on standard output, \"vstack-meta N ready on HOST:PORT\". SIGTERM ends it\n"
    "politely.\n";

/* ID=URL,ID=URL: how many, each with its number and an address. -EINVAL: `why` is a sentence. */
static int peers_check(const struct meta_options *o, char *why)
{
    const char *p = o->peers;
    unsigned count = 0;
    bool ours = false;

    while (*p != '\0') {
        size_t len = strcspn(p, ","), digits = strspn(p, "0123456789");
        char id[8];
        uint64_t n;

        snprintf(id, sizeof(id), "%.*s", (int)(digits < 7 ? digits : 7), p);
        if (vs_conf_number(id, 1, UINT16_MAX, &n) < 0 || p[digits] != '=' ||
            strncmp(p + digits + 1, "http://", 7) != 0 || len <= digits + 8) {
            snprintf(why, CONF_WHY_BYTES,
                     "--peers is ID=URL,... with addresses like 1=http://127.0.0.1:7101; '%.60s' "
                     "is not",
                     o->peers);
            return -EINVAL;
        }
        ours = ours || n == o->id;
        count++;
        p += len + (p[len] == ',');
    }
    if (count > 1) {
        snprintf(why, CONF_WHY_BYTES,
                 "--peers names %u replicas, and only one can run so far; start it with --peers "
                 "of itself alone, or without",
                 count);
        return -EINVAL;
    }
    if (count == 1 && !ours) {
        snprintf(why, CONF_WHY_BYTES, "--peers '%.60s' does not name this replica, %u", o->peers,
                 (unsigned)o->id);
        return -EINVAL;
    }
    return 0;
}

int meta_options_parse(struct meta_options *o, int argc, char **argv, char why[CONF_WHY_BYTES])
{
    const struct conf_flag flags[] = {
        { "--id", CONF_NUMBER, &o->id, 1, UINT16_MAX, NULL, true },
        { "--listen", CONF_TEXT, &o->listen, 0, 0, NULL, true },
        { "--data", CONF_TEXT, &o->data, 0, 0, NULL, true },
        { "--peers", CONF_TEXT, &o->peers, 0, 0, NULL, false },
        { "--cluster", CONF_TEXT, &o->cluster, 0, 0, NULL, false },
        { "--existing", CONF_SWITCH, &o->existing, 0, 0, NULL, false },
        { "--connections", CONF_NUMBER, &o->connections_max, 16, HTTP_CONNECTIONS_MAX, NULL,
          false },
        { "--timeout", CONF_NUMBER, &o->timeout_s, 1, 3600, "seconds", false },
        { "--drain", CONF_NUMBER, &o->drain_s, 0, 3600, "seconds", false },
        { "--insecure-lan", CONF_SWITCH, &o->insecure_lan, 0, 0, NULL, false },
    };
    struct vs_id cluster;

    *o = (struct meta_options){ .cluster = "",
                                .peers = "",
                                .timeout_s = 10,
                                .drain_s = 10,
                                .connections_max = HTTP_CONNECTIONS_DEFAULT };
    for (int i = 0; i < argc; i++)
        o->help = o->help || strcmp(argv[i], "--help") == 0;
    if (o->help)
        return 0;
    if (vs_conf_flags(flags, sizeof(flags) / sizeof(flags[0]), argc, argv, why) < 0)
        return -EINVAL;
    if (o->cluster[0] != '\0' &&
        (vs_id_from_text(o->cluster, &cluster) < 0 || vs_id_is_zero(&cluster))) {
        snprintf(why, CONF_WHY_BYTES, "--cluster is a uuid of 32 hex digits; '%.60s' is not",
                 o->cluster);
        return -EINVAL;
    }
    return peers_check(o, why);
}
