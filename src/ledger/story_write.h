/* ledger/story_write.h -- a story as JSON, for pages and for export.
 *
 *   the whole     lists of prompts, requests, tools, agents and marks; `lanes` are the timeline,
 *                 whose bars name them by their place in these lists (story_lanes.c)
 *   one prompt    the same records as a tree (story_tree.c)
 *
 * Threads:  any.   Errors: sticky in the writer's buffer.
 */
#pragma once
#include "base/jw.h"
#include "ledger/story.h"

void story_write(const struct story *st, struct jw *w);
/* st->prompts[prompt]. */
void story_write_prompt(const struct story *st, uint32_t prompt, struct arena *mem, struct jw *w);

/* Keys of one record, inside an object that the caller opened. */
void story_put_prompt(struct jw *w, const struct prompt *p);
void story_put_request(struct jw *w, const struct request *q);
void story_put_tool(struct jw *w, const struct tool_call *c);
void story_put_agent(struct jw *w, const struct agent *a);
void story_put_mark(struct jw *w, const struct mark *m);
void story_put_lanes(struct jw *w, const struct story *st);
