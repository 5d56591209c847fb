/* tests/query/logql/run_scripts.c -- runs the scripts described in README here: all
 * *.test of this folder, or those named on the command line, over blocks of 1000, 7
 * and one row, by columns where that is possible and line by line. Prints every line that
 * does not hold and how many evaluations did.
 */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../support/memsource.h"
#include "base/file.h"
#include "base/num.h"
#include "logql/logql.h"
#include "logql/text.h"

enum { CELLS_MAX = 64, FILE_MAX = 1 << 20, LINES_MAX = 200 };

struct script {
    const char *path;
    uint32_t line;
    struct memsource *src;
    uint32_t block_rows;
    bool by_lines;
    struct arena mem;                              /* of one evaluation */
    struct str query;
    uint32_t query_line;
    bool pending;
    struct str got[LINES_MAX], want[LINES_MAX];
    uint32_t ngot, nwant;
    bool ordered;
    uint32_t passed, failed;
};

static void die(struct script *s, const char *what)
{
    printf("%s:%u: %s\n", s->path, s->line, what);
    exit(1);
}

/* ---- small readers ------------------------------------------------------------------- */

static struct str word(struct str *rest)
{
    *rest = str_trim(*rest);
    return str_cut(rest, ' ');
}

static int64_t time_of(struct script *s, struct str text)
{
    int64_t ns = 0;
    double seconds;
    if (str_to_f64(text, &seconds))
        return llround(seconds * 1e9);
    if (!num_duration(text, &ns))
        die(s, "no time");
    return ns;
}

/* "text", or what stands up to a comma or brace: a number, true, false or text. */
static struct value value_of(struct script *s, struct str *rest, struct arena *mem)
{
    size_t end = 0;
    if (str_starts(*rest, S("\""))) {
        for (end = 1; end < rest->n && rest->p[end] != '"'; end++)
            end += rest->p[end] == '\\';
        struct str text;
        if (!text_unquote(str_sub(*rest, 0, end + 1), mem, &text))
            die(s, "bad string");
        *rest = str_sub(*rest, end + 1, rest->n);
        return value_str(text);
    }
    while (end < rest->n && rest->p[end] != ',' && rest->p[end] != '}')
        end++;
    struct str text = str_trim(str_sub(*rest, 0, end));
    *rest = str_sub(*rest, end, rest->n);
    int64_t i;
    double d;
    if (str_to_i64(text, &i))
        return value_int(i);
    if (str_to_f64(text, &d))
        return value_double(d);
    if (str_eq(text, S("true")) || str_eq(text, S("false")))
        return value_bool(text.n == 4);
    return value_str(text);
}

/* {name=value, ...} */
static void read_cells(struct script *s, struct str *rest, enum place place, struct mem_cell *cells, uint32_t *n)
{
    *rest = str_trim(*rest);
    if (!str_starts(*rest, S("{")))
        die(s, "expected {");
    *rest = str_sub(*rest, 1, rest->n);
    for (;;) {
        *rest = str_trim(*rest);
        if (str_starts(*rest, S(","))) {
            *rest = str_sub(*rest, 1, rest->n);
            continue;
        }
        if (str_starts(*rest, S("}")) || !rest->n)
            break;
        struct str name = str_trim(str_cut(rest, '='));
        if (*n == CELLS_MAX)
            die(s, "too many cells");
        cells[(*n)++] = (struct mem_cell){ place, arena_cstr(&s->mem, name), value_of(s, rest, &s->mem) };
    }
    *rest = str_sub(*rest, 1, rest->n);
}

/* ---- data ------------------------------------------------------------------------------ */

/* push TIME {stream} [{metadata}] LINE; otlp TIME {resource} {attributes} [{fields}] LINE;
 * span TIME {resource} {attributes} {fields}. A line that begins with a brace is quoted. */
static void add_row(struct script *s, struct str kind, struct str rest)
{
    struct mem_cell cells[CELLS_MAX];
    struct mem_row r = { .table = str_eq(kind, S("span")) ? TABLE_SPAN : TABLE_LOG, .cells = cells };
    bool push = str_eq(kind, S("push"));
    static const enum place places[2][3] = { { PLACE_RESOURCE, PLACE_ATTR, PLACE_FIELD }, { PLACE_LABEL, PLACE_ATTR, PLACE_FIELD } };
    r.origin = push ? ORIGIN_LOKI : ORIGIN_OTLP;
    r.time_ns = time_of(s, word(&rest));
    for (size_t i = 0; i < 3 && str_starts(str_trim(rest), S("{")); i++)
        read_cells(s, &rest, places[push][i], cells, &r.ncells);
    rest = str_trim(rest);
    if ((str_starts(rest, S("`")) || str_starts(rest, S("\""))) && !text_unquote(rest, &s->mem, &rest))
        die(s, "bad line");
    if (r.table == TABLE_LOG)
        cells[r.ncells++] = (struct mem_cell){ PLACE_FIELD, "body", value_str(rest) };
    memsource_add(s->src, &r);
}

/* ---- evaluations ------------------------------------------------------------------------- */

static void put(struct script *s, struct buf *b)
{
    if (s->ngot == LINES_MAX)
        die(s, "too many result lines");
    s->got[s->ngot++] = arena_str(&s->mem, buf_view(b));
    buf_clear(b);
}

static void put_labels(struct buf *b, struct labels l)
{
    buf_byte(b, '{');
    for (uint32_t i = 0; i < l.n; i++) {
        buf_str(b, i ? S(",") : S(""));
        buf_str(b, l.at[i].name);
        buf_byte(b, '=');
        text_quote(b, l.at[i].value);
    }
    buf_byte(b, '}');
}

static struct query_ctx context(struct script *s)
{
    static const struct query_limits limits = { .series_max = 10000, .samples_max = 1000000, .points_max = 11000 };
    return (struct query_ctx){ .src = memsource_source(s->src), .mem = &s->mem, .limits = &limits, .clock = &clock_system };
}

/* eval TIME QUERY; eval FROM TO STEP QUERY */
static enum err run_metric(struct script *s, const struct logql *q, struct log_steps st, struct fault *f)
{
    struct query_ctx ctx = context(s);
    /* Series over all labels are told without the level that ccmon adds, unless it is asked for. */
    struct logql_options opt = { .no_detected_level = str_find(s->query, S("detected_level")) == SIZE_MAX, .by_lines = s->by_lines };
    struct vec v;
    enum err e = logql_metric(&ctx, q, &opt, st, &v, f);
    if (e)
        return e;
    struct buf b;
    buf_init(&b, FILE_MAX);
    for (uint32_t i = 0; i < v.n; i++) {
        put_labels(&b, v.at[i].labels);
        for (uint32_t k = 0; k < st.n; k++) {
            double x = tser_at(&v.at[i], k);
            buf_byte(&b, ' ');
            if (value_is_absent(x))
                buf_byte(&b, '_');
            else
                buf_f64(&b, x);
        }
        put(s, &b);
    }
    buf_done(&b);
    s->ordered = logql_sorts(q);
    return OK;
}

/* lines FROM TO [forward] [limit N] [categorized] QUERY */
static enum err run_lines(struct script *s, const struct logql *q, struct log_req req, bool categorized, struct fault *f)
{
    struct query_ctx ctx = context(s);
    struct logql_options opt = { .no_detected_level = !categorized, .by_lines = s->by_lines };
    struct log_result res;
    enum err e = logql_logs(&ctx, q, &opt, &req, categorized, &res, f);
    if (e)
        return e;
    struct buf b;
    buf_init(&b, FILE_MAX);
    for (uint32_t i = 0; i < res.n; i++)
        for (uint32_t k = 0; k < res.streams[i].n; k++) {
            const struct log_entry *en = &res.streams[i].entries[k];
            put_labels(&b, res.streams[i].all);
            if (categorized) {
                put_labels(&b, en->meta);
                put_labels(&b, en->parsed);
            }
            buf_str(&b, S(" "));
            for (size_t c = 0; c < en->line.n; c++)
                buf_str(&b, en->line.p[c] == '\n' ? S("\\n") : str_sub(en->line, c, 1));
            put(s, &b);
        }
    buf_done(&b);
    return OK;
}

static void finish(struct script *s)
{
    if (!s->pending)
        return;
    s->pending = false;
    bool used[LINES_MAX] = { false };
    uint32_t missing = s->nwant != s->ngot;
    for (uint32_t i = 0; i < s->nwant; i++) {
        uint32_t k = s->ordered ? i : 0;
        for (; k < s->ngot; k++)
            if (!used[k] && str_eq(s->got[k], s->want[i]))
                break;
        if (k < s->ngot && (!s->ordered || k == i))
            used[k] = true;
        else
            missing++;
    }
    if (!missing) {
        s->passed++;
        return;
    }
    s->failed++;
    printf("%s:%u (blocks of %u%s): " STR_FMT "\n", s->path, s->query_line, s->block_rows, s->by_lines ? ", line by line" : "",
           STR_ARG(s->query));
    for (uint32_t i = 0; i < s->nwant; i++)
        printf("    want " STR_FMT "\n", STR_ARG(s->want[i]));
    for (uint32_t i = 0; i < s->ngot; i++)
        printf("    got  " STR_FMT "\n", STR_ARG(s->got[i]));
}

static void begin(struct script *s, struct str query)
{
    s->query = query;
    s->query_line = s->line;
    s->ngot = s->nwant = 0;
    s->ordered = false;
    s->pending = true;
}

/* Do an end and a step follow, and not yet the query (which may begin with a number)? */
static bool is_range(struct str text)
{
    int64_t ns;
    double d;
    for (int i = 0; i < 2; i++) {
        struct str w = word(&text);
        if (!num_duration(w, &ns) && !str_to_f64(w, &d))
            return false;
    }
    return true;
}

static void evaluate(struct script *s, struct str kind, struct str rest)
{
    CLEANUP(logql_freep) struct logql *q = NULL;
    struct fault f = { 0 };
    bool lines = str_eq(kind, S("lines")), categorized = false;
    struct log_req req = { .limit = 100 };
    struct log_steps st = { .step_ns = NS_PER_MS, .n = 1 };
    if (!str_eq(kind, S("fail"))) {
        st.start_ns = req.start_ns = time_of(s, word(&rest));
        if (lines || is_range(rest)) {
            req.end_ns = time_of(s, word(&rest));
            if (!lines) {
                st.step_ns = time_of(s, word(&rest));
                st.n = (uint32_t)((req.end_ns - st.start_ns) / st.step_ns) + 1;
            }
        }
    }
    for (rest = str_trim(rest); lines;) {
        struct str after = rest, w = word(&after);
        if (str_eq(w, S("forward")))
            req.forward = true;
        else if (str_eq(w, S("categorized")))
            categorized = true;
        else if (str_eq(w, S("limit")))
            req.limit = (uint32_t)(time_of(s, word(&after)) / NS_PER_S);
        else
            break;
        rest = str_trim(after);
    }
    begin(s, rest);
    enum err e = logql_parse(rest, &s->mem, &q, &f);
    if (!e && (lines || logql_type(q) == LOGQL_LOGS)) {
        if (!lines)
            req.end_ns = INT64_MAX;
        e = run_lines(s, q, req, categorized, &f);
    } else if (!e) {
        if (str_eq(kind, S("fail")))
            st.start_ns = 60 * NS_PER_S;
        e = run_metric(s, q, st, &f);
    }
    struct str text = str_c(f.msg), first = str_trim(str_cut(&text, '\n'));
    if (e)
        s->got[s->ngot++] = arena_fmt(&s->mem, "error: " STR_FMT, STR_ARG(first));
}

static void run_line(struct script *s, struct str line)
{
    if (!str_trim(line).n || str_starts(str_trim(line), S("#")))
        return;
    if (line.p[0] == ' ') {
        if (s->nwant == LINES_MAX)
            die(s, "too many expected lines");
        s->want[s->nwant++] = str_trim(line);
        return;
    }
    finish(s);
    struct str rest = line, kind = word(&rest);
    if (str_eq(kind, S("clear")))
        memsource_clear(s->src);
    else if (str_eq(kind, S("push")) || str_eq(kind, S("otlp")) || str_eq(kind, S("span")))
        add_row(s, kind, rest);
    else {
        arena_reset(&s->mem);
        evaluate(s, kind, rest);
    }
}

static void run_file(const char *path, uint32_t block_rows, bool by_lines, uint32_t *passed, uint32_t *failed)
{
    struct script s = { .path = path, .block_rows = block_rows, .by_lines = by_lines, .src = memsource_new() };
    struct buf file;
    struct fault f = { 0 };
    memsource_set_block_rows(s.src, block_rows);
    arena_init(&s.mem, 256u << 20);
    buf_init(&file, FILE_MAX);
    if (file_read(path, FILE_MAX, &file, &f)) {
        printf("%s\n", f.msg);
        exit(1);
    }
    struct str rest = buf_view(&file);
    while (rest.n) {
        struct str line = str_cut(&rest, '\n');
        s.line++;
        run_line(&s, line);
    }
    finish(&s);
    *passed += s.passed;
    *failed += s.failed;
    buf_done(&file);
    arena_done(&s.mem);
    memsource_free(s.src);
}

static void run_everywhere(const char *path, uint32_t *passed, uint32_t *failed)
{
    static const uint32_t sizes[] = { 1000, 7, 1 };
    for (size_t i = 0; i < 2 * LEN(sizes); i++)
        run_file(path, sizes[i / 2], i % 2, passed, failed);
}

int main(int argc, char **argv)
{
    uint32_t passed = 0, failed = 0;
    for (int i = 1; i < argc; i++)
        run_everywhere(argv[i], &passed, &failed);
    if (argc == 1) {
        char folder[4096];
        snprintf(folder, sizeof folder, "%s", __FILE__);
        *strrchr(folder, '/') = '\0';
        DIR *d = opendir(folder);
        for (struct dirent *e; d && (e = readdir(d));) {
            char path[8192];
            snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
            if (str_ends(str_c(e->d_name), S(".test")))
                run_everywhere(path, &passed, &failed);
        }
        if (d)
            closedir(d);
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed || !passed;
}
