/* Any bytes as a settings.json: what is changed reads back, changing it again changes nothing,
 * and taking the variables out leaves none of them. */
#include <stdint.h>

#include "setup/setup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has(const struct pairs *env, struct str name)
{
    for (uint32_t i = 0; i < env->n; i++)
        if (str_eq(env->at[i].name, name))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pair set[] = { { S("A"), S("1") }, { S("OTEL \"x\""), S("\n") } }, unset[] = { { S("A"), { 0 } }, { S("OTEL \"x\""), { 0 } } };
    struct pairs on = { set, LEN(set) }, off = { unset, LEN(unset) }, env;
    struct str text = { (const char *)data, size }, once, twice, out;
    struct fault f = { 0 };
    struct arena mem;
    arena_init(&mem, 64 << 20);
    if (size <= (1 << 20) && !settings_edit(text, &on, &mem, &once, &f)) {
        CHECK(!settings_edit(once, &on, &mem, &twice, &f) && str_eq(once, twice));
        CHECK(!settings_env(once, &mem, &env, &f) && has(&env, S("A")) && has(&env, S("OTEL \"x\"")));
        CHECK(!settings_edit(once, &off, &mem, &out, &f));
        CHECK(!settings_env(out, &mem, &env, &f) && !has(&env, S("A")));
    }
    arena_done(&mem);
    return 0;
}
