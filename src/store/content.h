/* store/content.h -- which attributes are content: prompts, answers, bodies, tool
 * input and output. They live in files of their own with their own retention.
 *
 * Threads:  any.
 */
#pragma once
#include "model/rows.h"

bool is_content(enum table table, enum place place, struct str name);
/* Is this value of such an attribute anything to protect? Not what the client redacted
 * itself, nor a span's events without tool output. A column of nothing else is an
 * ordinary one. */
bool is_content_value(enum place place, const struct value *v);
