/* tests/query/run_scripts.c -- runs the scripts described in README: all *.test of
 * this folder, or those named on the command line. Prints every line that does not
 * hold and how many evaluations did.
 */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/hist_text.h"
#include "../support/memsource.h"
#include "base/file.h"
#include "base/num.h"
#include "promql/promql.h"
#include "query/hist.h"

enum { LINE_VALUES_MAX = 2000, SERIES_MAX = 200, FILE_MAX = 1 << 20 };

struct expect {
    struct labels labels;
    bool has_labels;
    double v[LINE_VALUES_MAX];
    const struct histogram *h[LINE_VALUES_MAX];    /* where not NULL, v is absent */
    uint32_t n;
    bool seen;
};

struct script {
    const char *path;
    uint32_t line;
    struct memsource *src;
    bool always;
    /* load */
    enum temporality how;
    enum origin origin;
    int64_t interval_ms, from_ms, start_ms;
    /* eval */
    struct arena mem;
    struct promql_time time;
    struct str query;
    uint32_t query_line;
    bool pending;
    struct expect *expect;
    uint32_t nexpect;
    struct str error, text;
    struct str notes[8];
    uint32_t nnotes;
    uint32_t passed, failed;
};

static void complain(struct script *s, const char *what, struct str more)
{
    printf("%s:%u: %s: " STR_FMT "\n", s->path, s->query_line, what, STR_ARG(s->query));
    if (more.n)
        printf("    " STR_FMT "\n", STR_ARG(more));
    s->failed++;
    s->pending = false;
}

/* ---- small readers --------------------------------------------------------- */

static struct str word(struct str *rest)
{
    *rest = str_trim(*rest);
    struct str w = str_cut(rest, ' ');
    return w;
}

static int64_t duration_ms(struct script *s, struct str text)
{
    int64_t ns = 0;
    double seconds;
    if (str_to_f64(text, &seconds))
        return llround(seconds * 1000);
    if (!num_duration(text, &ns)) {
        printf("%s:%u: no duration: " STR_FMT "\n", s->path, s->line, STR_ARG(text));
        exit(1);
    }
    return ns / NS_PER_MS;
}

/* Where the labels at the head of a line end: after the closing brace or the name. */
static size_t labels_end(struct str line)
{
    bool quoted = false, braces = false;
    for (size_t i = 0; i < line.n; i++) {
        char c = line.p[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{') {
            braces = true;
        } else if (c == '}' || (c == ' ' && !braces)) {
            return i + (c == '}');
        }
    }
    return line.n;
}

static struct labels read_labels(struct script *s, struct str text)
{
    struct promql p = { 0 };
    struct fault f = { 0 };
    if (str_eq(text, S("{}")))
        return (struct labels){ 0 };
    if (promql_parse_selector(&s->mem, text, &p, &f)) {
        printf("%s:%u: %s\n", s->path, s->line, f.msg);
        exit(1);
    }
    const struct selector *sel = &p.root->sel;
    struct label *at = arena_new(&s->mem, struct label, sel->nmatchers);
    for (uint32_t i = 0; i < sel->nmatchers; i++)
        at[i] = (struct label){ sel->matchers[i].label, sel->matchers[i].value };
    struct labels l = labels_make(at, sel->nmatchers);
    promql_done(&p);
    return l;
}

/* The next value, histograms with the blanks in them. */
static struct str value_word(struct str *rest)
{
    *rest = str_trim(*rest);
    size_t end = 0;
    for (bool inside = false; end < rest->n && (inside || rest->p[end] != ' '); end++) {
        if (str_starts(str_sub(*rest, end, 2), S("{{")))
            inside = true;
        else if (end && str_starts(str_sub(*rest, end - 1, 2), S("}}")))
            inside = false;
    }
    struct str w = str_sub(*rest, 0, end);
    *rest = str_sub(*rest, end, rest->n);
    return w;
}

static struct histogram *read_histogram(struct script *s, struct str *w)
{
    struct histogram *h = arena_new(&s->mem, struct histogram, 1);
    size_t end = str_find(*w, S("}}"));
    if (!str_starts(*w, S("{{")) || end == SIZE_MAX || !hist_from_text(&s->mem, str_sub(*w, 2, end - 2), h)) {
        printf("%s:%u: no histogram: " STR_FMT "\n", s->path, s->line, STR_ARG(*w));
        exit(1);
    }
    *w = str_sub(*w, end + 2, w->n);
    return h;
}

/* {{a}}, {{a}}xn, {{a}}+{{b}}xn. Returns how many. */
static uint32_t read_histograms(struct script *s, struct str w, const struct histogram **h, double *v, uint32_t room)
{
    struct histogram *first = read_histogram(s, &w), *step = NULL;
    uint64_t times = 0;
    uint32_t remarks = 0;
    if (str_starts(w, S("+"))) {
        w = str_sub(w, 1, w.n);
        step = read_histogram(s, &w);
    }
    if (w.n && (w.p[0] != 'x' || !str_to_u64(str_sub(w, 1, w.n), &times) || times >= room)) {
        printf("%s:%u: no repetition: " STR_FMT "\n", s->path, s->line, STR_ARG(w));
        exit(1);
    }
    for (uint64_t i = 0; i <= times; i++) {
        v[i] = value_absent();
        h[i] = first;
        first = hist_copy(&s->mem, first);
        CHECK(!step || hist_add(&s->mem, first, step, &remarks));
    }
    return (uint32_t)times + 1;
}

/* a, a+bxn, a-bxn, axn, _, _xn, stale, histograms. Returns how many values there are now. */
static uint32_t read_values(struct script *s, struct str rest, double *v, const struct histogram **h)
{
    uint32_t n = 0;
    memset(h, 0, sizeof *h * LINE_VALUES_MAX);
    for (;;) {
        struct str w = value_word(&rest);
        if (!w.n)
            return n;
        if (str_starts(w, S("{{"))) {
            n += read_histograms(s, w, h + n, v + n, LINE_VALUES_MAX - n);
            continue;
        }
        double first = value_absent(), step = 0;
        uint64_t times = 0;
        size_t x = str_index(w, 'x');
        struct str head = x == SIZE_MAX ? w : str_sub(w, 0, x);
        bool ok = x == SIZE_MAX || str_to_u64(str_sub(w, x + 1, w.n), &times);
        size_t sign = SIZE_MAX;
        for (size_t i = 1; i < head.n && x != SIZE_MAX; i++)
            if ((head.p[i] == '+' || head.p[i] == '-') && head.p[i - 1] != 'e')
                sign = i;
        if (str_eq(head, S("stale")) || str_eq(head, S("_")))
            first = value_absent();
        else if (sign == SIZE_MAX)
            ok &= str_to_f64(head, &first);
        else
            ok &= str_to_f64(str_sub(head, 0, sign), &first) && str_to_f64(str_sub(head, sign, head.n), &step);
        if (!ok || n + times >= LINE_VALUES_MAX) {
            printf("%s:%u: no value: " STR_FMT "\n", s->path, s->line, STR_ARG(w));
            exit(1);
        }
        uint64_t count = str_eq(head, S("_")) && times ? times : times + 1;
        for (uint64_t i = 0; i < count; i++) {
            v[n++] = first;
            if (!value_is_absent(first))
                first += step;
        }
    }
}

/* ---- load ------------------------------------------------------------------ */

static struct mem_cell histogram_cell(struct script *s, const struct histogram *h, double *ret_value)
{
    struct str bytes;
    struct fault f = { 0 };
    if (histogram_encode(&s->mem, h, &bytes, &f)) {
        printf("%s:%u: %s\n", s->path, s->line, f.msg);
        exit(1);
    }
    *ret_value = histogram_value(bytes);
    return (struct mem_cell){ PLACE_FIELD, "histogram", { .type = V_BYTES, .s = bytes } };
}

static void load_series(struct script *s, struct str line)
{
    static double v[LINE_VALUES_MAX];
    static const struct histogram *h[LINE_VALUES_MAX];
    size_t end = labels_end(line);
    struct labels l = read_labels(s, str_sub(line, 0, end));
    struct str values = str_sub(line, end, line.n);
    bool stale[LINE_VALUES_MAX] = { false };
    uint32_t n = read_values(s, values, v, h);
    struct str rest = values;
    for (uint32_t i = 0; i < n; i++) {             /* only written out, not repeated */
        struct str w = value_word(&rest);
        if (str_starts(w, S("{{")))
            continue;
        if (str_eq(w, S("stale")))
            stale[i] = true;
        else if (str_index(w, 'x') != SIZE_MAX)
            break;
    }
    struct mem_cell cells[33];
    for (uint32_t i = 0; i < l.n; i++)
        cells[i] = (struct mem_cell){ PLACE_LABEL, arena_cstr(&s->mem, l.at[i].name), value_str(l.at[i].value) };
    for (uint32_t i = 0; i < n; i++) {
        int64_t t = s->from_ms + i * s->interval_ms;
        if (value_is_absent(v[i]) && !stale[i] && !h[i])
            continue;
        if (h[i])
            cells[l.n] = histogram_cell(s, h[i], &v[i]);
        int64_t start = s->how == TEMPORALITY_DELTA ? t - s->interval_ms : s->start_ms;
        memsource_add(s->src, &(struct mem_row){
            .table = TABLE_SAMPLE, .time_ns = t * NS_PER_MS, .recv_ns = t * NS_PER_MS, .start_ns = start * NS_PER_MS,
            .value = v[i], .temporality = s->how, .origin = s->origin, .cells = cells,
            .ncells = l.n + (h[i] != NULL),
        });
    }
}

static void read_load(struct script *s, struct str rest)
{
    s->how = TEMPORALITY_NONE;
    s->origin = ORIGIN_OTLP;
    s->from_ms = s->start_ms = 0;
    for (struct str w; (w = word(&rest)).n;) {
        if (str_eq(w, S("delta")))
            s->how = TEMPORALITY_DELTA;
        else if (str_eq(w, S("cumulative")))
            s->how = TEMPORALITY_CUMULATIVE;
        else if (str_eq(w, S("scrape")))
            s->origin = ORIGIN_SCRAPE;
        else if (str_eq(w, S("remote")))
            s->origin = ORIGIN_REMOTE;
        else if (str_eq(w, S("from")))
            s->from_ms = duration_ms(s, word(&rest));
        else if (str_eq(w, S("start")))
            s->start_ms = duration_ms(s, word(&rest));
        else
            s->interval_ms = duration_ms(s, w);
    }
}

/* ---- eval ------------------------------------------------------------------ */

static void read_expect(struct script *s, struct str line)
{
    if (str_starts(line, S("error "))) {
        s->error = str_sub(line, 6, line.n);
        return;
    }
    if (str_starts(line, S("note "))) {
        CHECK(s->nnotes < LEN(s->notes));
        s->notes[s->nnotes++] = str_sub(line, 5, line.n);
        return;
    }
    if (line.p[0] == '"') {
        s->text = str_sub(line, 1, line.n - 2);
        return;
    }
    CHECK(s->nexpect < SERIES_MAX);
    struct expect *e = &s->expect[s->nexpect++];
    double number;
    struct str rest = line, first = word(&rest);
    bool value = str_to_f64(first, &number) || (first.n && (first.p[0] == '-' || first.p[0] == '+'));
    e->has_labels = !value;
    size_t end = value ? 0 : labels_end(line);
    if (!value)
        e->labels = read_labels(s, str_sub(line, 0, end));
    e->n = read_values(s, str_sub(line, end, line.n), e->v, e->h);
}

static bool close_to(double want, double got)
{
    if (value_is_absent(want) || value_is_absent(got))
        return value_is_absent(want) && value_is_absent(got);
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got);
    return want == got || fabs(want - got) <= 1e-9 * fmax(fabs(want), fabs(got));
}

static struct expect *find_expect(struct script *s, struct labels l)
{
    for (uint32_t i = 0; i < s->nexpect; i++)
        if (s->expect[i].has_labels && labels_eq(s->expect[i].labels, l))
            return &s->expect[i];
    return NULL;
}

static struct str values_text(struct arena *mem, struct labels l, const double *v, const struct histogram *const *h, uint32_t n)
{
    struct buf b;
    buf_init(&b, FILE_MAX);
    buf_str(&b, labels_text(mem, l));
    for (uint32_t i = 0; i < n; i++) {
        char text[32];
        buf_byte(&b, ' ');
        if (h && h[i])
            hist_text(&b, h[i]);
        else if (value_is_absent(v[i]))
            buf_byte(&b, '_');
        else
            buf_put(&b, text, num_fmt_g64(text, v[i]));
    }
    struct str out = arena_str(mem, buf_view(&b));
    buf_done(&b);
    return out;
}

/* One series of the answer against the line that expects it. */
static bool compare_series(struct script *s, struct expect *e, struct labels l, const double *v,
                           const struct histogram *const *h, uint32_t n)
{
    bool same = e && !e->seen && e->n == n;
    for (uint32_t i = 0; i < n && same; i++)
        same = (h && h[i]) || e->h[i] ? h && h[i] && e->h[i] && hist_close(s->mem, e->h[i], h[i]) : close_to(e->v[i], v[i]);
    if (e)
        e->seen = true;
    if (!same)
        complain(s, e ? "other values" : "unexpected series", values_text(&s->mem, l, v, h, n));
    return same;
}

static bool compare_vec(struct script *s, const struct promql_result *r)
{
    for (uint32_t i = 0; i < r->vec.n; i++) {
        const struct tser *t = &r->vec.at[i];
        double *v = arena_new(&s->mem, double, r->steps.n);
        const struct histogram **h = arena_new(&s->mem, const struct histogram *, r->steps.n);
        for (uint32_t k = 0; k < r->steps.n; k++) {
            v[k] = tser_at(t, k);
            h[k] = tser_hist(t, k);
        }
        struct expect *e = find_expect(s, t->labels);
        if (!e && !t->labels.n && s->nexpect == 1 && !s->expect[0].has_labels) {
            e = &s->expect[0];                     /* a scalar over steps: one value stands for all */
            for (uint32_t k = e->n; k < r->steps.n && e->n == 1; k++)
                e->v[k] = e->v[0];
            e->n = e->n == 1 ? r->steps.n : e->n;
        }
        if (!compare_series(s, e, t->labels, v, h, r->steps.n))
            return false;
    }
    return true;
}

static bool compare(struct script *s, const struct promql_result *r)
{
    bool ok = true;
    if (r->type == T_STRING)
        ok = str_eq(r->string, s->text);
    else if (r->type == T_SCALAR)
        ok = s->nexpect == 1 && (s->expect[0].seen = true) && close_to(s->expect[0].v[0], r->scalar);
    else if (r->type == T_MATRIX && promql_is_instant(&s->time))
        for (uint32_t i = 0; i < r->points.n && ok; i++)
            ok = compare_series(s, find_expect(s, r->points.at[i].labels), r->points.at[i].labels, r->points.at[i].v,
                                r->points.at[i].h, (uint32_t)r->points.at[i].n);
    else
        ok = compare_vec(s, r);
    if (!ok) {
        if (s->pending)
            complain(s, "another value", r->type == T_STRING ? r->string : arena_fmt(&s->mem, "%.17g", r->scalar));
        return false;
    }
    for (uint32_t i = 0; i < s->nexpect; i++)
        if (!s->expect[i].seen) {
            complain(s, "missing series", labels_text(&s->mem, s->expect[i].labels));
            return false;
        }
    return true;
}

/* Where notes are expected, they are all there are. */
static bool compare_notes(struct script *s, const struct query_ctx *q)
{
    for (uint32_t i = 0; i < s->nnotes; i++) {
        bool found = false;
        for (uint32_t k = 0; k < q->nnotes; k++)
            found |= str_find(q->notes[k].text, s->notes[i]) != SIZE_MAX;
        if (!found) {
            complain(s, "a note is missing", s->notes[i]);
            return false;
        }
    }
    if (s->nnotes && q->nnotes != s->nnotes) {
        complain(s, "other notes", q->notes[0].text);
        return false;
    }
    return true;
}

static void run_pending(struct script *s)
{
    if (!s->pending)
        return;
    static const struct query_limits limits = { .samples_max = 10000000, .points_max = 11000 };
    struct query_ctx q = {
        .src = memsource_source(s->src), .mem = &s->mem, .limits = &limits, .clock = &clock_system,
        .extrapolate_always = s->always, .lookback_ns = 5 * 60 * NS_PER_S,
    };
    CLEANUP(promql_done) struct promql p = { 0 };
    struct promql_result r;
    struct fault f = { 0 };
    enum err e = promql_parse(&s->mem, s->query, &p, &f);
    if (!e)
        e = promql_eval(&q, &p, &s->time, &r, &f);
    struct str text = q.error.n ? q.error : str_c(f.msg);
    if (e && (!s->error.n || str_find(text, s->error) == SIZE_MAX))
        complain(s, "failed", text);
    else if (!e && s->error.n)
        complain(s, "did not fail", S(""));
    else if (e || (compare(s, &r) && compare_notes(s, &q)))
        s->passed++;
    s->pending = false;
}

static void read_eval(struct script *s, struct str rest)
{
    arena_reset(&s->mem);
    s->expect = arena_new(&s->mem, struct expect, SERIES_MAX);
    s->nexpect = s->nnotes = 0;
    s->error = s->text = S("");
    struct str after = rest, a = word(&rest), one = rest, b = word(&rest), c = word(&rest);
    int64_t ignored;
    double number;
    bool range = (num_duration(b, &ignored) || str_to_f64(b, &number)) && (num_duration(c, &ignored) || str_to_f64(c, &number)) &&
                 str_trim(rest).n;
    (void)after;
    s->time.start_ms = s->time.end_ms = duration_ms(s, a);
    s->time.step_ms = 0;
    if (range) {
        s->time.end_ms = duration_ms(s, b);
        s->time.step_ms = duration_ms(s, c);
    }
    s->query = arena_str(&s->mem, str_trim(range ? rest : one));
    s->query_line = s->line;
    s->pending = true;
}

/* ---- files ----------------------------------------------------------------- */

static void read_line(struct script *s, struct str line)
{
    bool indented = line.n && (line.p[0] == ' ' || line.p[0] == '\t');
    line = str_trim(line);
    if (!line.n || line.p[0] == '#')
        return;
    if (indented) {
        if (s->pending)
            read_expect(s, line);
        else
            load_series(s, line);
        return;
    }
    run_pending(s);
    struct str rest = line, verb = word(&rest);
    if (str_eq(verb, S("clear"))) {
        memsource_clear(s->src);
    } else if (str_eq(verb, S("load"))) {
        read_load(s, rest);
    } else if (str_eq(verb, S("eval"))) {
        read_eval(s, rest);
    } else if (str_eq(verb, S("extrapolate"))) {
        s->always = str_eq(str_trim(rest), S("always"));
    } else {
        printf("%s:%u: what is " STR_FMT "?\n", s->path, s->line, STR_ARG(verb));
        s->failed++;
    }
}

static void run_file(const char *path, uint32_t block_rows, uint32_t *passed, uint32_t *failed)
{
    struct buf file;
    struct fault f = { 0 };
    struct script s = { .path = path, .src = memsource_new() };
    memsource_set_block_rows(s.src, block_rows);
    arena_init(&s.mem, 256u << 20);
    buf_init(&file, FILE_MAX);
    if (file_read(path, FILE_MAX, &file, &f)) {
        printf("%s\n", f.msg);
        exit(1);
    }
    for (struct str rest = buf_view(&file); rest.p && rest.n;) {
        s.line++;
        read_line(&s, str_cut(&rest, '\n'));
    }
    run_pending(&s);
    *passed += s.passed;
    *failed += s.failed;
    buf_done(&file);
    arena_done(&s.mem);
    memsource_free(s.src);
}

/* Blocks of one row and of many must not make a difference. */
static void run_both(const char *path, uint32_t *passed, uint32_t *failed)
{
    run_file(path, 1000, passed, failed);
    run_file(path, 7, passed, failed);
}

int main(int argc, char **argv)
{
    uint32_t passed = 0, failed = 0;
    for (int i = 1; i < argc; i++)
        run_both(argv[i], &passed, &failed);
    if (argc == 1) {
        const char *slash = strrchr(__FILE__, '/');
        char dir[400], path[800];
        (void)snprintf(dir, sizeof dir, "%.*s", (int)(slash - __FILE__), __FILE__);
        DIR *d = opendir(dir);
        if (!d) {
            perror(dir);
            return 1;
        }
        for (struct dirent *e; (e = readdir(d));)
            if (str_ends(str_c(e->d_name), S(".test"))) {
                (void)snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
                run_both(path, &passed, &failed);
            }
        (void)closedir(d);
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed || !passed;
}
