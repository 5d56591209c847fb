/* ledger/settled.h -- the settled figures as series: a source in front of a source.
 *
 * What it is asked of samples it answers with the stored series and, where the matchers let
 * ccmon_* names through, with series made while reading (accounting rule 6): of a session that
 * has any event of a figure, the events tell it; else its metrics do, OTLP before scraped
 * before remote-written. Nothing is stored, so nothing can disagree.
 *
 *   events    each row adds its number at its time: increments of delta temporality
 *   metrics   the stored runs, with the settled name and labels; their own temporality stays
 *
 * Everything else goes through to the source behind it.
 *
 * Owner:    settled_new() gives one, settled_free() ends it; the source behind outlives it.
 * Threads:  as any source; one lock, under which nothing is read.
 */
#pragma once
#include "ledger/prices.h"
#include "model/source.h"

struct settled;

struct settled *settled_new(struct source *behind, const struct prices *prices);
void settled_free(struct settled *s);              /* NULL is fine */
struct source *settled_source(struct settled *s);
