/* store/content.h -- which attributes are content: prompts, answers, bodies, tool
 * input and output. They live in files of their own with their own retention.
 *
 * Threads:  any.
 */
#pragma once
#include "model/rows.h"

bool is_content(enum table table, enum place place, struct str name);
