/* base/log.h -- lines to standard error: `time level msg`. Library rooms do not
 * log; the caller that stops passing an error on does, once.
 *
 * Threads:  any.
 */
#pragma once
#include "base/base.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level min);
void log_line(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
/* At most one line per `cause` and minute; the next one says how many were left out. */
void log_limited(enum log_level level, const char *cause, const char *fmt, ...) PRINTF(3, 4);
