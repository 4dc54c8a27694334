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
    "  --peers ID=URL,...      the replicas: with this one 1, 3 or 5\n"
    "  --cluster UUID          whose metadata it is, 32 hex digits; that of another is refused.\n"
    "                          The same for all replicas (a uuid of version 7 is best)\n"
    "  --replace N             take the place of replica N, which is lost for ever, with an id "
    "that\n"
    "                          was never used and an empty directory; --peers names the others\n"
    "                          and this one. Said again at later starts, it does nothing\n"
    "  --new                   one of several replicas that is made right now: its empty "
    "directory\n"
    "                          becomes new metadata. Only for the first start: a replica that "
    "lost\n"
    "                          its disk would forget what it promised (see --replace)\n"
    "  --existing              the metadata is there already: an empty directory (a disk that is\n"
    "                          not mounted) is refused instead of made new metadata\n"
    "  --connections N         at most so many: 16 to 60000 (default 12000)\n"
    "  --timeout S             seconds that a client has for headers and between two pieces of a\n"
    "                          body: 1 to 3600 (default 10)\n"
    "  --drain S               seconds that clients have at the end: 0 to 3600 (default 10)\n"
    "  --session-idle S        an upload whose mount gave no sign of life for so many seconds is\n"
    "                          given up (default 3600; mounts give one each 300)\n"
    "  --insecure-lan          listen where other machines can reach it, without encryption\n"
    "  --help                  this text\n"
    "\n"
    "Ready: one line on standard output, \"vstack-meta N ready on HOST:PORT\". SIGTERM ends it\n"
    "politely.\n";

/* One ID=URL of so many characters. -EINVAL: it is none. */
static int peer_parse(const char *p, size_t len, struct meta_peer *ret)
{
    size_t digits = strspn(p, "0123456789"), url = len - digits - 1;
    char id[8];
    uint64_t n;

    snprintf(id, sizeof(id), "%.*s", (int)(digits < 7 ? digits : 7), p);
    if (vs_conf_number(id, 1, UINT16_MAX, &n) < 0 || p[digits] != '=' ||
        strncmp(p + digits + 1, "http://", 7) != 0 || len <= digits + 8 || url >= sizeof(ret->url))
        return -EINVAL;
    ret->id = (uint16_t)n;
    snprintf(ret->url, sizeof(ret->url), "%.*s", (int)url, p + digits + 1);
    return 0;
}

static bool peer_is_there(const struct meta_options *o, uint16_t id)
{
    for (unsigned i = 0; i < o->peer_count; i++)
        if (o->peer[i].id == id)
            return true;
    return false;
}

/* ID=URL,ID=URL: the others. -EINVAL: `why` is a sentence. */
static int peers_parse(struct meta_options *o, char *why)
{
    struct meta_peer peer;
    bool ours = false;
    unsigned named = 0;

    for (const char *p = o->peers; *p != '\0';) {
        size_t len = strcspn(p, ",");

        if (peer_parse(p, len, &peer) < 0) {
            snprintf(why, CONF_WHY_BYTES,
                     "--peers is ID=URL,... with addresses like 1=http://127.0.0.1:7101; '%.60s' "
                     "is not",
                     o->peers);
            return -EINVAL;
        }
        if ((peer.id == o->id && ours) || peer_is_there(o, peer.id)) {
            snprintf(why, CONF_WHY_BYTES, "--peers '%.60s' names replica %u twice", o->peers,
                     (unsigned)peer.id);
            return -EINVAL;
        }
        ours = ours || peer.id == o->id;
        if (peer.id == o->id)
            snprintf(o->url, sizeof(o->url), "%s", peer.url);
        if (peer.id != o->id && named++ < META_REPLICAS_MAX - 1)
            o->peer[o->peer_count++] = peer;
        p += len + (p[len] == ',');
    }
    if (named > 0 && o->cluster[0] == '\0') {
        snprintf(why, CONF_WHY_BYTES,
                 "one of several replicas is told whose it is: give --cluster UUID, the same for "
                 "all of them");
        return -EINVAL;
    }
    if (o->replace != 0 && (o->url[0] == '\0' || o->peer_count < 2 || o->replace == o->id ||
                            peer_is_there(o, (uint16_t)o->replace))) {
        snprintf(why, CONF_WHY_BYTES,
                 "--replace %u: --peers names the replicas that stay and this one, %u, with their "
                 "addresses, and not the lost one; this one has an id of its own",
                 (unsigned)o->replace, (unsigned)o->id);
        return -EINVAL;
    }
    if (named == 0 || named == 2 || named == 4)
        return 0;
    snprintf(why, CONF_WHY_BYTES,
             "--peers and replica %u itself are %u replicas; a cluster has 1, 3 or 5 (an even "
             "number survives no more failures than one less)",
             (unsigned)o->id, named + 1);
    return -EINVAL;
}

int meta_options_parse(struct meta_options *o, int argc, char **argv, char why[CONF_WHY_BYTES])
{
    const struct conf_flag flags[] = {
        { "--id", CONF_NUMBER, &o->id, 1, UINT16_MAX, NULL, true },
        { "--listen", CONF_TEXT, &o->listen, 0, 0, NULL, true },
        { "--data", CONF_TEXT, &o->data, 0, 0, NULL, true },
        { "--peers", CONF_TEXT, &o->peers, 0, 0, NULL, false },
        { "--cluster", CONF_UUID, &o->cluster, 0, 0, NULL, false },
        { "--replace", CONF_NUMBER, &o->replace, 1, UINT16_MAX, NULL, false },
        { "--new", CONF_SWITCH, &o->is_new, 0, 0, NULL, false },
        { "--existing", CONF_SWITCH, &o->existing, 0, 0, NULL, false },
        { "--connections", CONF_NUMBER, &o->connections_max, 16, HTTP_CONNECTIONS_MAX, NULL,
          false },
        { "--timeout", CONF_NUMBER, &o->timeout_s, 1, 3600, "seconds", false },
        { "--drain", CONF_NUMBER, &o->drain_s, 0, 3600, "seconds", false },
        { "--session-idle", CONF_NUMBER, &o->session_idle_s, 1, 2592000, "seconds", false },
        { "--insecure-lan", CONF_SWITCH, &o->insecure_lan, 0, 0, NULL, false },
    };

    *o = (struct meta_options){ .cluster = "",
                                .peers = "",
                                .timeout_s = 10,
                                .drain_s = 10,
                                .session_idle_s = 3600,
                                .connections_max = HTTP_CONNECTIONS_DEFAULT };
    for (int i = 0; i < argc; i++)
        o->help = o->help || strcmp(argv[i], "--help") == 0;
    if (o->help)
        return 0;
    if (vs_conf_flags(flags, sizeof(flags) / sizeof(flags[0]), argc, argv, why) < 0)
        return -EINVAL;
    return peers_parse(o, why);
}
