/* ledger/story_people.c -- whose session it is, and where it ran.
 *
 * The first value that a row has counts; one that comes only later (a repository stands on no
 * start-up event) is taken when it comes.
 */
#include "base/arena.h"
#include "ledger/story_int.h"

static const struct {
    struct str label;
    size_t at;
} people[] = {
    { S("user_email"), offsetof(struct story, user_email) },
    { S("user_id"), offsetof(struct story, user_id) },
    { S("user_account_uuid"), offsetof(struct story, account) },
    { S("organization_id"), offsetof(struct story, organization) },
    { S("terminal_type"), offsetof(struct story, terminal) },
    { S("app_entrypoint"), offsetof(struct story, entrypoint) },
    { S("service_version"), offsetof(struct story, version) },
    { S("vcs_repository_name"), offsetof(struct story, repository) },
    { S("os_type"), offsetof(struct story, os) },
    { S("anthropic_provider"), offsetof(struct story, provider) },
};

void story_people_block(struct telling *t, const struct block *b)
{
    for (size_t i = 0; i < LEN(people); i++) {
        struct str *into = (struct str *)(void *)((char *)t->st + people[i].at);
        if (into->n)
            continue;
        struct label_ref l = block_label(b, people[i].label, 0);
        for (uint32_t k = 0; k < b->nsel && l.n && !into->n; k++) {
            struct value v = label_value(&l, b->sel[k]);
            if (v.type != V_NONE)
                *into = arena_str(t->mem, value_text_in(&v, t->mem));
        }
    }
}
