/* logql/filter_label.h -- the tree of a label filter, which planning looks into to
 * hand what it can down to the source. */
#pragma once
#include "logql/ip.h"
#include "logql/stage.h"

enum test_kind { TEST_MATCH, TEST_NUMBER, TEST_DURATION, TEST_BYTES, TEST_IP, TEST_AND, TEST_OR };

struct label_test {
    enum test_kind kind;
    enum bin_op op;                                /* comparisons */
    struct str name;
    struct matcher matcher;                        /* TEST_MATCH */
    double number;
    int64_t ns;
    uint64_t bytes;
    struct str text;                               /* TEST_IP, as written */
    struct ip_set ips;
    struct label_test *left, *right;
};
