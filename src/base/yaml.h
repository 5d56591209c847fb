/* base/yaml.h -- libyaml read into a tree with line and column on every node.
 *
 * Limits:   depth YAML_DEPTH_MAX, nodes YAML_NODES_MAX; aliases are refused,
 *           duplicate keys are errors. The tree lives in `mem`.
 */
#pragma once
#include "base/arena.h"

enum { YAML_DEPTH_MAX = 32, YAML_NODES_MAX = 100000 };
enum yaml_kind { YAML_NULL, YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml {
    enum yaml_kind kind;
    uint32_t line, col;                            /* 1-based */
    struct str key;                                /* inside a map: its key */
    uint32_t key_line, key_col;
    struct str text;                               /* YAML_SCALAR */
    bool quoted;
    struct yaml *child, *next;                     /* first child; next sibling */
};

MUST enum err yaml_parse(struct str in, struct arena *mem, struct yaml **ret, struct fault *f);
const struct yaml *yaml_get(const struct yaml *map, struct str key);   /* NULL if absent */
