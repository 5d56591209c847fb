/* ledger/model_id.h -- the name of a model without what providers, clients and gateways put around it.
 *
 * anthropic/, a Bedrock ARN, REGION.anthropic., anthropic., [1m], @date, -vN and -vN:N,
 * -latest and -YYYYMMDD fall away; capitals become small, and dots dashes. What remains is
 * compared whole: claude-opus-5 is a prefix of claude-opus-5-5.
 *
 * Threads:  pure; any.
 */
#pragma once
#include "base/str.h"

enum { MODEL_ID_MAX = 128 };                       /* longer names are cut: they are in no price book */

/* Where the name says that a request was served. */
enum model_region { REGION_NONE, REGION_GLOBAL, REGION_GEO, REGION_US_GOV };

struct str model_id(struct str name, char out[MODEL_ID_MAX], enum model_region *ret_region);
