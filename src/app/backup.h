/* app/backup.h -- a backup of the running store, asked for over HTTP.
 *
 *   POST /api/ccmon/backup   to=/folder&proof=HEX   begins one, 202; 409 while one runs
 *   GET  /api/ccmon/backup                          how far it is, or how the last one went
 *
 * The server writes where the caller says, so the caller must show that it could have
 * written there itself: a file to/.ccmon-HEX, HEX being 32 digits of its own choice, has to
 * stand there. `ccmon backup` does all of this.
 *
 * Owner:    app_backup_new/app_backup_free; the latter ends a backup that runs.
 * Threads:  one of its own while a backup runs; handlers on the pool.
 */
#pragma once
#include "http/http.h"
#include "store/backup.h"

enum { BACKUP_PROOF_DIGITS = 32 };

struct backup_job;
struct backup_job *app_backup_new(struct store *s);
void app_backup_free(struct backup_job *j);        /* NULL is fine */
extern const struct http_route routes_backup[];    /* arg: struct app */
/* Names of files besides the store's own that a backup has. */
extern const char *const app_backup_also[];
/* to/.ccmon-HEX */
void app_backup_proof(const char *to, struct str proof, char out[BACKUP_PATH_MAX + 64]);
