/* Strict JSON grammar, by recursive descent; the depth limit bounds the stack.
 *
 * Happy path: each function takes its part off the front and returns true.
 * Failure modes: anything else is false, and the text is refused whole. */
#include "common/json_check.h"

#include "common/err.h"
#include "common/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct check {
    const uint8_t *pos, *end;
    unsigned depth_left;
};

static bool check_value(struct check *c);

static size_t left(const struct check *c)
{
    return (size_t)(c->end - c->pos);
}

static void skip_blanks(struct check *c)
{
    while (left(c) > 0 && (*c->pos == ' ' || *c->pos == '\t' || *c->pos == '\n' || *c->pos == '\r'))
        c->pos++;
}

static bool take(struct check *c, char wanted)
{
    if (left(c) == 0 || *c->pos != (uint8_t)wanted)
        return false;
    c->pos++;
    return true;
}

static bool take_word(struct check *c, const char *word)
{
    size_t len = strlen(word);

    if (left(c) < len || memcmp(c->pos, word, len) != 0)
        return false;
    c->pos += len;
    return true;
}

/* One or more digits. */
static bool take_digits(struct check *c)
{
    const uint8_t *first = c->pos;

    while (left(c) > 0 && *c->pos >= '0' && *c->pos <= '9')
        c->pos++;
    return c->pos > first;
}

static bool check_number(struct check *c)
{
    const uint8_t *first = c->pos;

    take(c, '-');
    if (!take(c, '0') && !take_digits(c))
        return false;
    if (take(c, '.') && !take_digits(c))
        return false;
    if (take(c, 'e') || take(c, 'E')) {
        if (!take(c, '+'))
            take(c, '-');
        if (!take_digits(c))
            return false;
    }
    return c->pos - first <= VS_JSON_NUMBER_BYTES_MAX;
}

/* Four hex digits. */
static bool take_hex4(struct check *c, uint32_t *ret)
{
    uint32_t v = 0;

    if (left(c) < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        uint8_t d = *c->pos++;

        if (d >= '0' && d <= '9')
            v = v << 4 | (uint32_t)(d - '0');
        else if ((d | 0x20) >= 'a' && (d | 0x20) <= 'f')
            v = v << 4 | (uint32_t)((d | 0x20) - 'a' + 10);
        else
            return false;
    }
    *ret = v;
    return true;
}

/* Behind a backslash. */
static bool check_escape(struct check *c)
{
    uint32_t high, low;
    uint8_t kind;

    if (left(c) == 0)
        return false;
    kind = *c->pos++;
    if (kind != 'u')
        return kind != '\0' && strchr("\"\\/bfnrt", kind) != NULL;
    if (!take_hex4(c, &high) || high == 0)
        return false;
    if (high < 0xd800 || high > 0xdfff)
        return true;
    return high < 0xdc00 && take_word(c, "\\u") && take_hex4(c, &low) && low >= 0xdc00 &&
           low <= 0xdfff;
}

static bool check_string(struct check *c)
{
    if (!take(c, '"'))
        return false;
    while (!take(c, '"')) {
        uint32_t code;
        size_t n;

        if (take(c, '\\')) {
            if (!check_escape(c))
                return false;
            continue;
        }
        n = vs_utf8_char(c->pos, left(c), &code); /* 0 also at the end of the text */
        if (n == 0 || code < 0x20)
            return false;
        c->pos += n;
    }
    return true;
}

/* Behind '{' or '['. */
static bool check_members(struct check *c, bool object)
{
    char close = object ? '}' : ']';

    skip_blanks(c);
    if (take(c, close))
        return true;
    do {
        if (object) {
            skip_blanks(c);
            if (!check_string(c))
                return false;
            skip_blanks(c);
            if (!take(c, ':'))
                return false;
        }
        if (!check_value(c))
            return false;
    } while (take(c, ','));
    return take(c, close);
}

/* A value and the blanks around it. */
static bool check_value(struct check *c)
{
    bool ok, object;

    skip_blanks(c);
    if (left(c) == 0)
        return false;
    switch (*c->pos) {
    case '{':
    case '[':
        if (c->depth_left == 0)
            return false;
        c->depth_left--;
        object = take(c, '{');
        ok = (object || take(c, '[')) && check_members(c, object);
        c->depth_left++;
        break;
    case '"':
        ok = check_string(c);
        break;
    case 't':
        ok = take_word(c, "true");
        break;
    case 'f':
        ok = take_word(c, "false");
        break;
    case 'n':
        ok = take_word(c, "null");
        break;
    default:
        ok = check_number(c);
        break;
    }
    skip_blanks(c);
    return ok;
}

int vs_json_check(const char *text, size_t len, unsigned depth_max)
{
    struct check c = { (const uint8_t *)text, (const uint8_t *)text + len, depth_max };

    return check_value(&c) && left(&c) == 0 ? 0 : -VS_ECORRUPT;
}
