/* ledger/measures.h -- the settled figures (accounting rule 6): what they are called, what
 * events or metrics tell them, and which labels they bear.
 *
 * A row of measures[] is a whole figure. Labels are the same whichever source tells a
 * session's figure: those in settled_labels[], what people put into their own resource
 * attributes, the figure's own `type`, and ccmon_source.
 *
 * Threads:  constants.
 */
#pragma once
#include "model/source.h"

enum { MEASURE_VALUES_MAX = 5 };

/* A number of an event, and what it is told apart by. */
struct measure_value {
    struct str attribute;                          /* as label_name() has it; empty: each event counts one */
    struct str type;                               /* value of the label `type`; empty: no such label */
};

struct measure {
    struct str name;
    struct str event;                              /* event.name; empty: no event tells it */
    struct measure_value values[MEASURE_VALUES_MAX];
    uint32_t nvalues;
    struct str metric;                             /* canonical name; empty: no metric tells it */
    enum metric_type type;
    struct str unit, help;
};
extern const struct measure measures[];
extern const uint32_t nmeasures;

/* What label_name() makes the settled label of a column; empty: it shows none. Labels of samples have PLACE_LABEL. */
struct str settled_label(const struct colkey *key);
/* Does every source say a label's text in the same words? Then matchers on it can be asked of stored rows. */
bool settled_label_is_plain(struct str label);
/* A stored text as the settled label has it: query_source of events is free text, of metrics one of three. */
struct str settled_text(struct str label, struct str text);
