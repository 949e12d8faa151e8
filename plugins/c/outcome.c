// Filling an outcome, and reading one in a test.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"

// Memory of one message: blocks, of which the first one stays.
typedef struct block {
    struct block *before;
    size_t size, used;
    _Alignas(16) char bytes[];
} block;

static block *blocks;

void fb_forget(void) {
    while (blocks && blocks->before) {
        block *before = blocks->before;
        free(blocks);
        blocks = before;
    }
    if (blocks) blocks->used = 0;
}

// What `fb_start` has made lives as long as the instance.
void fb_keep(void) { blocks = NULL; }

void *fb_alloc(size_t size) {
    size = (size + 15) & ~(size_t)15;
    if (!blocks || blocks->size - blocks->used < size) {
        size_t room = size > 65536 ? size : 65536;
        block *next = malloc(sizeof(block) + room);
        if (!next) fb_fail("there is no memory left");
        *next = (block){blocks, room, 0};
        blocks = next;
    }
    void *found = blocks->bytes + blocks->used;
    blocks->used += size;
    return memset(found, 0, size);
}

// Makes room for one more: a list is full when its length is a power of two, from 8.
static void *more(void *list, size_t len, size_t size) {
    if (len && (len < 8 || len & (len - 1))) return list;
    void *longer = fb_alloc((len ? len * 2 : 8) * size);
    if (len) memcpy(longer, list, len * size);
    return longer;
}

fb_str fb_of(const char *zero_ended) { return (fb_str){zero_ended, zero_ended ? strlen(zero_ended) : 0}; }

static fb_str print(const char *format, va_list list) {
    va_list again;
    va_copy(again, list);
    int len = vsnprintf(NULL, 0, format, list);
    char *text = fb_alloc((size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return (fb_str){text, (size_t)len};
}

fb_str fb_print(const char *format, ...) {
    va_list list;
    va_start(list, format);
    fb_str text = print(format, list);
    va_end(list);
    return text;
}

bool fb_is(fb_str text, const char *zero_ended) {
    return text.ptr && text.len == strlen(zero_ended) && !memcmp(text.ptr, zero_ended, text.len);
}

bool fb_is_utf8(fb_str text) {
    const unsigned char *at = (const unsigned char *)text.ptr, *end = at + text.len;
    while (at < end) {
        if (*at < 0x80) {
            at++;
            continue;
        }
        int more = *at >= 0xf0 ? 3 : *at >= 0xe0 ? 2 : 1;
        uint32_t letter = *at & (0x3f >> more);
        if (*at < 0xc2 || *at > 0xf4 || end - at <= more) return false;
        for (int i = 1; i <= more; i++) {
            if ((at[i] & 0xc0) != 0x80) return false;
            letter = letter << 6 | (at[i] & 0x3f);
        }
        // Longer than needed, half of a pair, or behind the last one.
        if (letter < (uint32_t[]){0x80, 0x800, 0x10000}[more - 1]) return false;
        if ((letter >= 0xd800 && letter < 0xe000) || letter > 0x10ffff) return false;
        at += more + 1;
    }
    return true;
}

// What people read stays text whatever goes into it.
static fb_str readable(fb_str text) {
    if (fb_is_utf8(text)) return text;
    char *copy = memcpy(fb_alloc(text.len), text.ptr, text.len);
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)copy[i] >= 0x80) copy[i] = '?';
    return (fb_str){copy, text.len};
}

fb_str fb_readable(const char *format, va_list list) { return readable(print(format, list)); }

void fb_reject(fb_outcome *out, const char *code, const char *format, ...) {
    if (out->kind == FB_REJECT) return;
    va_list list;
    va_start(list, format);
    fb_str message = fb_readable(format, list);
    va_end(list);
    *out = (fb_outcome){.kind = FB_REJECT, .reject = {fb_of(code), message}};
}

bool fb_is_rejected(const fb_outcome *out) { return out->kind == FB_REJECT; }

void fb_skip(fb_outcome *out, const char *reason) {
    if (out->kind != FB_REJECT) *out = (fb_outcome){.kind = FB_SKIP, .skip = fb_of(reason)};
}

// Begins an effect. A skipped message with an effect is no longer skipped.
static fb_effect *begin(fb_outcome *out, uint8_t kind, const char *target) {
    if (out->kind == FB_REJECT) return NULL;
    if (out->kind == FB_SKIP) *out = (fb_outcome){.kind = FB_OK};
    out->ok.effects = more(out->ok.effects, out->ok.len, sizeof(fb_effect));
    fb_effect *effect = &out->ok.effects[out->ok.len++];
    *effect = (fb_effect){.kind = kind};
    effect->row.target = fb_of(target);
    return effect;
}

void fb_upsert(fb_outcome *out, const char *target) { begin(out, FB_UPSERT, target); }
void fb_insert(fb_outcome *out, const char *target) { begin(out, FB_INSERT, target); }
void fb_update(fb_outcome *out, const char *target) { begin(out, FB_UPDATE, target); }
void fb_add(fb_outcome *out, const char *target) { begin(out, FB_ADD, target); }
void fb_delete(fb_outcome *out, const char *target) { begin(out, FB_DELETE, target); }
void fb_publish(fb_outcome *out, const char *target) { begin(out, FB_PUBLISH, target); }

// Returns the last effect; NULL where the message is rejected and nothing matters any more.
static fb_effect *last(fb_outcome *out, bool is_publish, const char *what) {
    if (out->kind == FB_REJECT) return NULL;
    fb_effect *effect = out->kind == FB_OK && out->ok.len ? &out->ok.effects[out->ok.len - 1] : NULL;
    if (!effect || (effect->kind == FB_PUBLISH) != is_publish)
        fb_fail("`%s` wants %s before it", what, is_publish ? "fb_publish" : "a row, such as fb_upsert,");
    return effect;
}

static fb_column *column(fb_outcome *out, const char *name, uint8_t kind) {
    static fb_column nowhere;
    fb_effect *effect = last(out, false, name);
    if (!effect) return &nowhere;
    effect->row.columns = more(effect->row.columns, effect->row.len, sizeof(fb_column));
    fb_column *column = &effect->row.columns[effect->row.len++];
    *column = (fb_column){.name = fb_of(name), .kind = kind};
    return column;
}

void fb_text(fb_outcome *out, const char *name, fb_str text) {
    if (!fb_is_utf8(text)) fb_reject(out, "malformed", "the text of column `%s` is not UTF-8", name);
    column(out, name, text.ptr ? FB_VALUE_TEXT : FB_VALUE_NULL)->value.text = text;
}

void fb_bytes(fb_outcome *out, const char *name, fb_str bytes) {
    column(out, name, bytes.ptr ? FB_VALUE_BYTES : FB_VALUE_NULL)->value.text = bytes;
}

void fb_int(fb_outcome *out, const char *name, int64_t value) { column(out, name, FB_VALUE_INTEGER)->value.integer = value; }
void fb_float(fb_outcome *out, const char *name, double value) { column(out, name, FB_VALUE_FLOAT)->value.real = value; }
void fb_bool(fb_outcome *out, const char *name, bool value) { column(out, name, FB_VALUE_BOOLEAN)->value.boolean = value; }
void fb_micros(fb_outcome *out, const char *name, int64_t at) { column(out, name, FB_VALUE_MICROS)->value.integer = at; }
void fb_null(fb_outcome *out, const char *name) { column(out, name, FB_VALUE_NULL); }

void fb_millis(fb_outcome *out, const char *name, int64_t at) {
    int64_t micros;
    if (__builtin_mul_overflow(at, 1000, &micros)) micros = at < 0 ? INT64_MIN : INT64_MAX;
    fb_micros(out, name, micros);
}

static fb_option option(fb_str bytes) { return (fb_option){bytes.ptr != NULL, bytes}; }

void fb_key(fb_outcome *out, fb_str key) {
    fb_effect *effect = last(out, true, "fb_key");
    if (effect) effect->publish.key = option(key);
}

void fb_value(fb_outcome *out, fb_str value) {
    fb_effect *effect = last(out, true, "fb_value");
    if (effect) effect->publish.value = option(value);
}

void fb_with_header(fb_outcome *out, const char *name, fb_str value) {
    fb_effect *effect = last(out, true, "fb_with_header");
    if (!effect) return;
    effect->publish.headers = more(effect->publish.headers, effect->publish.len, sizeof(fb_sent_header));
    effect->publish.headers[effect->publish.len++] = (fb_sent_header){fb_of(name), option(value)};
}

bool fb_key_text(const fb_message *m, fb_str *to, fb_outcome *out) {
    *to = m->key;
    if (!m->key.ptr)
        fb_reject(out, "malformed", "the message has no key");
    else if (!fb_is_utf8(m->key))
        fb_reject(out, "malformed", "the key is not text: it is not UTF-8");
    return !fb_is_rejected(out);
}

fb_str fb_find_header(const fb_message *m, const char *name) {
    for (size_t i = m->headers_len; i-- > 0;)
        if (fb_is(m->headers[i].name, name)) return m->headers[i].value;
    return (fb_str){NULL, 0};
}

fb_outcome *fb_outcome_new(void) { return fb_alloc(sizeof(fb_outcome)); }
