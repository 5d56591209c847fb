/* store/head_int.h -- between head.c and head_series.c.
 */
#pragma once
#include "store/head.h"

/* head.c: the column of a name; the code of a value in a column. */
struct head_col *head_col_get(struct head *h, struct colkey key, uint64_t *bytes);
uint32_t head_intern(struct head *h, struct head_col *c, const struct cell *cell, uint64_t *bytes);

/* head_series.c */
struct head_series *head_series_new(uint32_t room);
void head_series_free(struct head_series *s, uint32_t room);   /* NULL is fine */
void head_series_publish(struct head_series *s);               /* before the rows are */
void head_series_picture(const struct head_series *s, struct block *ret);    /* after their number was read */
