// What an outcome says, as text that a test can compare.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "layout.h"

typedef struct {
    char *text;
    size_t len, size;
} page;

static void put(page *to, fb_str text) {
    if (to->len + text.len + 1 > to->size) {
        to->size = 2 * (to->len + text.len) + 256;
        char *longer = fb_alloc(to->size);
        if (to->len) memcpy(longer, to->text, to->len);
        to->text = longer;
    }
    if (text.len) memcpy(to->text + to->len, text.ptr, text.len);
    to->text[to->len += text.len] = 0;
}

static void put_bytes(page *to, fb_str bytes) {
    if (!bytes.ptr) {
        put(to, FB("null"));
        return;
    }
    put(to, FB("\""));
    put(to, bytes);
    put(to, FB("\""));
}

static void put_column(page *to, const fb_column *column) {
    put(to, fb_print(" %.*s=", (int)column->name.len, column->name.ptr));
    switch (column->kind) {
    case FB_VALUE_NULL: put(to, FB("null")); break;
    case FB_VALUE_BOOLEAN: put(to, fb_of(column->value.boolean ? "true" : "false")); break;
    case FB_VALUE_INTEGER: put(to, fb_print("%" PRId64, column->value.integer)); break;
    case FB_VALUE_FLOAT: put(to, fb_print("%.17g", column->value.real)); break;
    case FB_VALUE_MICROS: put(to, fb_print("%" PRId64 "us", column->value.integer)); break;
    default: put_bytes(to, column->value.text);
    }
}

static void put_effect(page *to, const fb_effect *effect) {
    static const char *names[] = {"upsert", "insert", "update", "add", "delete", "publish"};
    put(to, fb_print("%s %.*s", names[effect->kind], (int)effect->row.target.len, effect->row.target.ptr));
    if (effect->kind != FB_PUBLISH) {
        for (size_t i = 0; i < effect->row.len; i++) put_column(to, &effect->row.columns[i]);
        return;
    }
    put(to, FB(" key="));
    put_bytes(to, effect->publish.key.bytes);
    put(to, FB(" value="));
    put_bytes(to, effect->publish.value.bytes);
    for (size_t i = 0; i < effect->publish.len; i++) {
        put(to, FB(" "));
        put(to, effect->publish.headers[i].name);
        put(to, FB(":"));
        put_bytes(to, effect->publish.headers[i].value.bytes);
    }
}

const char *fb_shown(const fb_outcome *out) {
    page to = {0};
    put(&to, FB(""));
    if (out->kind == FB_SKIP) {
        put(&to, FB("skip "));
        put(&to, out->skip);
    } else if (out->kind == FB_REJECT) {
        put(&to, FB("reject "));
        put(&to, out->reject.code);
        put(&to, FB(": "));
        put(&to, out->reject.message);
    } else {
        for (size_t i = 0; i < out->ok.len; i++) {
            if (i) put(&to, FB("\n"));
            put_effect(&to, &out->ok.effects[i]);
        }
    }
    return to.text;
}
