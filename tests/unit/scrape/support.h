/* What the tests of this room share. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/yaml.h"

enum { TEST_ARENA = 64 << 20 };

/* The tree of a YAML text; fails the test if there is none. */
static inline const struct yaml *test_yaml(const char *text, struct arena *mem)
{
    struct yaml *root = NULL;
    struct fault f = { 0 };
    if (yaml_parse(str_c(text), mem, &root, &f))
        fail_msg("%s: %s", text, f.msg);
    return root;
}
