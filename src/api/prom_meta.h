/* api/prom_meta.h -- handlers of prometheus_meta.c and targets.c for the table in prometheus.c. */
#pragma once
#include "api/api.h"

void prom_labels(struct http_req *r);
void prom_label_values(struct http_req *r);
void prom_series(struct http_req *r);
void prom_metadata(struct http_req *r);
void prom_targets(struct http_req *r);
void prom_targets_metadata(struct http_req *r);
void prom_scrape_pools(struct http_req *r);
void ccmon_targets(struct http_req *r);
void ccmon_scrape(struct http_req *r);
/* counter, gauge, ... */
struct str prom_meta_type(enum metric_type t);
void prom_buildinfo(struct http_req *r);
void prom_healthy(struct http_req *r);
void prom_ready(struct http_req *r);
