/* logql/level.h -- the level of a log record, as `detected_level` shows it.
 *
 * Threads: any; plain functions.
 */
#pragma once
#include "base/str.h"

enum level {
    LEVEL_NONE, LEVEL_TRACE, LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARN, LEVEL_ERROR, LEVEL_CRITICAL, LEVEL_FATAL,
    LEVEL_UNKNOWN, LEVEL_COUNT,
};

struct str level_name(enum level l);
/* "WARNING", "err", ...: LEVEL_NONE when it is no level's name. */
enum level level_of_text(struct str s);
/* OpenTelemetry's severity number, 1 to 24. */
enum level level_of_severity(int64_t number);
/* What a Claude Code event says by its name; LEVEL_NONE: nothing in particular. */
enum level level_of_event(struct str event, struct str decision);
/* A level=... or "level":"..." in the line, else a telling word. */
enum level level_of_line(struct str line);
/* Is the label one of the usual names of a level field? */
bool is_level_label(struct str label);
