/* model/names.h -- names as Prometheus spells them (accounting rule 7).
 *
 * Follows the OpenTelemetry-to-Prometheus naming of Prometheus's own OTLP
 * receiver, underscores with suffixes: "claude_code.cost.usage", USD, monotonic
 * -> "claude_code_cost_usage_USD_total"; "session.id" -> "session_id".
 */
#pragma once
#include "model/rows.h"

struct str label_name(struct str attribute, struct arena *mem);     /* returns the input itself if it is fine already */
bool label_name_is(struct str attribute, struct str label);         /* label_name(attribute) == label, no memory */
struct str metric_name(struct str name, struct str unit, enum metric_type type, struct arena *mem);
/* Claude Code's own exporter leaves units out: "claude_code_cost_usage_total" ->
 * "claude_code_cost_usage_USD_total"; a name that is no such spelling is returned as it is. */
struct str metric_canonical(struct str name);
/* The exporter's spelling of a canonical name, or the name itself. */
struct str metric_alias(struct str canonical);
/* Series whose unit is money are summed in integer nano-dollars (rule 9). */
bool metric_is_money(struct str name);
/* Loki's default index list: resource attributes that become stream labels. */
bool is_stream_attribute(struct str attribute);
