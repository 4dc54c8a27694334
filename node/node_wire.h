/* node_wire: the words that a storage node and its clients share beside the texts of frag_text.h:
 * paths, header names, and which HTTP status stands for which result.
 *
 *   GET, HEAD, PUT, DELETE  /chunk/{key}
 *   GET                     /list?after={key}&max={1 .. NODE_LIST_MAX}: one key per line, fewer
 *                           than max lines are the end
 *
 * Pure. Threads: any. */
#ifndef VS_NODE_NODE_WIRE_H
#define VS_NODE_NODE_WIRE_H

#define NODE_CHUNK_PATH   "/chunk/"
#define NODE_LIST_PATH    "/list"
#define NODE_HEALTH_PATH  "/health"
#define NODE_PING_PATH    "/ping"
#define NODE_METRICS_PATH "/metrics"
#define NODE_LIST_MAX     1024u /* keys of one page */

#define NODE_HEADER_SHA256    "X-Vstack-SHA256"       /* of the payload, 64 hex digits */
#define NODE_HEADER_RECORD    "X-Vstack-Record"       /* the note */
#define NODE_HEADER_TABLE     "X-Vstack-CRC32C"       /* the whole CRC table; absent: no blocks */
#define NODE_HEADER_TABLE_CRC "X-Vstack-Table-CRC32C" /* frag_table_crc(), 8 hex digits */
#define NODE_HEADER_ERROR     "X-Vstack-Error"        /* one word beside an error status */
#define NODE_HEADER_NODE      "X-Vstack-Node"         /* which node the request is meant for */
#define NODE_HEADER_STORE     "X-Vstack-Store"        /* ... and which store: its uuid in hex */

/* HTTP status and word for a result of the chunk store (0 or positive: 200, ""). */
unsigned node_http_status(int err);
const char *node_error_word(int err);
/* The way back. `word` is the answer's NODE_HEADER_ERROR, "" or NULL without one. What no node
 * says so (a 404 without the word, a 500 without reason) is -VS_EDOWN: nothing is known. 2xx is 0.
 */
int node_error_from_http(unsigned http_status, const char *word);

#endif
