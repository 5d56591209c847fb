/* Any bytes through the YAML reader; a tree that comes out holds to its limits. */
#include <stdint.h>

#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count(const struct yaml *y, int depth)
{
    CHECK(depth <= YAML_DEPTH_MAX && y->line >= 1 && y->col >= 1);
    CHECK((y->kind == YAML_LIST || y->kind == YAML_MAP) || !y->child);
    size_t n = 1;
    for (const struct yaml *c = y->child; c; c = c->next)
        n += count(c, depth + 1);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena mem;
    arena_init(&mem, 1 << 20);
    struct yaml *y = NULL;
    struct fault f = { 0 };
    enum err e = yaml_parse((struct str){ (const char *)data, size }, &mem, &y, &f);
    if (e)
        CHECK(!y && f.code == e && f.at <= size);
    else
        CHECK(count(y, 0) <= YAML_NODES_MAX);
    arena_done(&mem);
    return 0;
}
