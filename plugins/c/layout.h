// What the contract's values look like in memory. On wasm32 these are the component model's canonical ABI, byte by byte.
#ifndef FOREBAY_LAYOUT_H
#define FOREBAY_LAYOUT_H

#include "forebay.h"

typedef struct {
    bool is_some;
    fb_str bytes;
} fb_option;

enum { FB_VALUE_NULL, FB_VALUE_BOOLEAN, FB_VALUE_INTEGER, FB_VALUE_FLOAT, FB_VALUE_TEXT, FB_VALUE_BYTES, FB_VALUE_MICROS };

typedef struct {
    fb_str name;
    uint8_t kind;
    union {
        bool boolean;
        int64_t integer;
        double real;
        fb_str text;
    } value;
} fb_column;

typedef struct {
    fb_str name;
    fb_option value;
} fb_sent_header;

enum { FB_UPSERT, FB_INSERT, FB_UPDATE, FB_ADD, FB_DELETE, FB_PUBLISH };

typedef struct {
    uint8_t kind;
    union {
        struct {
            fb_str target;
            fb_column *columns;
            size_t len;
        } row;
        struct {
            fb_str target;
            fb_option key;
            fb_option value;
            fb_sent_header *headers;
            size_t len;
            const fb_fact *facts;
            size_t facts_len;
        } publish;
    };
} fb_effect;

enum { FB_OK, FB_SKIP, FB_REJECT };

struct fb_outcome {
    uint8_t kind;
    union {
        struct {
            fb_effect *effects;
            size_t len;
        } ok;
        fb_str skip;
        struct {
            fb_str code;
            fb_str message;
        } reject;
    };
};

#ifdef __wasm32__
_Static_assert(sizeof(fb_fact) == 16, "tuple<string, string>");
_Static_assert(sizeof(fb_sent_header) == 20 && offsetof(fb_sent_header, value) == 8, "header");
_Static_assert(sizeof(fb_column) == 24 && offsetof(fb_column, kind) == 8 && offsetof(fb_column, value) == 16, "column");
_Static_assert(sizeof(fb_effect) == 52 && offsetof(fb_effect, row) == 4, "effect");
_Static_assert(offsetof(fb_effect, row.columns) == 12, "row");
_Static_assert(offsetof(fb_effect, publish.key) == 12 && offsetof(fb_effect, publish.value) == 24, "publish");
_Static_assert(offsetof(fb_effect, publish.headers) == 36 && offsetof(fb_effect, publish.facts) == 44, "publish");
_Static_assert(sizeof(fb_outcome) == 20 && offsetof(fb_outcome, ok) == 4, "outcome");
_Static_assert(offsetof(fb_outcome, reject.message) == 12, "failure");
#endif

#endif
