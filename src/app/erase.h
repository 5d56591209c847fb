/* app/erase.h -- erasing a session or a person, over HTTP and for the command line.
 *
 * Threads:  any.
 */
#pragma once
#include "http/http.h"
#include "privacy/privacy.h"
#include "store/erase.h"
#include "store/erased.h"

extern const struct http_route routes_erase[];     /* r->arg is struct app */

/* The texts to erase as they may stand: as they are given, and as the privacy rules in force
 * keep them. */
uint32_t app_erase_forms(const struct privacy *p, enum erased_kind kind, const struct str *given, uint32_t n, struct arena *mem,
                         struct str **ret);
