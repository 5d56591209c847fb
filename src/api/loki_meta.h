/* api/loki_meta.h -- handlers of loki_labels.c, loki_fields.c and loki_status.c for the
 * table in loki.c. */
#pragma once
#include "api/api.h"

void loki_labels(struct http_req *r);
void loki_label_values(struct http_req *r);
void loki_series(struct http_req *r);
void loki_index_stats(struct http_req *r);
void loki_volume(struct http_req *r);
void loki_volume_range(struct http_req *r);
void loki_detected_labels(struct http_req *r);
void loki_detected_fields(struct http_req *r);
void loki_detected_values(struct http_req *r);
void loki_ready(struct http_req *r);
void loki_buildinfo(struct http_req *r);
void loki_drilldown_limits(struct http_req *r);
