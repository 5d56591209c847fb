/* logql/text.h -- texts as Go writes and reads them: quoted strings, sizes, durations.
 *
 * Threads: any.   Owner: results live in the arena, or borrow from the input.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/utf8.h"

/* A quoted token ("..." with Go's escapes, or `...`), quotes included. False: invalid. */
MUST bool text_unquote(struct str quoted, struct arena *mem, struct str *ret);
/* strconv.Quote. */
void text_quote(struct buf *b, struct str s);

/* humanize.ParseBytes: "1.5MiB", "10 kb", "5". */
MUST bool text_bytes(struct str s, uint64_t *ret);
/* humanize.Bytes without its blank: 1500000 -> "1.5MB". */
void text_put_bytes(struct buf *b, uint64_t n);
/* Prometheus's durations (1d, 1h30m), else Go's (1.5h). */
MUST bool text_duration(struct str s, int64_t *ret_ns);
/* time.Duration.Seconds: whole seconds and the fraction, added as Go does. */
double text_seconds(int64_t ns);
/* time.Duration.String: 1h0m0s, 1.5s, 150ms. */
void text_put_duration(struct buf *b, int64_t ns);
/* model.Duration.String: 1h, 90s -> 1m30s, 1d. */
void text_put_range(struct buf *b, int64_t ns);

/* The character at s[*i], which moves on; U+FFFD for a byte that is none. */
uint32_t text_rune(struct str s, size_t *i);
size_t text_rune_count(struct str s);

/* A key as a label name: what it may not keep becomes '_'; digits in front get one. */
struct str text_label_name(struct str key, struct arena *mem);
/* [a-zA-Z_][a-zA-Z0-9_]* */
bool text_is_label_name(struct str s);
