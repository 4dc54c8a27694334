/* What an HTTP server says of itself in a Prometheus text. Failure modes: those of the text. */
#include "common/http_server.h"
#include "common/metrics.h"

void http_server_metrics(struct http_server *http, struct vs_metrics_text *t)
{
    struct http_server_stats s;

    http_server_stats(http, &s);
    vs_metrics_one(t, "vstack_http_connections", "gauge", "Connections open.", s.connections);
    vs_metrics_one(t, "vstack_http_connections_accepted_total", "counter", "Connections accepted.",
                   s.accepted);
    vs_metrics_one(t, "vstack_http_connections_refused_total", "counter",
                   "Connections above the limit.", s.refused);
    vs_metrics_one(t, "vstack_http_timeouts_total", "counter",
                   "Connections cut off for being slow.", s.timeouts);
    vs_metrics_one(t, "vstack_http_requests_total", "counter", "Requests begun.", s.requests);
    vs_metrics_one(t, "vstack_http_requests_in_flight", "gauge", "Requests being worked on.",
                   s.in_flight);
    vs_metrics_one(t, "vstack_http_body_memory_bytes", "gauge", "Memory lent to bodies.",
                   s.body_memory_bytes);
    vs_metrics_one(t, "vstack_http_body_memory_spare_bytes", "gauge",
                   "Memory kept warm for bodies.", s.body_memory_spare);
    vs_metrics_one(t, "vstack_http_body_memory_refused_total", "counter",
                   "Requests refused because other bodies held all memory.", s.out_of_memory);
}
