/* scrape/incarnation.c -- see the table in incarnation.h. */
#include "scrape/incarnation.h"

enum incarnation_end incarnation_judge(const struct incarnation *i, const struct roster *now)
{
    if (!i->start_ns)
        return INCARNATION_FIRST;
    if (i->broken)
        return INCARNATION_BROKEN;
    for (uint32_t k = 0; k < i->series.n; k++) {
        const struct roster_entry *was = &i->series.at[k], *is = roster_find(now, was->id);
        if (!is)
            return INCARNATION_GONE;
        if (is->value < was->value)
            return INCARNATION_FELL;
    }
    return INCARNATION_SAME;
}

enum incarnation_end incarnation_step(struct incarnation *i, struct roster *now, int64_t since_ns, int64_t time_ns)
{
    enum incarnation_end end = incarnation_judge(i, now);
    if (end != INCARNATION_SAME) {
        /* After the last look and before this one; and never a start that was used already. */
        int64_t start = MIN(MAX(since_ns, i->seen_ns) + 1, time_ns - 1);
        i->start_ns = MAX(start, i->start_ns + 1);
    }
    i->seen_ns = MAX(i->seen_ns, time_ns);
    i->broken = false;
    roster_done(&i->series);
    i->series = *now;
    *now = (struct roster){ 0 };
    return end;
}

void incarnation_done(struct incarnation *i)
{
    roster_done(&i->series);
    *i = (struct incarnation){ 0 };
}
