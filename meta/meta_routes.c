/* The routes of a metadata replica (docs/API.md). */
#include "meta/meta_server.h"

#include "meta/meta_wire.h"

const struct http_route meta_routes[] = {
    { "/ping", HTTP_GET | HTTP_HEAD, true, 0, NULL, NULL, meta_ping_run, NULL },
    { "/health", HTTP_GET | HTTP_HEAD, true, 0, NULL, NULL, meta_health_run, NULL },
    { "/metrics", HTTP_GET | HTTP_HEAD, true, 0, NULL, NULL, meta_metrics_run, NULL },
    { META_PATH, HTTP_POST, false, META_WIRE_BYTES_MAX, NULL, NULL, meta_serve_run,
      meta_serve_end },
    { PX_HTTP_PATH, HTTP_POST, false, PX_POST_BYTES_MAX, NULL, NULL, meta_px_run, px_serve_end },
    { PX_HTTP_TELL_PATH, HTTP_POST, true, PX_SERVE_TELL_BYTES_MAX, NULL, NULL, meta_px_tell_run,
      px_serve_end },
    { "/stats", HTTP_GET, false, 0, NULL, NULL, meta_stats_run, NULL },
    { "/videos", HTTP_GET, false, 0, NULL, NULL, meta_videos_run, NULL },
    { "/manifest/", HTTP_GET, false, 0, NULL, NULL, meta_manifest_run, NULL },
    { "/consensus/", HTTP_GET, false, 0, NULL, NULL, meta_consensus_run, NULL },
    { "/nodes/register", HTTP_POST, false, META_SERVER_BODY_MAX, NULL, NULL, meta_node_register_run,
      NULL },
    { "/nodes/", HTTP_POST, false, META_SERVER_BODY_MAX, NULL, NULL, meta_node_post_run, NULL },
    { "/nodes/", HTTP_GET, false, 0, NULL, NULL, meta_nodes_run, NULL },
    { "/video/", HTTP_GET, false, 0, NULL, NULL, meta_popularity_run, NULL },
    { "/video/", HTTP_POST, false, META_SERVER_BODY_MAX, NULL, NULL, meta_view_run, NULL },
    { "/chunk/", HTTP_GET, false, 0, NULL, NULL, meta_chunk_run, NULL },
    { "/chunk/", HTTP_POST, false, META_SERVER_BODY_MAX, NULL, NULL, meta_commit_run, NULL },
    { "/changes", HTTP_GET, false, 0, NULL, NULL, meta_changes_run, meta_changes_end },
};
const unsigned meta_routes_count = sizeof(meta_routes) / sizeof(meta_routes[0]);
