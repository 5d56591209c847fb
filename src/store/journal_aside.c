/* store/journal_aside.c -- what the log's replay cannot use, kept for a person to look at.
 *
 * A process that dies while a frame is applied would die at every start. A note in
 * DATA/replaying names each frame before it is applied, and how many starts ended there;
 * a frame that ended three is set aside as poison, and known again by its bytes as long as
 * the log holds it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/journal_int.h"
#include "store/limits.h"

enum { PATH_ROOM = 1300, DEATHS_CAP = 1000 };

/* ---- quarantine ------------------------------------------------------------ */

static void aside_path(const struct journal *j, enum aside kind, uint64_t seq, char out[PATH_ROOM])
{
    static const char *const names[] = { [ASIDE_FRAME] = "frame", [ASIDE_POISON] = "poison", [ASIDE_STRETCH] = "stretch" };
    snprintf(out, PATH_ROOM, "%s/quarantine/%s-%llu.bin", j->o.dir, names[kind], (unsigned long long)seq);
}

static enum err make_folder(const struct journal *j, struct fault *f)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/quarantine", j->o.dir);
    return file_mkdir(path, f);
}

bool aside_has(const struct journal *j, enum aside kind, uint64_t seq, struct str bytes)
{
    CLEANUP(buf_done) struct buf have = { 0 };
    char path[PATH_ROOM];
    struct fault f;
    aside_path(j, kind, seq, path);
    return !file_read(path, FRAME_BYTES_MAX, &have, &f) && str_eq(buf_view(&have), bytes);
}

enum err aside_put(const struct journal *j, enum aside kind, uint64_t seq, struct str bytes, const char *why, struct fault *f)
{
    char path[PATH_ROOM], text[PATH_ROOM + 400];
    if (aside_has(j, kind, seq, bytes))            /* until the log is cut it is met at every start */
        return OK;
    enum err e = make_folder(j, f);
    if (e)
        return e;
    aside_path(j, kind, seq, path);
    e = file_write_atomic(j->o.ops, path, bytes, f);
    if (e)
        return e;
    snprintf(text, sizeof text, "log: %s; %zu bytes from sequence %llu on are set aside in %s", why, bytes.n,
             (unsigned long long)seq, path);
    journal_report(j, "quarantine", text);
    return OK;
}

enum err aside_segment(const struct journal *j, uint64_t number, struct fault *f)
{
    char from[1200], to[PATH_ROOM], text[1200 + PATH_ROOM + 100];
    segment_path(j, number, from);
    snprintf(to, sizeof to, "%s/quarantine/%08llu.seg", j->o.dir, (unsigned long long)number);
    enum err e = make_folder(j, f);
    if (e)
        return e;
    if (j->o.ops->rename(j->o.ops->arg, from, to))
        return fault_set(f, E_IO, 0, "rename %s: %s", from, strerror(errno));
    snprintf(text, sizeof text, "log: %s has no readable head and was moved to %s", from, to);
    journal_report(j, "quarantine", text);
    return OK;
}

/* ---- the note -------------------------------------------------------------- */

void note_open(const struct journal *j, struct aside_note *ret)
{
    char text[64] = { 0 };
    uint64_t deaths;
    *ret = (struct aside_note){ 0 };
    snprintf(ret->path, sizeof ret->path, "%s/replaying", j->o.dir);
    ret->fd = open(ret->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ssize_t got = ret->fd < 0 ? 0 : pread(ret->fd, text, sizeof text - 1, 0);
    struct str rest = str_trim((struct str){ text, got > 0 ? (size_t)got : 0 }), seq = str_cut(&rest, ' ');
    if (str_to_u64(seq, &ret->killer) && ret->killer)
        ret->deaths = str_to_u64(rest, &deaths) ? (unsigned)MIN(deaths, (uint64_t)DEATHS_CAP) : 1;
}

/* Not synced: it must outlive this process, not the machine. */
void note_frame(const struct aside_note *n, uint64_t seq)
{
    char text[64];
    int len = snprintf(text, sizeof text, "%020llu %010u\n", (unsigned long long)seq, seq == n->killer ? n->deaths + 1 : 1);
    if (n->fd >= 0 && pwrite(n->fd, text, (size_t)len, 0) != len)
        unlink(n->path);
}

void note_close(struct aside_note *n, bool finished)
{
    fd_closep(&n->fd);
    if (finished)
        unlink(n->path);
}
