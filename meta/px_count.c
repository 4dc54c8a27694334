/* Messages between replicas, counted; see the header.
 *
 * Happy path: one counter per kind and direction. Failure modes: none; what is no frame is not
 * counted. */
#include "meta/px_count.h"

#include <stdio.h>

static const char *const kind_text[PX_COUNT_KINDS] = {
    [PX_FRAME_ASKS] = "asks", [PX_FRAME_ANSWERS] = "answers",   [PX_FRAME_JOURNAL] = "journal",
    [PX_FRAME_MOVE] = "move", [PX_COUNT_QUESTION] = "question", [PX_COUNT_REPLY] = "reply",
};
static const char *const way_text[PX_COUNT_WAYS] = {
    [PX_COUNT_OUT] = "out", [PX_COUNT_IN] = "in", [PX_COUNT_OWN] = "own"
};

void px_count_one(struct px_count *c, enum px_count_way way, unsigned kind, size_t bytes)
{
    if (kind == 0 || kind >= PX_COUNT_KINDS)
        return;
    vs_counter_add(&c->messages[kind][way], 1);
    vs_counter_add(&c->bytes[kind][way], bytes);
}

void px_count_frames(struct px_count *c, enum px_count_way way, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    int frame;

    while ((frame = px_frame_length(at, len)) > 0 && (size_t)frame <= len) {
        px_count_one(c, way, px_frame_kind(at), (size_t)frame);
        at += frame;
        len -= (size_t)frame;
    }
}

/* Only a coordinator's frames have their own replica's acceptor to go to. */
static bool goes(unsigned kind, unsigned way)
{
    return way != PX_COUNT_OWN || kind == PX_FRAME_ASKS || kind == PX_FRAME_ANSWERS;
}

static void table(struct vs_metrics_text *t, const char *name, const char *help,
                  struct vs_counter of[PX_COUNT_KINDS][PX_COUNT_WAYS])
{
    char labels[64];

    vs_metrics_family(t, name, "counter", help);
    for (unsigned k = 1; k < PX_COUNT_KINDS; k++) {
        for (unsigned w = 0; w < PX_COUNT_WAYS; w++) {
            if (!goes(k, w))
                continue;
            snprintf(labels, sizeof(labels), "kind=\"%s\",way=\"%s\"", kind_text[k], way_text[w]);
            vs_metrics_u64(t, name, labels, vs_counter_get(&of[k][w]));
        }
    }
}

void px_count_text(struct px_count *c, struct vs_metrics_text *t)
{
    char labels[64];

    table(t, "vstack_px_messages_total",
          "Messages to and from other replicas, and within this one.", c->messages);
    table(t, "vstack_px_bytes_total", "Bytes of these messages.", c->bytes);
    vs_metrics_family(t, "vstack_px_requests_total", "counter",
                      "HTTP requests that carried them; one may carry several.");
    for (unsigned w = 0; w < PX_COUNT_OWN; w++) {
        snprintf(labels, sizeof(labels), "way=\"%s\"", way_text[w]);
        vs_metrics_u64(t, "vstack_px_requests_total", labels, vs_counter_get(&c->requests[w]));
    }
    vs_metrics_family(t, "vstack_px_lost_total", "counter",
                      "Messages told to another replica that were lost here.");
    vs_metrics_u64(t, "vstack_px_lost_total", "why=\"full\"", vs_counter_get(&c->dropped));
    vs_metrics_u64(t, "vstack_px_lost_total", "why=\"failed\"", vs_counter_get(&c->failed));
    vs_metrics_one(t, "vstack_px_refused_total", "counter",
                   "Requests to this replica that no other replica of its cluster can have sent.",
                   vs_counter_get(&c->refused));
}
