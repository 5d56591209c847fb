/* tests/query/loki_server.c -- Loki's API over an in-memory source, for conformance.py:
 * loads entries from a file of JSON lines, {"ts": "ns", "stream": {...}, "line": "...",
 * "meta": {...}}, then answers requests from standard input, one a line (METHOD TARGET
 * HEADER=VALUE), as "STATUS LENGTH\nBODY\n". detected_level is switched off.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../support/fakehttp.h"
#include "../support/memsource.h"
#include "api/api.h"
#include "base/file.h"
#include "base/json.h"

enum { CELLS_MAX = 128, FILE_MAX = 1 << 30 };

struct entry_reader {
    struct json j;
    struct arena mem;
    struct mem_cell cells[CELLS_MAX];
    uint32_t n;
    int64_t ts;
};

static void add_cell(struct entry_reader *r, enum place place, const char *name, struct str value)
{
    CHECK(r->n < CELLS_MAX);
    r->cells[r->n++] = (struct mem_cell){ place, name, value_str(value) };
}

static void read_labels(struct entry_reader *r, enum place place)
{
    CHECK(json_next(&r->j) == J_OBJ);
    while (json_next(&r->j) == J_KEY) {
        const char *name = arena_cstr(&r->mem, r->j.s);
        CHECK(json_next(&r->j) == J_STR);
        add_cell(r, place, name, r->j.s);
    }
}

static void read_entry(struct memsource *m, struct str line)
{
    struct entry_reader r = { .n = 0 };
    arena_init(&r.mem, 16u << 20);
    json_init(&r.j, line, &r.mem);
    CHECK(json_next(&r.j) == J_OBJ);
    while (json_next(&r.j) == J_KEY) {
        if (str_eq(r.j.s, S("ts"))) {
            CHECK(json_next(&r.j) == J_STR && str_to_i64(r.j.s, &r.ts));
        } else if (str_eq(r.j.s, S("line"))) {
            CHECK(json_next(&r.j) == J_STR);
            add_cell(&r, PLACE_FIELD, "body", r.j.s);
        } else {
            read_labels(&r, str_eq(r.j.s, S("stream")) ? PLACE_LABEL : PLACE_ATTR);
        }
    }
    CHECK(r.j.tok != J_ERR);
    memsource_add(m, &(struct mem_row){
        .table = TABLE_LOG, .time_ns = r.ts, .recv_ns = r.ts, .origin = ORIGIN_LOKI, .cells = r.cells, .ncells = r.n });
    arena_done(&r.mem);
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
            read_entry(m, line);
    }
    buf_done(&file);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s ENTRIES.jsonl < REQUESTS\n", argv[0]);
        return 2;
    }
    struct memsource *m = memsource_new();
    load(m, argv[1]);
    struct api api = {
        .src = memsource_source(m),
        .clock = &clock_system,
        .limits = { .series_max = 1000000, .samples_max = 50000000, .points_max = 11000 },
        .version = S("test"),
        .loki_plain = true,
    };
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    while ((n = getline(&line, &cap, stdin)) > 0) {
        struct str rest = { line, (size_t)n - (line[n - 1] == '\n') };
        struct str method = str_cut(&rest, ' '), target = str_cut(&rest, ' ');
        struct http_header header = { .name = str_cut(&rest, '=') };
        header.value = rest;
        struct fake_reply reply;
        fake_http_with(routes_loki, &api, str_eq(method, S("POST")) ? HTTP_POST : HTTP_GET, target, S(""), &header, header.name.n > 0, &reply);
        printf("%d %zu\n", reply.status, reply.body.n);
        (void)fwrite(reply.body.p, 1, reply.body.n, stdout);
        printf("\n");
        (void)fflush(stdout);
        buf_done(&reply.body);
    }
    free(line);
    memsource_free(m);
    return 0;
}
