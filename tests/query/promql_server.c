/* tests/query/promql_server.c -- Prometheus's API over an in-memory source, for
 * conformance.py: loads series from a file of JSON lines, {"labels": {...},
 * "samples": [[ms, "value"], ...]}, then answers requests from standard input, one
 * a line (METHOD TARGET FORM), as "STATUS LENGTH\nBODY\n".
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/fakehttp.h"
#include "../support/memsource.h"
#include "api/api.h"
#include "base/file.h"
#include "base/json.h"
#include "query/vec.h"

enum { LABELS_MAX = 64, FILE_MAX = 1 << 30 };

static double sample_value(struct str text)
{
    double v = 0;
    if (str_eq(text, S("stale")))
        return value_absent();
    CHECK(str_to_f64(text, &v));
    return v;
}

/* "labels": {...}: NUL-terminated name, value, name, value, ..., NULL */
static void read_labels(struct json *j, const char **labels)
{
    uint32_t n = 0;
    CHECK(json_next(j) == J_OBJ);
    while (json_next(j) == J_KEY) {
        CHECK(n + 2 < 2 * LABELS_MAX);
        labels[n++] = arena_cstr(j->mem, j->s);
        CHECK(json_next(j) == J_STR);
        labels[n++] = arena_cstr(j->mem, j->s);
    }
    labels[n] = NULL;
}

static void read_samples(struct json *j, struct memsource *m, const char *const *labels)
{
    CHECK(json_next(j) == J_ARR);
    while (json_next(j) == J_ARR) {
        int64_t t = 0;
        CHECK(json_next(j) == J_NUM && str_to_i64(j->s, &t));
        enum json_tok tok = json_next(j);
        CHECK(tok == J_STR || tok == J_NUM);
        memsource_sample(m, t * NS_PER_MS, sample_value(j->s), labels);
        CHECK(json_next(j) == J_ARR_END);
    }
}

static void read_series(struct memsource *m, struct str line)
{
    struct arena mem;
    struct json j;
    const char *labels[2 * LABELS_MAX + 1];
    arena_init(&mem, 256u << 20);
    json_init(&j, line, &mem);
    CHECK(json_next(&j) == J_OBJ);
    while (json_next(&j) == J_KEY) {
        if (str_eq(j.s, S("labels")))
            read_labels(&j, labels);
        else if (str_eq(j.s, S("samples")))
            read_samples(&j, m, labels);
        else
            json_skip(&j);
    }
    CHECK(j.tok != J_ERR);
    arena_done(&mem);
}

static void load(struct memsource *m, const char *path)
{
    struct buf file;
    struct fault f = { 0 };
    buf_init(&file, FILE_MAX);
    if (file_read(path, FILE_MAX, &file, &f)) {
        (void)fprintf(stderr, "%s\n", f.msg);
        exit(1);
    }
    struct str rest = buf_view(&file);
    while (rest.n) {
        struct str line = str_cut(&rest, '\n');
        if (line.n)
            read_series(m, line);
    }
    buf_done(&file);
}

static enum http_method method_of(struct str s)
{
    return str_eq(s, S("GET")) ? HTTP_GET : str_eq(s, S("POST")) ? HTTP_POST : str_eq(s, S("PUT")) ? HTTP_PUT : HTTP_OTHER;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s SERIES.jsonl < REQUESTS\n", argv[0]);
        return 2;
    }
    struct memsource *m = memsource_new();
    load(m, argv[1]);
    struct api api = {
        .src = memsource_source(m),
        .clock = &clock_system,
        .limits = { .series_max = 1000000, .samples_max = 50000000, .points_max = 11000 },
        .version = S("test"),
    };
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    while ((n = getline(&line, &cap, stdin)) > 0) {
        struct str rest = { line, (size_t)n - (line[n - 1] == '\n') };
        struct str method = str_cut(&rest, ' '), target = str_cut(&rest, ' ');
        struct fake_reply reply;
        fake_http(routes_prometheus, &api, method_of(method), target, rest, &reply);
        printf("%d %zu\n", reply.status, reply.body.n);
        fwrite(reply.body.p, 1, reply.body.n, stdout);
        printf("\n");
        buf_done(&reply.body);
        (void)fflush(stdout);
    }
    free(line);
    memsource_free(m);
    return 0;
}
