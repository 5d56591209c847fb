/* logql/tmpl_int.h -- the inside of templates: nodes, values, the function table. */
#pragma once
#include "logql/jscan.h"
#include "logql/tmpl.h"

/* ---- nodes --------------------------------------------------------------------------- */

enum node_kind {
    NODE_TEXT, NODE_ACTION, NODE_IF, NODE_WITH, NODE_RANGE, NODE_BREAK, NODE_CONTINUE,   /* statements */
    NODE_DOT, NODE_STRING, NODE_INT, NODE_FLOAT, NODE_BOOL, NODE_NIL, NODE_VARIABLE, NODE_FUNCTION, NODE_PIPE,   /* operands */
};

struct fn_def;
struct node;

struct node_list {
    struct node **at;
    uint32_t n, cap;
};

/* A function or an operand with its arguments. */
struct command {
    struct node_list args;
};

struct pipe {
    struct str vars[2];                            /* $x := ..., $i, $x := range ... */
    uint32_t nvars;
    bool assign;                                   /* "=": the variable is there already */
    struct command *cmds;
    uint32_t ncmds, cap;
};

struct node {
    enum node_kind kind;
    size_t at;
    struct str text;                               /* text, string, variable's name */
    int64_t i;
    double d;
    bool b;
    const struct fn_def *fn;
    struct pipe *pipe;
    struct node_list body, other;                  /* statements of if, with, range; of else */
    struct str *fields;                            /* .a.b behind an operand */
    uint32_t nfields, cap_fields;
};

struct tmpl {
    const char *name;
    struct node_list root;
    struct str simple;                             /* the template is {{.label}} and nothing else */
};

/* ---- values --------------------------------------------------------------------------- */

enum tkind { TV_NIL, TV_NONE, TV_STR, TV_INT, TV_FLOAT, TV_BOOL, TV_TIME, TV_LIST, TV_MAP, TV_LABELS };

struct tval {
    enum tkind kind;
    union {
        struct str s;                              /* also the JSON text of TV_LIST and TV_MAP */
        int64_t i;                                 /* TV_INT, TV_TIME (Unix ns) */
        double d;
        bool b;
    };
};

struct run;

struct tval tv_str(struct str s);
struct tval tv_int(int64_t i);
struct tval tv_float(double d);
struct tval tv_bool(bool b);
struct tval tv_time(int64_t ns);
struct tval tv_json(struct jvalue v, struct arena *mem);
bool tv_truth(struct tval v, struct run *r);
/* As {{ v }} prints it. */
struct str tv_text(struct tval v, struct run *r);
struct str tv_type(struct tval v);                 /* Go's name of the type */
void tv_put_float(struct buf *b, double d);        /* %v */
/* As the cast functions of sprig read anything: 0 where there is no number. */
int64_t tv_to_int(struct tval v);
double tv_to_float(struct tval v);

/* ---- a run ------------------------------------------------------------------------------ */

enum { RUN_VARS_MAX = 64 };

struct variable {
    struct str name;
    struct tval v;
};

struct run {
    const struct tmpl *t;
    struct entry *e;
    struct arena *mem;
    struct buf out;
    uint32_t steps;
    struct variable vars[RUN_VARS_MAX];
    uint32_t nvars;
    struct str error;
};

/* Sets the error once; always false. */
bool run_fail(struct run *r, const char *fmt, ...) PRINTF(2, 3);
/* Collections. */
uint32_t tv_count(struct tval v, struct run *r);
bool tv_element(struct tval v, uint32_t at, struct run *r, struct tval *ret_key, struct tval *ret);
bool tv_member(struct tval v, struct str key, struct run *r, struct tval *ret);

/* ---- functions --------------------------------------------------------------------------- */

enum { FN_ANY = 255 };

struct fn_def {
    struct str name;
    uint8_t min, max;                              /* arguments; FN_ANY: no limit */
    bool (*call)(struct run *r, const struct tval *a, uint32_t n, struct tval *ret);
};

extern const struct fn_def tmpl_fns_builtin[], tmpl_fns_text[], tmpl_fns_number[], tmpl_fns_time[];   /* end with an empty name */
const struct fn_def *tmpl_fn_find(struct str name);
/* The i-th argument as text, or the failure Go reports. */
bool arg_str(struct run *r, const struct tval *a, uint32_t i, struct str *ret);
bool arg_int(struct run *r, const struct tval *a, uint32_t i, int64_t *ret);
bool arg_time(struct run *r, const struct tval *a, uint32_t i, int64_t *ret);
/* A buffer's content as a value in the run's memory; ends the buffer. */
struct tval tv_take(struct run *r, struct buf *b);
