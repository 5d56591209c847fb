/* privacy/names.c -- names as they are compared, and globs over them. */
#include "privacy/privacy_int.h"

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* user.email, user_email, user-email, userEmail and User.Email are one name. */
struct str name_form(struct str name, bool glob, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < name.n && n + 2 <= NAME_BYTES_MAX; i++) {
        char c = name.p[i];
        if (is_upper(c) && i && (is_lower(name.p[i - 1]) || is_digit(name.p[i - 1])))
            out[n++] = '_';
        if (is_upper(c))
            out[n++] = (char)(c | 0x20);
        else if (is_lower(c) || is_digit(c) || (glob && (c == '*' || c == '?')))
            out[n++] = c;
        else if (((unsigned char)c & 0xc0) != 0x80)    /* one for a character, not a byte */
            out[n++] = '_';
    }
    return (struct str){ out, n };
}

/* On a mismatch the newest '*' takes one byte more: no recursion, at worst |glob| * |name|. */
bool glob_match(struct str glob, struct str name)
{
    size_t g = 0, n = 0, star = SIZE_MAX, from = 0;
    while (n < name.n) {
        if (g < glob.n && glob.p[g] == '*') {
            star = ++g;
            from = n;
        } else if (g < glob.n && (glob.p[g] == '?' || glob.p[g] == name.p[n])) {
            g++;
            n++;
        } else if (star != SIZE_MAX) {
            g = star;
            n = ++from;
        } else {
            return false;
        }
    }
    while (g < glob.n && glob.p[g] == '*')
        g++;
    return g == glob.n;
}
