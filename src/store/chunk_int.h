/* store/chunk_int.h -- the parts of the chunk codec, for chunk_*.c only.
 *
 * Writers append to a buf, whose overflow is sticky. Readers take from a cursor
 * whose first malformed byte sets `bad` and empties the rest; who opened the blob
 * asks once at the end.
 *
 * Threads:  pure functions; any.
 */
#pragma once
#include "base/buf.h"
#include "store/chunk.h"

/* The second byte of a blob; on disk, never renumbered. 32-63 are kept free for rollups. */
enum chunk_enc {
    ENC_CONST = 1,     /* one value in every row */
    ENC_DICT = 2,      /* the distinct values, and a code per row */
    ENC_INT = 3,       /* integers, rows without one in a bitmap */
    ENC_DOUBLE = 4,    /* doubles, likewise */
    ENC_LIST = 5,      /* a value per row that has one, mostly distinct */
    ENC_TIME = CHUNK_ENC_TIME, /* a time, as the difference to the row's own */
    ENC_STEPS = 7,     /* as DICT, but each code as the difference to the one before, modulo its width */
    ENC_RUNS = 16,     /* the lengths of the runs, where their moments begin, the lengths of the pieces */
    ENC_SUMMARY = 64,
    ENC_FILTER = 65,
};

/* What a blob stands for goes into its checksum: a column's number, or one of these. */
enum { BLOB_SUMMARY = CHUNK_COLUMNS, BLOB_FILTER };

/* --- chunk_blob.c: cursor, writer, and the envelope of every blob ------------- */

struct rd {
    const uint8_t *p, *end;
    bool bad;
};

const uint8_t *rd_take(struct rd *r, uint64_t n);  /* NULL when bad */
uint8_t rd_byte(struct rd *r);
uint64_t rd_varint(struct rd *r);
int64_t rd_zigzag(struct rd *r);
uint64_t rd_u64(struct rd *r);                     /* little endian */
struct str rd_str(struct rd *r);                   /* length and bytes, borrowed */

void put_varint(struct buf *b, uint64_t v);
void put_zigzag(struct buf *b, int64_t v);
void put_u64(struct buf *b, uint64_t v);
void put_str(struct buf *b, struct str s);

static inline uint64_t zigzag(int64_t v) { return (uint64_t)v << 1 ^ (uint64_t)(v >> 63); }
static inline int64_t unzigzag(uint64_t v) { return (int64_t)(v >> 1 ^ -(v & 1)); }

/* What stands in a blob's head. */
struct blob_kind {
    enum chunk_enc enc;
    enum chunk_grain grain;
    bool pieces;
    bool patient;                                  /* writing only: smaller, for twice the time */
};
/* Compresses the payload if that makes it smaller, and closes it with a checksum. */
MUST enum err blob_seal(const struct buf *payload, struct blob_kind kind, uint32_t what, struct arena *mem, struct str *ret,
                        struct fault *f);
/* Checks a blob that is never compressed; the cursor points into it. */
MUST enum err blob_view(struct str blob, uint32_t what, enum chunk_enc *ret_enc, struct rd *ret, struct fault *f);
/* Is there room for the worst that `raw` bytes of payload and `rows` values can need? */
bool blob_room(const struct arena *mem, size_t raw, uint32_t rows);
/* Checks and inflates. The payload is in mem, which then has room for everything
 * that decoding `rows` rows of it may need (E_LIMIT otherwise). */
MUST enum err blob_open(struct str blob, uint32_t what, uint32_t rows, struct arena *mem, struct blob_kind *ret_kind,
                        struct rd *ret, struct fault *f);
/* zstd where that is smaller; else *ret is the same bytes. */
MUST enum err blob_pack(struct str raw, bool patient, struct buf *room, struct str *ret, struct fault *f);
/* A checked blob in pieces: what stands after its head. */
MUST enum err blob_pieces(struct str blob, uint32_t what, enum chunk_enc *ret_enc, struct rd *ret, struct fault *f);

/* --- chunk_num.c: arrays of numbers -------------------------------------------- */

void put_ints(struct buf *b, const int64_t *v, size_t n, struct arena scratch);
void put_few_ints(struct buf *b, const int64_t *v, size_t n, struct arena scratch);   /* likely few distinct ones */
void rd_ints(struct rd *r, int64_t *v, size_t n);
/* Those from lo to before hi, of n. */
void rd_ints_span(struct rd *r, int64_t *v, size_t n, size_t lo, size_t hi);
/* Those with the numbers at[0 .. nat), ascending, of n. */
void rd_ints_at(struct rd *r, int64_t *v, size_t n, const uint32_t *at, size_t nat, struct arena scratch);
void rd_doubles_span(struct rd *r, double *v, size_t n, size_t lo, size_t hi, struct arena scratch);
/* Stretches v[end[k - 1]] ... of first[k] and what the differences to the one before, which
 * stand as put_ints() has them, lead to; n > 0 of them. */
void rd_stretches(struct rd *r, int64_t *v, const int64_t *first, const uint32_t *end, uint32_t n, struct arena scratch);
/* About how many bits put_ints() will leave to the compressor. */
uint64_t ints_cost(const int64_t *v, size_t n);
void put_doubles(struct buf *b, const double *v, size_t n, struct arena scratch);
void rd_doubles(struct rd *r, double *v, size_t n, struct arena scratch);

/* v is m / 10^e to the bit. */
#define CHUNK_EXP_MAX 15
extern const double chunk_pow10[CHUNK_EXP_MAX + 1];
bool as_decimal(double v, unsigned e, int64_t *ret);
/* The smallest exponent under which all but exceptions are decimals. */
unsigned decimal_exponent(const double *v, size_t n);

/* Which rows have a value: nothing if all have, else a bitmap. */
void put_valid(struct buf *b, const uint8_t *valid, uint32_t rows);   /* NULL: all */
/* *ret is NULL if all have; returns how many have. */
uint32_t rd_valid(struct rd *r, uint32_t rows, struct arena *mem, const uint8_t **ret);
uint32_t bits_set(const uint8_t *map, size_t bytes);
static inline bool bit_get(const uint8_t *map, uint32_t i) { return map[i >> 3] >> (i & 7) & 1; }

/* --- chunk_text.c: lists of texts and of typed values --------------------------- */

enum { ISO_MS_LEN = 24 };                          /* "2026-11-23T10:00:00.000Z" */
void iso_ms_format(char out[ISO_MS_LEN], int64_t ms);       /* years 0 to 9999 only */
bool iso_ms_parse(struct str s, int64_t *ret_ms);           /* exactly what the other one writes */
bool iso_ms_fits(int64_t ms);
enum { ISO_DAY_LEN = 11 };
struct iso_day {                                   /* the newest day that was parsed: the next text mostly is of it */
    char text[ISO_DAY_LEN];
    int64_t ms;
};
bool iso_ms_parse_near(struct str s, struct iso_day *day, int64_t *ret_ms);     /* all zero at first */

bool plain_int(struct str s, int64_t *ret);        /* an integer just as we would write it */

void put_values(struct buf *b, const struct value *v, size_t n, struct arena scratch);
void put_int_texts(struct buf *b, const int64_t *v, size_t n, struct arena scratch);   /* the same, of texts that plain_int() took */
void rd_values(struct rd *r, struct value *v, size_t n, struct arena *mem);

/* Those with the numbers at[0 .. nat), ascending, of n. */
void rd_values_some(struct rd *r, size_t n, const uint32_t *at, size_t nat, struct value *v, struct arena *mem);

/* --- chunk_column.c: one attribute column ---------------------------------------- */

/* A column in the chunk's row order: dict[0] is absent, every other entry occurs. */
struct chunk_vals {
    struct colkey key;
    uint32_t rows, present;
    const uint32_t *code;                          /* or a plain column: */
    const struct value *dict;
    uint32_t ndict;
    enum vtype type;
    const int64_t *i64;
    const double *f64;
    const uint8_t *valid;
};

enum time_form { TIME_NS = 0, TIME_ISO = 1 };
int64_t floor_ms(int64_t ns);
unsigned code_width(uint32_t ndict);               /* bytes of a code on disk */
const uint8_t *codes_of_steps(const uint8_t *p, unsigned width, uint32_t rows, struct arena *mem);   /* planes to planes */
extern const uint32_t code_absent, code_first;     /* for CODES_SAME */

/* Takes rows order[0 .. n) of an input column into the chunk's order. */
void chunk_vals_gather(const struct column *c, const uint32_t *order, uint32_t n, struct arena *mem, struct chunk_vals *ret);
bool chunk_vals_by_run(struct chunk_vals *v, const struct chunk_shape *s);
/* The encoding in `how` is chosen here. time_ns NULL: the rows of v are no rows of the chunk. */
MUST enum err chunk_vals_encode(const struct chunk_vals *v, uint32_t column, struct blob_kind how, const int64_t *time_ns,
                                struct arena *mem, struct arena scratch, struct str *ret, struct fault *f);

/* --- chunk_summary.c, chunk_filter.c, chunk_sort.c -------------------------------- */

/* Describes a column (key, types, values, range); column and content are the caller's.
 * Texts are borrowed from v. */
struct chunk_col chunk_col_of(enum table t, const struct chunk_vals *v);
MUST enum err chunk_summary_write(const struct chunk_summary *s, struct arena *mem, struct str *ret, struct fault *f);

bool chunk_filter_wants(struct colkey key);
/* Adds the hashes of the column's values. */
struct filter_keys {
    uint64_t *at;
    uint32_t n, cap;
};
void chunk_filter_add(struct filter_keys *k, const struct chunk_vals *v, struct arena *mem);
MUST enum err chunk_filter_write(const struct filter_keys *k, struct arena *mem, struct str *ret, struct fault *f);

/* in->sel in the order in which the chunk has its rows, and the runs these stand in. */
struct chunk_order {
    uint32_t *row;
    uint32_t *run_end;                             /* of each run, where the next one begins */
    uint32_t *element;                             /* samples: of each run, its element of the columns of labels */
    uint32_t nruns;
};
void chunk_sort(enum table t, const struct block *in, struct arena *mem, struct chunk_order *ret);
/* Samples in runs, these in no order. */
void chunk_group(const struct block *in, struct arena *mem, struct chunk_order *ret);

/* An LSD radix sort: keys are set in items[], sorted by, set anew. */
struct sort_item {
    uint64_t key;
    uint32_t row;
};
struct sorter {
    struct sort_item *items, *spare;
    uint32_t n;
};
struct sorter sorter_new(uint32_t n, struct arena *mem);
void sort_by_key(struct sorter *s);                /* keeps the order of equals */

/* --- chunk_shape.c: runs, moments, pieces ------------------------------------------- */

/* What chunk_shape_write() needs besides: of each row, how far its moment is behind that of the
 * row before in its run, less one; NULL if all follow each other. */
struct chunk_moments {
    uint32_t n;
    const int64_t *time_ns, *recv_ns, *seq;        /* of each */
    const uint32_t *of;                            /* by row, in the chunk's order */
    const int64_t *step;
};
void chunk_shape_find(enum table t, const struct block *in, const struct chunk_order *o, struct arena *mem,
                      struct chunk_shape *ret, struct chunk_moments *ret_moments);
MUST enum err chunk_shape_write(const struct chunk_shape *s, struct arena *mem, struct str *ret, struct fault *f);

/* --- chunk_piece.c: fixed columns in pieces ------------------------------------------ */

MUST enum err chunk_pieces_write(const struct chunk_shape *s, uint32_t column, const int64_t *ints, const double *doubles,
                                 struct arena *mem, struct arena scratch, struct str *ret, struct fault *f);
