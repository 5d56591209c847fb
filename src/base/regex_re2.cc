/* base/regex_re2.cc -- the wrapper of RE2, and the only C++ file.
 *
 * Options are fixed here once. RE2's syntax is Go's, but for one thing that newer
 * Go has and RE2's packaged versions lack: (?<name>...) is rewritten to
 * (?P<name>...) before compiling. Errors have Go's wording, which is what users
 * of Prometheus and Loki know.
 */
extern "C" {
#include "base/regex.h"
}

#include <re2/re2.h>

#include <cctype>
#include <cstring>
#include <string>
#include <vector>

namespace {

/* Compiled program and DFA cache together. RE2 falls back to its slower engine
 * when the cache does not fit, never to a wrong answer. */
constexpr int64_t kMemMax = 8 << 20;
constexpr size_t kPatternMax = 64 << 10;

/* Where the character class beginning at s[i] == '[' ends (its last byte). */
size_t ClassEnd(const std::string &s, size_t i)
{
    i++;
    if (i < s.size() && s[i] == '^')
        i++;
    if (i < s.size() && s[i] == ']')
        i++;
    while (i < s.size() && s[i] != ']') {
        if (s[i] == '\\') {
            i++;
        } else if (s[i] == '[' && i + 1 < s.size() && s[i + 1] == ':') {
            size_t end = s.find(":]", i + 2);
            if (end != std::string::npos)
                i = end + 1;
        }
        i++;
    }
    return i;
}

std::string WithGoNames(const std::string &s)
{
    std::string out;
    for (size_t i = 0; i < s.size(); i++) {
        size_t last = i;                           /* [i, last] is copied as it stands */
        if (s.compare(i, 2, "\\Q") == 0) {
            size_t end = s.find("\\E", i + 2);
            last = end == std::string::npos ? s.size() - 1 : end + 1;
        } else if (s[i] == '\\') {
            last = i + 1;
        } else if (s[i] == '[') {
            last = ClassEnd(s, i);
        } else if (s.compare(i, 3, "(?<") == 0) {
            out += "(?P";
            i += 2;
            last = i;
        }
        out.append(s, i, last - i + 1);
        i = last;
    }
    return out;
}

RE2::Options Fixed()
{
    RE2::Options o;
    o.set_encoding(RE2::Options::EncodingUTF8);
    o.set_dot_nl(true);
    o.set_log_errors(false);
    o.set_max_mem(kMemMax);
    return o;
}

/* Go's name for what is wrong. */
const char *Reason(RE2::ErrorCode code)
{
    switch (code) {
    case RE2::ErrorBadEscape:
        return "invalid escape sequence";
    case RE2::ErrorBadCharClass:
        return "invalid character class";
    case RE2::ErrorBadCharRange:
        return "invalid character class range";
    case RE2::ErrorMissingBracket:
        return "missing closing ]";
    case RE2::ErrorMissingParen:
        return "missing closing )";
    case RE2::ErrorUnexpectedParen:
        return "unexpected )";
    case RE2::ErrorTrailingBackslash:
        return "trailing backslash at end of expression";
    case RE2::ErrorRepeatArgument:
        return "missing argument to repetition operator";
    case RE2::ErrorRepeatSize:
        return "invalid repeat count";
    case RE2::ErrorRepeatOp:
        return "invalid nested repetition operator";
    case RE2::ErrorBadPerlOp:
        return "invalid or unsupported Perl syntax";
    case RE2::ErrorBadUTF8:
        return "invalid UTF-8";
    case RE2::ErrorBadNamedCapture:
        return "invalid named capture";
    default:
        return "expression too large";
    }
}

re2::StringPiece Piece(struct str s)
{
    return re2::StringPiece(s.p ? s.p : "", s.n);
}

/* One alternative of a pattern that is made of literals: what stands before and behind the
 * text is anything, or nothing. Dots match every byte then, also those of malformed UTF-8,
 * as they do in Go. */
struct Literal {
    std::string text;
    bool before = false, behind = false;

    bool Match(struct str s) const
    {
        if (s.n < text.size() || (!before && !behind && s.n != text.size()))
            return false;
        if (text.empty())
            return true;
        if (before && behind)
            return memmem(s.p, s.n, text.data(), text.size()) != nullptr;
        return memcmp(before ? s.p + s.n - text.size() : s.p, text.data(), text.size()) == 0;
    }
};

constexpr size_t kLiteralsMax = 16;                /* more are faster as an automaton */

/* Reads plain characters and escaped punctuation up to '|', ')' or ".*"; false: there is more to it. */
bool ReadText(const std::string &s, size_t &i, std::string &text)
{
    for (; i < s.size() && s[i] != '|' && s[i] != ')' && s.compare(i, 2, ".*") != 0; i++) {
        bool escaped = s[i] == '\\' && i + 1 < s.size() && ispunct(static_cast<unsigned char>(s[i + 1]));
        if (!escaped && strchr("\\.+*?()[]{}^$", s[i]))   /* the NUL too */
            return false;
        i += escaped;
        text += s[i];
    }
    return true;
}

/* alternatives := [".*"] text [".*"] { "|" ... } up to `end`. */
bool ReadAlternatives(const std::string &s, size_t &i, std::vector<Literal> &out)
{
    for (;;) {
        Literal l;
        for (; s.compare(i, 2, ".*") == 0; i += 2)
            l.before = true;
        if (!ReadText(s, i, l.text))
            return false;
        for (; s.compare(i, 2, ".*") == 0; i += 2)
            l.behind = true;
        if (l.text.empty())
            l.behind |= l.before;
        out.push_back(l);
        if (out.size() > kLiteralsMax)
            return false;
        if (i == s.size() || s[i] != '|')
            return i == s.size() || s[i] == ')';
        i++;
    }
}

/* The pattern as literals: alternatives, or ".*" ( alternatives ) ".*"; else none. */
std::vector<Literal> Literals(const std::string &s, enum regex_mode mode)
{
    std::vector<Literal> all;
    size_t i = 0;
    bool before = false, behind = false;
    if (mode == REGEX_FULL && ReadAlternatives(s, i, all) && i == s.size())
        return all;
    all.clear();
    i = 0;
    for (; s.compare(i, 2, ".*") == 0; i += 2)
        before = true;
    bool group = i < s.size() && s[i] == '(';
    i += group ? s.compare(i, 3, "(?:") == 0 ? 3 : 1 : 0;
    if (!ReadAlternatives(s, i, all))
        return {};
    if (group && (i == s.size() || s[i++] != ')'))
        return {};
    for (; s.compare(i, 2, ".*") == 0; i += 2)
        behind = true;
    if (i != s.size())
        return {};
    bool search = mode == REGEX_SEARCH;
    for (Literal &l : all) {
        l.before |= before || search;
        l.behind |= behind || search;
    }
    return all;
}

} // namespace

struct regex {
    RE2 re;
    RE2::Anchor anchor;
    std::vector<Literal> literals;                 /* all there is to it; none: it is more than literals */
    std::vector<std::string> names; /* by group number; empty where unnamed */

    regex(const std::string &pattern, enum regex_mode mode)
        : re(pattern, Fixed()), anchor(mode == REGEX_FULL ? RE2::ANCHOR_BOTH : RE2::UNANCHORED),
          literals(Literals(pattern, mode))
    {
    }
};

extern "C" enum err regex_new(struct str pattern, enum regex_mode mode, struct regex **ret, struct fault *f)
{
    if (pattern.n > kPatternMax)
        return fault_set(f, E_LIMIT, 0, "regular expression longer than %zu bytes", kPatternMax);

    auto *r = new regex(WithGoNames(Piece(pattern).as_string()), mode);
    if (!r->re.ok()) {
        enum err e = r->re.error_code() == RE2::ErrorPatternTooLarge ? E_LIMIT : E_SYNTAX;
        fault_set(f, e, 0, "error parsing regexp: %s: `%s`", Reason(r->re.error_code()), r->re.error_arg().c_str());
        delete r;
        return e;
    }
    if (regex_groups(r) >= REGEX_GROUPS_MAX) {
        delete r;
        return fault_set(f, E_LIMIT, 0, "regular expression with more than %d groups", REGEX_GROUPS_MAX - 1);
    }
    r->names.resize(regex_groups(r) + 1);
    for (const auto &group : r->re.CapturingGroupNames())
        r->names[static_cast<size_t>(group.first)] = group.second;
    *ret = r;
    return OK;
}

extern "C" void regex_free(struct regex *r)
{
    delete r;
}

extern "C" void regex_freep(struct regex **r)
{
    delete *r;
    *r = nullptr;
}

extern "C" bool regex_match(const struct regex *r, struct str s)
{
    if (r->literals.empty())
        return r->re.Match(Piece(s), 0, s.n, r->anchor, nullptr, 0);
    for (const Literal &l : r->literals)
        if (l.Match(s))
            return true;
    return false;
}

extern "C" struct str regex_contains(const struct regex *r)
{
    if (r->literals.size() != 1 || !r->literals[0].before || !r->literals[0].behind || r->literals[0].text.empty())
        return { nullptr, 0 };
    const std::string &text = r->literals[0].text;
    return { text.data(), text.size() };
}

extern "C" uint32_t regex_groups(const struct regex *r)
{
    return static_cast<uint32_t>(r->re.NumberOfCapturingGroups());
}

extern "C" struct str regex_group_name(const struct regex *r, uint32_t i)
{
    CHECK(i >= 1 && i < r->names.size());
    const std::string &name = r->names[i];
    return { name.empty() ? nullptr : name.data(), name.size() };
}

extern "C" bool regex_find(const struct regex *r, struct str s, size_t from, struct str *ret, uint32_t n)
{
    CHECK(n <= REGEX_GROUPS_MAX && from <= s.n);
    re2::StringPiece groups[REGEX_GROUPS_MAX];
    if (!r->re.Match(Piece(s), from, s.n, r->anchor, groups, static_cast<int>(n)))
        return false;
    for (uint32_t i = 0; i < n; i++)
        ret[i] = { groups[i].data(), groups[i].size() };
    return true;
}
