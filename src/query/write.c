/* query/write.c -- vectors and matrices as JSON. */
#include "query/write.h"

#include <math.h>

#include "base/num.h"
#include "query/hist.h"

void write_time(struct jw *w, int64_t ms)
{
    char text[32];
    size_t n = 0;
    uint64_t abs_ms = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
    uint64_t frac = abs_ms % 1000;
    char digits[24];
    size_t nd = 0;
    for (uint64_t s = abs_ms / 1000; s || !nd; s /= 10)
        digits[nd++] = (char)('0' + s % 10);
    if (ms < 0)
        text[n++] = '-';
    while (nd)
        text[n++] = digits[--nd];
    if (frac) {
        text[n++] = '.';
        for (uint64_t place = 100; frac; place /= 10) {
            text[n++] = (char)('0' + frac / place);
            frac %= place;
        }
    }
    jw_raw(w, (struct str){ text, n });
}

void write_labels(struct jw *w, struct labels l)
{
    jw_obj(w);
    for (uint32_t i = 0; i < l.n; i++)
        jw_kv_str(w, l.at[i].name, l.at[i].value);
    jw_obj_end(w);
}

void write_number(struct jw *w, double v, enum number_text how)
{
    static const double small = 1e-6, large = 1e21;
    double size = fabs(v);
    if (how == NUMBERS_PROMETHEUS && isfinite(v) && v != 0 && (size < small || size >= large)) {
        char text[32];
        jw_str(w, (struct str){ text, num_fmt_g64(text, v) });
    } else {
        jw_num_str(w, v);
    }
}

void write_scalar(struct jw *w, int64_t ms, double v, enum number_text how)
{
    jw_arr(w);
    write_time(w, ms);
    write_number(w, v, how);
    jw_arr_end(w);
}

void write_hist(struct jw *w, int64_t ms, const struct histogram *h)
{
    jw_arr(w);
    write_time(w, ms);
    hist_write(w, h);
    jw_arr_end(w);
}

void write_vector(struct jw *w, struct steps st, const struct vec *v, uint64_t limit, enum number_text how)
{
    uint64_t shown = 0;
    jw_arr(w);
    for (uint32_t i = 0; i < v->n && (!limit || shown < limit); i++) {
        const struct histogram *h = tser_hist(&v->at[i], 0);
        double x = tser_at(&v->at[i], 0);
        if (value_is_absent(x) && !h)
            continue;
        shown++;
        jw_obj(w);
        jw_key(w, S("metric"));
        write_labels(w, v->at[i].labels);
        jw_key(w, h ? S("histogram") : S("value"));
        if (h)
            write_hist(w, st.start_ms, h);
        else
            write_scalar(w, st.start_ms, x, how);
        jw_obj_end(w);
    }
    jw_arr_end(w);
}

static void write_values(struct jw *w, struct steps st, const struct tser *s, enum number_text how)
{
    bool any = false;
    for (uint32_t k = 0; k < s->n; k++) {
        if (value_is_absent(s->v[k]))
            continue;
        if (!any) {
            jw_key(w, S("values"));
            jw_arr(w);
            any = true;
        }
        write_scalar(w, steps_at(st, s->from + k), s->v[k], how);
    }
    if (any)
        jw_arr_end(w);
}

static void write_histograms(struct jw *w, struct steps st, const struct tser *s)
{
    bool any = false;
    for (uint32_t k = 0; k < s->n && s->h; k++) {
        if (!s->h[k])
            continue;
        if (!any) {
            jw_key(w, S("histograms"));
            jw_arr(w);
            any = true;
        }
        write_hist(w, steps_at(st, s->from + k), s->h[k]);
    }
    if (any)
        jw_arr_end(w);
}

void write_matrix(struct jw *w, struct steps st, const struct vec *v, uint64_t limit, enum number_text how)
{
    uint64_t shown = 0;
    jw_arr(w);
    for (uint32_t i = 0; i < v->n && (!limit || shown < limit); i++) {
        const struct tser *s = &v->at[i];
        if (!s->n)
            continue;
        shown++;
        jw_obj(w);
        jw_key(w, S("metric"));
        write_labels(w, s->labels);
        write_values(w, st, s, how);
        write_histograms(w, st, s);
        jw_obj_end(w);
    }
    jw_arr_end(w);
}
