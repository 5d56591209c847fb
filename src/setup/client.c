/* setup/client.c -- the client's variables, from wherever they come. */
#include "setup/client.h"

#include <glob.h>
#include <stdlib.h>

#include "base/file.h"

extern char **environ;

const struct client_var *client_find(const struct client_env *e, struct str name)
{
    for (uint32_t i = 0; i < e->n; i++)
        if (str_eq(e->at[i].name, name))
            return &e->at[i];
    return NULL;
}

struct str client_get(const struct client_env *e, struct str name)
{
    const struct client_var *v = client_find(e, name);
    return v ? v->value : (struct str){ 0 };
}

void client_add(struct client_env *e, const struct pairs *vars, enum client_from from, struct str file, struct arena *mem)
{
    for (uint32_t i = 0; i < vars->n; i++) {
        if (!setup_concerns(vars->at[i].name) && !str_eq(vars->at[i].name, S("DISABLE_TELEMETRY")))
            continue;
        struct client_var *v = (struct client_var *)(uintptr_t)client_find(e, vars->at[i].name), old = { 0 };
        if (v)
            old = *v;
        else
            v = arena_push(mem, e->at, e->n, e->cap);
        CHECK(!old.name.p || old.from <= from);
        *v = (struct client_var){ .name = vars->at[i].name, .value = vars->at[i].value, .from = from, .file = file };
        if (old.name.p && !str_eq(old.value, v->value))
            v->shadowed = old.value;
    }
}

static void add_exported(struct client_env *e, struct arena *mem)
{
    uint32_t n = 0;
    while (environ[n])
        n++;
    struct pairs all = { arena_new(mem, struct pair, n + 1), 0 };
    for (uint32_t i = 0; i < n; i++) {
        struct str value = arena_str(mem, str_c(environ[i])), name = str_cut(&value, '=');
        if (value.p)
            all.at[all.n++] = (struct pair){ name, value };
    }
    client_add(e, &all, FROM_EXPORTED, S(""), mem);
}

/* False: there is none, or it cannot be read. */
static bool read_env(struct client_env *e, struct str path, struct arena *mem, struct pairs *ret)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    struct fault f = { 0 };
    enum err err = file_read(arena_cstr(mem, path), SETTINGS_BYTES_MAX, &b, &f);
    if (err == E_NOTFOUND)
        return false;
    if (!err)
        err = settings_env(arena_str(mem, buf_view(&b)), mem, ret, &f);
    if (err && !e->broken_file.n) {
        e->broken_file = path;
        e->broken_why = arena_str(mem, str_c(f.msg));
    }
    return !err;
}

static void add_file(struct client_env *e, struct str path, enum client_from from, struct arena *mem)
{
    struct pairs vars;
    if (read_env(e, path, mem, &vars))
        client_add(e, &vars, from, path, mem);
}

static void look_at_project(struct client_env *e, struct str dir, struct arena *mem)
{
    static const char *const names[] = { "settings.json", "settings.local.json" };
    for (size_t i = 0; i < LEN(names); i++) {
        struct pairs vars;
        struct str path = arena_fmt(mem, STR_FMT "/.claude/%s", STR_ARG(dir), names[i]);
        if (!read_env(e, path, mem, &vars))
            continue;
        for (uint32_t k = 0; k < vars.n; k++)
            if (str_eq(vars.at[k].name, S("CLAUDE_CODE_ENABLE_TELEMETRY")))
                e->project_file = path;
    }
}

void client_read(struct str dir, struct arena *mem, struct client_env *ret)
{
    *ret = (struct client_env){ 0 };
    add_exported(ret, mem);
    const char *config = getenv("CLAUDE_CONFIG_DIR"), *home = getenv("HOME");
    struct str user = config && *config ? arena_fmt(mem, "%s/settings.json", config)
        : home                          ? arena_fmt(mem, "%s/.claude/settings.json", home)
                                        : S("");
    if (user.n)
        add_file(ret, user, FROM_USER, mem);
    add_file(ret, S(SETUP_MANAGED_DIR "/managed-settings.json"), FROM_MANAGED, mem);
    glob_t g = { 0 };
    if (!glob(SETUP_MANAGED_DIR "/managed-settings.d/*.json", 0, NULL, &g))
        for (size_t i = 0; i < g.gl_pathc; i++)
            add_file(ret, arena_str(mem, str_c(g.gl_pathv[i])), FROM_MANAGED, mem);
    globfree(&g);
    /* In the home directory the project's file is the user's own. */
    if (!home || !str_eq(dir, str_c(home)))
        look_at_project(ret, dir, mem);
}
