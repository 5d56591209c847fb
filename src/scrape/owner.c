/* scrape/owner.c -- /proc/net/tcp says which socket listens where, /proc/PID/fd whose socket it is. */
#include "scrape/owner.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"

#ifdef __linux__

enum { NET_FILE_MAX = 4 << 20, STATE_LISTEN = 0x0a };

static bool hex(struct str s, uint64_t *ret)
{
    uint64_t v = 0;
    if (!s.n || s.n > 8)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = (char)(s.p[i] | 0x20);
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        v = v * 16 + (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *ret = v;
    return true;
}

static struct str next_word(struct str *rest)
{
    while (rest->n && rest->p[0] == ' ')
        *rest = str_sub(*rest, 1, rest->n);
    struct str w = str_cut(rest, ' ');
    return w;
}

/* "  sl local_address rem_address st ... inode": columns 1, 3 and 9. */
static bool read_line(struct str line, struct listening *ret)
{
    struct str words[10];
    for (size_t i = 0; i < LEN(words); i++)
        words[i] = next_word(&line);
    uint64_t port, state;
    struct str addr = words[1];
    str_cut(&addr, ':');
    *ret = (struct listening){ 0 };
    if (!hex(addr, &port) || !hex(words[3], &state) || state != STATE_LISTEN || !str_to_u64(words[9], &ret->inode))
        return false;
    ret->port = (uint16_t)port;
    return true;
}

static void read_sockets(struct port_owners *o, const char *path)
{
    CLEANUP(buf_done) struct buf text = { 0 };
    if (file_read(path, NET_FILE_MAX, &text, NULL))
        return;
    struct str rest = buf_view(&text);
    while (rest.n && o->n < OWNER_PORTS_MAX) {
        struct str line = str_cut(&rest, '\n');
        if (read_line(line, &o->at[o->n]))
            o->n++;
    }
}

static void read_name(struct port_owner *p)
{
    char path[64];
    CLEANUP(buf_done) struct buf text = { 0 };
    snprintf(path, sizeof path, "/proc/%lld/comm", (long long)p->pid);
    if (!file_read(path, 4096, &text, NULL))
        snprintf(p->name, sizeof p->name, STR_FMT, STR_ARG(str_trim(buf_view(&text))));
}

static void note_link(struct port_owners *o, int64_t pid, struct str link)
{
    uint64_t inode;
    if (!str_starts(link, S("socket:[")) || !str_to_u64(str_sub(link, 8, link.n - 9), &inode))
        return;
    for (uint32_t i = 0; i < o->n; i++)
        if (o->at[i].inode == inode && !o->at[i].owner.pid) {
            o->at[i].owner.pid = pid;
            read_name(&o->at[i].owner);
        }
}

static void read_process(struct port_owners *o, int64_t pid)
{
    char path[PATH_MAX], link[128];
    snprintf(path, sizeof path, "/proc/%lld/fd", (long long)pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(path, sizeof path, "/proc/%lld/fd/%s", (long long)pid, e->d_name);
        ssize_t n = readlink(path, link, sizeof link);
        if (n > 0)
            note_link(o, pid, (struct str){ link, (size_t)n });
    }
    if (d)
        closedir(d);
}

void port_owners_read(struct port_owners *ret, struct arena *mem)
{
    *ret = (struct port_owners){ .at = arena_new(mem, struct listening, OWNER_PORTS_MAX) };
    read_sockets(ret, "/proc/net/tcp");
    read_sockets(ret, "/proc/net/tcp6");
    DIR *d = opendir("/proc");
    for (struct dirent *e; d && (e = readdir(d));) {
        int64_t pid;
        if (str_to_i64(str_c(e->d_name), &pid) && pid > 0)
            read_process(ret, pid);
    }
    if (d)
        closedir(d);
}

#else

void port_owners_read(struct port_owners *ret, struct arena *mem)
{
    (void)mem;
    *ret = (struct port_owners){ 0 };
}

#endif

bool port_owner_of(const struct port_owners *o, struct str url, struct port_owner *ret)
{
    static const struct str local[] = { S("localhost:"), S("127.0.0.1:"), S("[::1]:") };
    size_t at = str_find(url, S("://"));
    if (at == SIZE_MAX)
        return false;
    struct str rest = str_sub(url, at + 3, url.n);
    uint64_t port = 0;
    for (size_t i = 0; i < LEN(local); i++)
        if (str_starts(rest, local[i])) {
            struct str tail = str_sub(rest, local[i].n, rest.n);
            if (!str_to_u64(str_cut(&tail, '/'), &port))
                return false;
        }
    for (uint32_t i = 0; i < o->n && port; i++)
        if (o->at[i].port == port && o->at[i].owner.pid) {
            *ret = o->at[i].owner;
            return true;
        }
    return false;
}
