/* otlp/sniff.h -- which signal a body is, where the path does not say.
 *
 * Threads:  any.
 * False:    the content is none of the three, or malformed up to the first items.
 * An empty request, which is valid as any of them, is taken for logs.
 */
#pragma once
#include "otlp/decode.h"

MUST bool otlp_sniff_protobuf(struct str body, enum otlp_signal *ret);
MUST bool otlp_sniff_json(struct str body, struct arena scratch, enum otlp_signal *ret);
