/* base/num.h -- numbers as text, the way Go prints and reads them.
 *
 * Prometheus and Loki print doubles with strconv.FormatFloat(v, 'f', -1, 64):
 * shortest digits that read back to the same double, never an exponent,
 * "NaN", "+Inf", "-Inf". Go's 'g' with shortest digits is num_fmt_g64().
 */
#pragma once
#include "base/str.h"

enum { NUM_F64_MAX = 352 };                        /* bytes that 'f' may need */

size_t num_fmt_f64(char out[NUM_F64_MAX], double v);
/* 'g', -1 and %v of Go: an exponent below 1e-04 and from 1e+06 up ("1e+06"). */
size_t num_fmt_g64(char out[32], double v);
size_t num_fmt_i64(char out[24], int64_t v);

/* Prometheus durations: 1h30m, 5m, 90s, 1d, 1w, 1y, 100ms. ns; overflow is false. */
MUST bool num_duration(struct str s, int64_t *ret_ns);
enum { NUM_DURATION_MAX = 64 };
/* As Prometheus prints them: 1m30s, 1d, 1y where it is whole years; whole milliseconds. */
size_t num_fmt_duration(char out[NUM_DURATION_MAX], int64_t ns);
/* Go's time.ParseDuration: 1.5h, 250ms, 3us, -2m. */
MUST bool num_go_duration(struct str s, int64_t *ret_ns);
/* RFC 3339 with optional fraction and zone -> Unix ns. */
MUST bool num_rfc3339(struct str s, int64_t *ret_ns);
size_t num_fmt_rfc3339(char out[40], int64_t unix_ns);   /* UTC, ns digits trimmed, Z */

/* Days since 1970-01-01 in the proleptic Gregorian calendar; months 1 to 12, years from 1 on. */
int64_t date_days(int64_t y, int64_t m, int64_t d);
void date_of_days(int64_t days, int *ret_y, int *ret_m, int *ret_d);
