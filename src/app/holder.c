/* app/holder.c -- Linux: the socket's inode from /proc/net/tcp*, then whose descriptor it
 * is. Elsewhere lsof is asked, which macOS has.
 */
#include "app/holder.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 512 };

#ifdef __linux__
/* A line of it: "sl local remote state tx:rx timer retransmits uid timeout inode ...", hexadecimal but
 * for the last ones. */
static struct str field_of(struct str line, uint32_t n)
{
    for (uint32_t i = 0;; i++) {
        line = str_trim(line);
        struct str one = str_cut(&line, ' ');
        if (i == n || !line.p)
            return i == n ? one : S("");
    }
}

static struct str inode_in(const char *path, uint16_t port, struct arena *mem)
{
    char line[LINE_MAX_BYTES];
    struct str found = S(""), want = arena_fmt(mem, ":%04X", port);
    FILE *f = fopen(path, "r");
    while (f && !found.n && fgets(line, sizeof line, f))
        if (str_ends(field_of(str_c(line), 1), want) && str_eq(field_of(str_c(line), 3), S("0A")))   /* listens */
            found = arena_str(mem, field_of(str_c(line), 9));
    if (f)
        fclose(f);
    return found;
}

static bool holds(const char *pid, const char *want)
{
    char path[300], link[64];
    bool yes = false;
    snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    DIR *d = opendir(path);
    const struct dirent *e;
    while (d && !yes && (e = readdir(d))) {
        snprintf(path, sizeof path, "/proc/%.20s/fd/%.20s", pid, e->d_name);
        ssize_t n = readlink(path, link, sizeof link - 1);
        if (n > 0) {
            link[n] = 0;
            yes = !strcmp(link, want);
        }
    }
    if (d)
        closedir(d);
    return yes;
}

static struct str describe(const char *pid, struct arena *mem)
{
    char path[64], name[64] = "?";
    snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
    FILE *f = fopen(path, "r");
    if (f) {
        if (!fgets(name, sizeof name, f))
            snprintf(name, sizeof name, "?");
        fclose(f);
    }
    return arena_fmt(mem, STR_FMT " (pid %s)", STR_ARG(str_trim(str_c(name))), pid);
}

struct str port_holder(uint16_t port, struct arena *mem)
{
    struct str found = S(""), inode = inode_in("/proc/net/tcp", port, mem);
    if (!inode.n)
        inode = inode_in("/proc/net/tcp6", port, mem);
    if (!inode.n)
        return found;
    const char *want = arena_cstr(mem, arena_fmt(mem, "socket:[" STR_FMT "]", STR_ARG(inode)));
    DIR *d = opendir("/proc");
    const struct dirent *e;
    while (d && !found.n && (e = readdir(d)))
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && holds(e->d_name, want))
            found = describe(e->d_name, mem);
    if (d)
        closedir(d);
    return found;
}
#else
struct str port_holder(uint16_t port, struct arena *mem)
{
    char command[96], line[LINE_MAX_BYTES], pid[32] = "", name[64] = "";
    snprintf(command, sizeof command, "lsof -nP -iTCP:%u -sTCP:LISTEN -Fpc 2>/dev/null", port);
    FILE *f = popen(command, "r");
    while (f && fgets(line, sizeof line, f)) {
        struct str text = str_trim(str_c(line + 1));
        if (line[0] == 'p' && !pid[0])
            snprintf(pid, sizeof pid, STR_FMT, STR_ARG(text));
        if (line[0] == 'c' && !name[0])
            snprintf(name, sizeof name, STR_FMT, STR_ARG(text));
    }
    if (f)
        pclose(f);
    return pid[0] ? arena_fmt(mem, "%s (pid %s)", name, pid) : S("");
}
#endif
