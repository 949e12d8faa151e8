// A reader of JSON that keeps to the letter.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "forebay.h"

// Keeps a value that is nested without end from taking the stack. The SDKs of all languages take as many.
enum { DEPTH_MAX = 127 };

typedef struct {
    const char *from, *at, *end;
    int depth;
    const char *wrong; // why it can not be read, once that is known
} reader;

static bool refuse(reader *r, const char *why) {
    if (!r->wrong) r->wrong = why;
    return false;
}

static char next(reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')) r->at++;
    return r->at < r->end ? *r->at : 0;
}

static bool take(reader *r, char wanted) {
    if (next(r) != wanted) return false;
    r->at++;
    return true;
}

static bool word(reader *r, const char *wanted, fb_json *to, fb_kind kind) {
    size_t len = strlen(wanted);
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, wanted, len)) return refuse(r, "expected a value");
    r->at += len;
    to->kind = kind;
    return true;
}

static bool is_digit(const reader *r) { return r->at < r->end && *r->at >= '0' && *r->at <= '9'; }

static bool digits(reader *r) {
    if (!is_digit(r)) return refuse(r, "expected a digit");
    while (is_digit(r)) r->at++;
    return true;
}

static bool number(reader *r, fb_json *to) {
    const char *from = r->at;
    if (*r->at == '-') r->at++;
    if (r->at < r->end && *r->at == '0')
        r->at++;
    else if (!digits(r))
        return false;
    if (r->at < r->end && *r->at == '.') {
        r->at++;
        if (!digits(r)) return false;
    }
    if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
        r->at++;
        if (r->at < r->end && (*r->at == '+' || *r->at == '-')) r->at++;
        if (!digits(r)) return false;
    }
    to->kind = FB_NUMBER;
    to->text = (fb_str){from, (size_t)(r->at - from)};
    return true;
}

static bool hex(reader *r, uint32_t *to) {
    if (r->end - r->at < 4) return refuse(r, "`\\u` wants four digits");
    *to = 0;
    for (int i = 0; i < 4; i++) {
        char c = *r->at;
        int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
        if (digit < 0) return refuse(r, "`\\u` wants four digits");
        *to = *to << 4 | (uint32_t)digit;
        r->at++;
    }
    return true;
}

static bool letter(reader *r, uint32_t *to) {
    uint32_t second = 0;
    if (!hex(r, to)) return false;
    if (*to < 0xd800 || *to >= 0xe000) return true;
    bool is_pair = *to < 0xdc00 && r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u';
    if (is_pair) {
        r->at += 2;
        if (!hex(r, &second)) return false;
    }
    if (second < 0xdc00 || second >= 0xe000) return refuse(r, "half a letter: a surrogate without its other one");
    *to = 0x10000 + ((*to - 0xd800) << 10) + (second - 0xdc00);
    return true;
}

static char *put_letter(char *to, uint32_t l) {
    if (l < 0x80) {
        *to++ = (char)l;
    } else if (l < 0x800) {
        *to++ = (char)(0xc0 | l >> 6);
        *to++ = (char)(0x80 | (l & 63));
    } else if (l < 0x10000) {
        *to++ = (char)(0xe0 | l >> 12);
        *to++ = (char)(0x80 | (l >> 6 & 63));
        *to++ = (char)(0x80 | (l & 63));
    } else {
        *to++ = (char)(0xf0 | l >> 18);
        *to++ = (char)(0x80 | (l >> 12 & 63));
        *to++ = (char)(0x80 | (l >> 6 & 63));
        *to++ = (char)(0x80 | (l & 63));
    }
    return to;
}

// Reads what stands behind a backslash.
static char *escape(reader *r, char *to) {
    static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    char c = r->at < r->end ? *r->at++ : 0;
    const char *found = c ? strchr(names, c) : NULL;
    uint32_t l;
    if (found) {
        *to = meant[found - names];
        return to + 1;
    }
    if (c != 'u') {
        refuse(r, "no such escape");
        return NULL;
    }
    return letter(r, &l) ? put_letter(to, l) : NULL;
}

static bool text(reader *r, fb_str *to) {
    const char *from = ++r->at, *end = from;
    while (end < r->end && *end != '"' && *end != '\\' && (unsigned char)*end >= ' ') end++;
    if (end < r->end && *end == '"') {
        *to = (fb_str){from, (size_t)(end - from)};
        r->at = end + 1;
        return true;
    }
    // What an escape stands for is never longer than the escape.
    for (end = from; end < r->end && *end != '"'; end++)
        if (*end == '\\') end++;
    if (end >= r->end) return refuse(r, "a text without its closing quote");
    char *copy = fb_alloc((size_t)(end - from) + 1), *out = copy;
    while (r->at < end) {
        if ((unsigned char)*r->at < ' ') return refuse(r, "a control character in a text");
        if (*r->at != '\\') {
            *out++ = *r->at++;
            continue;
        }
        r->at++;
        if (!(out = escape(r, out))) return false;
    }
    *to = (fb_str){copy, (size_t)(out - copy)};
    r->at++;
    return true;
}

static bool value(reader *r, fb_json *to);

static bool is_there(const fb_json *object, fb_str name) {
    for (const fb_json *field = object->first; field; field = field->next)
        if (field->name.len == name.len && !memcmp(field->name.ptr, name.ptr, name.len)) return true;
    return false;
}

static bool children(reader *r, fb_json *to, bool is_object) {
    char end = is_object ? '}' : ']';
    to->kind = is_object ? FB_OBJECT : FB_LIST;
    r->at++;
    if (++r->depth > DEPTH_MAX) return refuse(r, "too many values within one another");
    if (take(r, end)) {
        r->depth--;
        return true;
    }
    for (fb_json **last = &to->first;; last = &(*last)->next) {
        fb_json *child = fb_alloc(sizeof *child);
        if (is_object) {
            if (next(r) != '"') return refuse(r, "expected a name in quotes");
            const char *name_at = r->at;
            if (!text(r, &child->name)) return false;
            if (is_there(to, child->name)) {
                r->at = name_at;
                return refuse(r, "a field twice");
            }
            if (!take(r, ':')) return refuse(r, "expected `:`");
        }
        *last = child;
        if (!value(r, child)) return false;
        if (take(r, end)) break;
        if (!take(r, ',')) return refuse(r, is_object ? "expected `,` or `}`" : "expected `,` or `]`");
    }
    r->depth--;
    return true;
}

static bool value(reader *r, fb_json *to) {
    char first = next(r);
    to->at = r->at;
    switch (first) {
    case '"': to->kind = FB_TEXT; return text(r, &to->text);
    case '{': return children(r, to, true);
    case '[': return children(r, to, false);
    case 't': return word(r, "true", to, FB_TRUE);
    case 'f': return word(r, "false", to, FB_FALSE);
    case 'n': return word(r, "null", to, FB_NULL);
    default:
        if (first == '-' || (first >= '0' && first <= '9')) return number(r, to);
        return refuse(r, "expected a value");
    }
}

fb_json *fb_parse(fb_str input, fb_outcome *out) {
    reader r = {.from = input.ptr, .at = input.ptr, .end = input.ptr + input.len};
    fb_json *root = fb_alloc(sizeof *root);
    if (!input.ptr) {
        fb_reject(out, "malformed", "the value is null (a tombstone)");
        return NULL;
    }
    if (!fb_is_utf8(input)) {
        fb_reject(out, "malformed", "the text is not UTF-8");
        return NULL;
    }
    if (value(&r, root) && next(&r)) refuse(&r, "expected the end, for the value is complete");
    if (!r.wrong && r.at < r.end) refuse(&r, "expected the end, for the value is complete");
    if (!r.wrong) return root;
    int line = 1, column = 1;
    for (const char *at = r.from; at < r.at; at++, column++)
        if (*at == '\n') line++, column = 0;
    fb_reject(out, "malformed", "%s at line %d column %d", r.wrong, line, column);
    return NULL;
}

fb_json *fb_json_of(const fb_message *m, fb_outcome *out) { return fb_parse(m->value, out); }

fb_json *fb_field(const fb_json *object, const char *name) {
    if (!object || object->kind != FB_OBJECT) return NULL;
    for (fb_json *field = object->first; field; field = field->next)
        if (fb_is(field->name, name)) return field;
    return NULL;
}

static fb_json *need(const fb_json *object, const char *name, fb_outcome *out) {
    fb_json *field = fb_field(object, name);
    if (!object) fb_reject(out, "malformed", "there is no JSON to look for `%s` in", name);
    if (object && object->kind != FB_OBJECT) fb_reject(out, "malformed", "expected an object with the field `%s`", name);
    if (!field) fb_reject(out, "malformed", "the field `%s` is missing", name);
    return field;
}

static bool misfit(const char *name, const char *wanted, fb_outcome *out) {
    fb_reject(out, "malformed", "the field `%s` is no %s", name, wanted);
    return false;
}

bool fb_need_text(const fb_json *object, const char *name, fb_str *to, fb_outcome *out) {
    fb_json *field = need(object, name, out);
    if (!field) return false;
    *to = field->text;
    return field->kind == FB_TEXT || misfit(name, "text", out);
}

bool fb_need_int(const fb_json *object, const char *name, int64_t *to, fb_outcome *out) {
    fb_json *field = need(object, name, out);
    if (!field) return false;
    fb_str text = field->text;
    bool is_int = field->kind == FB_NUMBER, is_negative = is_int && text.ptr[0] == '-';
    uint64_t sum = 0, most = is_negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    for (size_t i = is_negative; is_int && i < text.len; i++) {
        uint64_t digit = (uint64_t)(text.ptr[i] - '0');
        is_int = digit <= 9 && sum <= (most - digit) / 10;
        sum = sum * 10 + digit;
    }
    *to = is_int ? (int64_t)(is_negative ? 0 - sum : sum) : 0;
    return is_int || misfit(name, "integer of 64 bits", out);
}

bool fb_need_float(const fb_json *object, const char *name, double *to, fb_outcome *out) {
    fb_json *field = need(object, name, out);
    if (!field) return false;
    if (field->kind != FB_NUMBER) return misfit(name, "number", out);
    *to = strtod(fb_print("%.*s", (int)field->text.len, field->text.ptr).ptr, NULL);
    return isfinite(*to) || misfit(name, "number that fits a double", out);
}

bool fb_need_bool(const fb_json *object, const char *name, bool *to, fb_outcome *out) {
    fb_json *field = need(object, name, out);
    if (!field) return false;
    *to = field->kind == FB_TRUE;
    return field->kind == FB_TRUE || field->kind == FB_FALSE || misfit(name, "true or false", out);
}

bool fb_need_decimal(const fb_json *object, const char *name, fb_str *to, fb_outcome *out) {
    fb_json *field = need(object, name, out);
    if (!field) return false;
    *to = field->text;
    bool is_whole = field->kind == FB_NUMBER;
    size_t i = to->len && (to->ptr[0] == '-' || (to->ptr[0] == '+' && !is_whole)), figures = 0, points = 0;
    for (; (is_whole || field->kind == FB_TEXT) && i < to->len; i++) {
        if (to->ptr[i] >= '0' && to->ptr[i] <= '9')
            figures++;
        else if (is_whole || to->ptr[i] != '.' || points++)
            return misfit(name, "decimal as a text such as \"12.50\", or a whole number", out);
    }
    return figures || misfit(name, "decimal as a text such as \"12.50\", or a whole number", out);
}
