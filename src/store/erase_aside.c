/* store/erase_aside.c -- what was set aside and names somebody who is erased.
 *
 * A request or a partition that could not be read stands in DATA/quarantine for a person to
 * look at. It cannot be written anew without the rows; so it goes as a whole.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/check_int.h"
#include "store/store_int.h"

enum { ASIDE_PATH_MAX = 2048 };

enum err store_drop_aside(const char *dir, const struct file_ops *ops, const struct str *texts, uint32_t ntexts, uint64_t *ret_dropped,
                          struct fault *f)
{
    char folder[ASIDE_PATH_MAX], path[ASIDE_PATH_MAX];
    (void)snprintf(folder, sizeof folder, "%.1000s/quarantine", dir);
    DIR *d = opendir(folder);
    enum err e = OK;
    uint64_t n = 0;
    for (struct dirent *x; d && !e && (x = readdir(d));) {
        (void)snprintf(path, sizeof path, "%.1020s/%.1000s", folder, x->d_name);
        if (x->d_name[0] == '.' || !check_file_has(path, texts, ntexts))
            continue;
        if (ops->unlink(ops->arg, path))
            e = fault_set(f, E_IO, 0, "unlink %s: %s", path, strerror(errno));
        n += !e;
    }
    if (d)
        (void)closedir(d);
    *ret_dropped = n;
    return e;
}
