/* api/prom_meta.h -- handlers of prometheus_meta.c, prom_*.c and targets.c for the table in prometheus.c. */
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
void prom_format_query(struct http_req *r);         /* prom_ast.c */
void prom_parse_query(struct http_req *r);
void prom_fixed(struct http_req *r);                /* prom_status.c: answers that hold nothing */
void prom_federate(struct http_req *r);              /* prom_federate.c */
void prom_read(struct http_req *r);                  /* prom_read.c */
void prom_exemplars(struct http_req *r);
void prom_runtimeinfo(struct http_req *r);
void prom_flags(struct http_req *r);
void prom_admin(struct http_req *r);
void prom_buildinfo(struct http_req *r);
void prom_healthy(struct http_req *r);
void prom_ready(struct http_req *r);
