/* logql/stage.c -- the list of pipeline stages. */
#include "logql/stage.h"

/* Those with a word. A family of two (json, json a="b") is under its first row. */
static const struct stage_def *const stages[] = {
    &stage_json,        &stage_logfmt,       &stage_regexp,     &stage_pattern, &stage_unpack,
    &stage_line_format, &stage_label_format, &stage_decolorize, &stage_drop,    &stage_keep,
};

const struct stage_def *stage_find(struct str word)
{
    for (size_t i = 0; i < LEN(stages); i++)
        if (str_eq(stages[i]->word, word))
            return stages[i];
    CHECK(!"the lexer knows a stage that has no row");
    return NULL;
}

void need_name(struct need *n, struct str name)
{
    for (uint32_t i = 0; i < n->n; i++)
        if (str_eq(n->names[i], name))
            return;
    *arena_push(n->mem, n->names, n->n, n->cap) = name;
}

void need_required(struct need *n, struct str name)
{
    need_name(n, name);
    for (uint32_t i = 0; i < n->nrequired; i++)
        if (str_eq(n->required[i], name))
            return;
    *arena_push(n->mem, n->required, n->nrequired, n->cap_required) = name;
}
