/* The command line of a storage node.
 *
 * Happy path: a table of flags with ranges and units. Failure modes: a sentence that names the
 * flag. */
#include "node/node_options.h"

#include "common/cluster_json.h"
#include "common/err.h"
#include "common/http_server.h"
#include "common/id.h"
#include "node/node.h"
#include "node/sb_store.h"

#include <stdio.h>
#include <string.h>

const char node_options_help[] =
    "usage: vstack-node --id NAME --listen HOST:PORT --data DIR [OPTIONS]\n"
    "\n"
    "One storage node: keeps fragments on one disk and serves them over HTTP.\n"
    "\n"
    "  --id NAME               the node's name: letters, digits, '.', '_', '-'\n"
    "  --listen HOST:PORT      where to listen; port 0: any free one, printed when ready\n"
    "  --data DIR              its directory; an empty one becomes a new store\n"
    "  --domain HOST/RACK      what fails together with it (default: nothing said)\n"
    "  --cluster UUID          whose store it is, 32 hex digits; that of another is refused\n"
    "  --existing              the store is there already: an empty directory (a disk that is not\n"
    "                          mounted, a new one) is refused instead of made a store\n"
    "  --metas URL,...         replicas of its cluster's metadata, where it registers and sends a\n"
    "                          heartbeat each second (default: nobody is told of it)\n"
    "  --url URL               where others reach it, for them (default: by --listen)\n"
    "  --superblock-size N     size of its files: 64M to 1G (default: by the size of the disk)\n"
    "  --reserve PCT           percent of the disk that it leaves free: 0 to 50 (default 5)\n"
    "  --scrub-rate N          bytes per second it reads to find rot: 0 to 1G (default 20M)\n"
    "  --connections N         at most so many: 16 to 60000 (default 12000)\n"
    "  --body-memory N         for bodies on their way: 16M to 1T (default 256M)\n"
    "  --timeout S             seconds that a client has for headers, between two pieces of a\n"
    "                          body, and for a body or an answer beside 1 s per 256 KiB:\n"
    "                          1 to 3600 (default 10)\n"
    "  --drain S               seconds that clients have at the end: 0 to 3600 (default 10)\n"
    "  --insecure-lan          listen where other machines can reach it, without encryption\n"
    "  --help                  this text\n"
    "\n"
    "Sizes: bytes, or with K, M, G, T (times 1024). Ready: one line on standard output,\n"
    "\"vstack-node NAME ready on HOST:PORT\". SIGTERM ends it politely.\n";

static bool word_ok(const char *text, size_t bytes_max, const char *more)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t n = strlen(text);

    if (n == 0 || n > bytes_max)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strchr(letters, text[i]) == NULL && strchr(more, text[i]) == NULL)
            return false;
    return true;
}

/* Where it registers, and under which address. */
static int metas_check(struct node_options *o, char *why)
{
    char url[NODE_METAS_URL_BYTES];
    int count = node_metas_parse(o->metas, o->insecure_lan, o->meta_urls, why, CONF_WHY_BYTES);

    if (count < 0)
        return count;
    o->metas_count = (unsigned)count;
    if (o->url[0] != '\0' &&
        (cluster_url_port(o->url) == 0 || strlen(o->url) >= NODE_METAS_URL_BYTES)) {
        snprintf(why, CONF_WHY_BYTES, "--url is http://HOST:PORT; '%.60s' is not", o->url);
        return -EINVAL;
    }
    if (count > 0 && o->url[0] == '\0' && node_metas_own_url(o->listen, 1, url) < 0) {
        snprintf(why, CONF_WHY_BYTES,
                 "--listen %.60s is every address of this machine; say with --url "
                 "http://HOST:PORT at which one others reach this node",
                 o->listen);
        return -EINVAL;
    }
    if (count > 0 && strlen(o->domain) > NODE_METAS_DOMAIN_BYTES_MAX) {
        snprintf(why, CONF_WHY_BYTES, "--domain has at most %d bytes where --metas is given",
                 NODE_METAS_DOMAIN_BYTES_MAX);
        return -EINVAL;
    }
    return 0;
}

int node_options_parse(struct node_options *o, int argc, char **argv, char why[CONF_WHY_BYTES])
{
    const struct conf_flag flags[] = {
        { "--id", CONF_TEXT, &o->id, 0, 0, NULL, true },
        { "--listen", CONF_TEXT, &o->listen, 0, 0, NULL, true },
        { "--data", CONF_TEXT, &o->data, 0, 0, NULL, true },
        { "--domain", CONF_TEXT, &o->domain, 0, 0, NULL, false },
        { "--cluster", CONF_UUID, &o->cluster, 0, 0, NULL, false },
        { "--existing", CONF_SWITCH, &o->existing, 0, 0, NULL, false },
        { "--metas", CONF_TEXT, &o->metas, 0, 0, NULL, false },
        { "--url", CONF_TEXT, &o->url, 0, 0, NULL, false },
        { "--superblock-size", CONF_SIZE, &o->superblock_bytes, SB_FILE_BYTES_MIN,
          SB_FILE_BYTES_MAX, "bytes", false },
        { "--reserve", CONF_NUMBER, &o->reserve_percent, 0, 50, "percent", false },
        { "--scrub-rate", CONF_SIZE, &o->scrub_bytes_s, 0, 1 << 30, "bytes per second", false },
        { "--connections", CONF_NUMBER, &o->connections_max, 16, HTTP_CONNECTIONS_MAX, NULL,
          false },
        { "--body-memory", CONF_SIZE, &o->body_memory_bytes, FRAG_BYTES_MAX, 1ull << 40, "bytes",
          false },
        { "--timeout", CONF_NUMBER, &o->timeout_s, 1, 3600, "seconds", false },
        { "--drain", CONF_NUMBER, &o->drain_s, 0, 3600, "seconds", false },
        { "--insecure-lan", CONF_SWITCH, &o->insecure_lan, 0, 0, NULL, false },
    };

    *o = (struct node_options){
        .domain = "",
        .cluster = "",
        .metas = "",
        .url = "",
        .reserve_percent = 5,
        .timeout_s = 10,
        .drain_s = 10,
        .connections_max = HTTP_CONNECTIONS_DEFAULT,
        .body_memory_bytes = 256 << 20,
        .scrub_bytes_s = 20 << 20,
    };
    for (int i = 0; i < argc; i++)
        o->help = o->help || strcmp(argv[i], "--help") == 0;
    if (o->help)
        return 0;
    if (vs_conf_flags(flags, sizeof(flags) / sizeof(flags[0]), argc, argv, why) < 0)
        return -EINVAL;
    if (!word_ok(o->id, NODE_NAME_BYTES_MAX, "._-")) {
        snprintf(why, CONF_WHY_BYTES,
                 "--id is a name of 1 to %d letters, digits and '.', '_', '-'; '%.60s' is not",
                 NODE_NAME_BYTES_MAX, o->id);
        return -EINVAL;
    }
    if (o->domain[0] != '\0' && !word_ok(o->domain, NODE_DOMAIN_BYTES_MAX, "._-/")) {
        snprintf(why, CONF_WHY_BYTES,
                 "--domain is HOST/RACK in letters, digits and '.', '_', '-', '/'; '%.60s' is not",
                 o->domain);
        return -EINVAL;
    }
    return metas_check(o, why);
}
