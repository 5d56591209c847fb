/* logql/level.c -- levels from names, numbers, events and lines. */
#include "logql/level.h"

struct str level_name(enum level l)
{
    static const struct str names[LEVEL_COUNT] = {
        [LEVEL_NONE] = S(""),         [LEVEL_TRACE] = S("trace"),       [LEVEL_DEBUG] = S("debug"),
        [LEVEL_INFO] = S("info"),     [LEVEL_WARN] = S("warn"),         [LEVEL_ERROR] = S("error"),
        [LEVEL_CRITICAL] = S("critical"), [LEVEL_FATAL] = S("fatal"),   [LEVEL_UNKNOWN] = S("unknown"),
    };
    CHECK(l < LEVEL_COUNT);
    return names[l];
}

static const struct {
    struct str word;
    enum level level;
} spellings[] = {
    { S("trace"), LEVEL_TRACE },  { S("trc"), LEVEL_TRACE },    { S("debug"), LEVEL_DEBUG },
    { S("dbg"), LEVEL_DEBUG },    { S("info"), LEVEL_INFO },    { S("inf"), LEVEL_INFO },
    { S("information"), LEVEL_INFO }, { S("warn"), LEVEL_WARN }, { S("wrn"), LEVEL_WARN },
    { S("warning"), LEVEL_WARN }, { S("error"), LEVEL_ERROR },  { S("err"), LEVEL_ERROR },
    { S("critical"), LEVEL_CRITICAL }, { S("fatal"), LEVEL_FATAL },
};

enum level level_of_text(struct str s)
{
    for (size_t i = 0; i < LEN(spellings); i++)
        if (str_eq_nocase(spellings[i].word, s))
            return spellings[i].level;
    return LEVEL_NONE;
}

enum level level_of_severity(int64_t number)
{
    static const enum level by_four[] = { LEVEL_TRACE, LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARN, LEVEL_ERROR, LEVEL_FATAL };
    if (number < 1 || number > 24)
        return LEVEL_NONE;
    return by_four[(number - 1) / 4];
}

enum level level_of_event(struct str event, struct str decision)
{
    if (str_eq(event, S("api_error")) || str_eq(event, S("api_refusal")) || str_eq(event, S("internal_error")))
        return LEVEL_ERROR;
    if (str_eq(event, S("api_retries_exhausted")))
        return LEVEL_WARN;
    if (str_eq(event, S("tool_decision")) && str_eq(decision, S("reject")))
        return LEVEL_WARN;
    return LEVEL_NONE;
}

bool is_level_label(struct str label)
{
    static const struct str names[] = { S("level"), S("log_level"), S("severity"), S("SeverityText"), S("lvl"), S("severity_text") };
    for (size_t i = 0; i < LEN(names); i++)
        if (str_eq_nocase(names[i], label))
            return true;
    return false;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static struct str word_at(struct str line, size_t i)
{
    size_t n = 0;
    while (i + n < line.n && is_word(line.p[i + n]))
        n++;
    return str_sub(line, i, n);
}

/* The value behind a key: blanks, quotes, one '=' or ':' are skipped. */
static struct str value_behind(struct str line, size_t i)
{
    bool separator = false;
    for (; i < line.n; i++) {
        char c = line.p[i];
        if ((c == '=' || c == ':') && !separator)
            separator = true;
        else if (c != ' ' && c != '"')
            break;
    }
    return separator ? word_at(line, i) : S("");
}

enum { LEVEL_SEARCH_MAX = 1024 };                  /* how far into a line a level is looked for */

enum level level_of_line(struct str line)
{
    line = str_sub(line, 0, LEVEL_SEARCH_MAX);
    enum level word_level = LEVEL_NONE;
    for (size_t i = 0; i < line.n;) {
        struct str word = word_at(line, i);
        if (!word.n) {
            i++;
            continue;
        }
        enum level l = is_level_label(word) ? level_of_text(value_behind(line, i + word.n)) : LEVEL_NONE;
        if (l)
            return l;
        l = level_of_text(word);
        if (l > word_level)
            word_level = l;
        i += word.n;
    }
    return word_level;
}
