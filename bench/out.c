/* bench/out.c -- a file of ready request bodies; see load.h. */
#include <stdlib.h>
#include <string.h>

#include "base/zip.h"
#include "load.h"

enum { FILE_BUFFER = 1 << 20 };

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

struct out *out_new(const char *path, uint32_t batch, bool snappy)
{
    CHECK(batch);
    struct out *o = mem_alloc(sizeof *o);
    *o = (struct out){ .batch = batch, .snappy = snappy };
    o->file = strcmp(path, "-") ? fopen(path, "wb") : stdout;
    if (!o->file)
        fail(path);
    setvbuf(o->file, NULL, _IOFBF, FILE_BUFFER);
    if (fwrite(LOAD_MAGIC, LOAD_MAGIC_BYTES, 1, o->file) != 1)
        fail(path);
    for (uint32_t i = 0; i < LOAD_LANES; i++)
        buf_init(&o->lanes[i].body, LOAD_BODY_MAX);
    buf_init(&o->packed, LOAD_BODY_MAX);
    return o;
}

struct buf *out_body(struct out *o, uint32_t lane)
{
    return &o->lanes[lane].body;
}

static void put_u32(unsigned char *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> 8 * i);
}

static void emit(struct out *o, uint32_t lane)
{
    struct out_lane *l = &o->lanes[lane];
    unsigned char head[16] = { 0 };
    CHECK(!l->body.bad);
    struct str body = buf_view(&l->body);
    if (o->snappy) {
        buf_clear(&o->packed);
        CHECK(zip_snappy(body, &o->packed) == OK);
        body = buf_view(&o->packed);
    }
    put_u32(head, (uint32_t)body.n);
    put_u32(head + 4, l->items);
    put_u32(head + 8, lane);
    if (fwrite(head, sizeof head, 1, o->file) != 1 || fwrite(body.p, 1, body.n, o->file) != body.n)
        fail("load file");
    o->requests++;
    o->items += l->items;
    o->bytes += body.n;
    l->items = 0;
    buf_clear(&l->body);
}

void out_add(struct out *o, uint32_t lane, uint32_t items)
{
    o->lanes[lane].items += items;
    if (o->lanes[lane].items >= o->batch)
        emit(o, lane);
}

static void emit_all(struct out *o)
{
    for (uint32_t i = 0; i < LOAD_LANES; i++)
        if (o->lanes[i].items)
            emit(o, i);
}

void out_clock(struct out *o, int64_t time_ns)
{
    if (!o || time_ns - o->sent_ns < LOAD_HOLD_MIN * 60 * NS_PER_S)
        return;
    emit_all(o);
    o->sent_ns = time_ns;
}

void out_close(struct out *o)
{
    if (!o)
        return;
    emit_all(o);
    for (uint32_t i = 0; i < LOAD_LANES; i++)
        buf_done(&o->lanes[i].body);
    if (fclose(o->file))
        fail("load file");
    buf_done(&o->packed);
}

void out_free(struct out *o)
{
    mem_free(o);
}
