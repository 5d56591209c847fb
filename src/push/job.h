/* push/job.h -- one request between decoding and the answer; inside the room.
 *
 * Owner:    push_begin() makes it in the request's arena; push_end() gives back what it
 *           holds and comes before the reply, which ends the request.
 * Threads:  the handler's, then the writer's.
 */
#pragma once
#include "push/push.h"
#include "push/redact.h"

struct push_job {
    struct http_req *req;
    struct push_receiver *rx;
    struct arena mem;                              /* of the batch */
    struct buf body;                               /* unpacked; rows borrow from it */
    struct batch batch;
    struct push_result result;
    struct redact redact;                          /* of a request of which not all is kept; its buffer is the frame */
    struct write_req write;
    void (*answer)(struct push_job *j, enum err e, const struct fault *f);   /* must end the job and reply */
};

struct push_job *push_begin(struct http_req *r);
void push_end(struct push_job *j);
/* Undoes snappy into the job's body. */
MUST enum err push_unpack(struct push_job *j, struct str packed, struct str *ret, struct fault *f);
/* Applies the rules in force, if there are any: *body and *kind become those of what is kept. */
MUST enum err push_redact(struct push_job *j, enum frame_kind *kind, struct str *body, struct fault *f);
/* The batch to the sink; `answer` is called when it is durable, or at once if it holds nothing. */
void push_store(struct push_job *j, enum frame_kind kind, uint32_t epoch, struct str frame);

/* Whole seconds of retention, as a frame keeps it; and before when nothing is taken then. */
uint32_t push_epoch(const struct push_receiver *rx);
int64_t push_oldest_ns(uint32_t epoch, int64_t recv_ns);

void push_hint(struct push_receiver *rx, const char *cause, const char *text);
/* A reply of one text with a line feed, as Go's http.Error makes it. */
void push_reply(struct http_req *r, int status, struct str text);
/* What failed as a whole: 400, 413 or 503, by the kind of error; also told to the log. */
void push_fail(struct http_req *r, enum err e, struct str what, struct str why);
