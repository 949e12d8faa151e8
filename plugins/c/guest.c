// What the component exports and imports, and what stands around a call: the clock, the seed, and the end.
#ifdef __wasm__
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "layout.h"

#ifndef FB_SOURCE
#error "FB_SOURCE is the digest of the handler's sources; `forebay plugin build` says it"
#endif

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT("forebay:handler/log@0.1.0", "write")
extern void log_write(int32_t level, const char *text, size_t len, const fb_fact *fields, size_t fields_len);
IMPORT("forebay:handler/metrics@0.1.0", "count")
extern void metrics_count(const char *name, size_t len, uint64_t delta);
IMPORT("forebay:handler/metrics@0.1.0", "observe")
extern void metrics_observe(const char *name, size_t len, double value);

IMPORT("wasi_snapshot_preview1", "forebay_now") extern void set_now(int32_t has, int64_t nanos);
IMPORT("wasi_snapshot_preview1", "forebay_seed") extern void set_seed(uint64_t a, uint64_t b, uint64_t c, uint64_t d);
IMPORT("wasi_snapshot_preview1", "forebay_print_to")
extern void print_to(char *buffer, size_t max, const char *why_no_time, size_t len);
IMPORT("wasi_snapshot_preview1", "forebay_printed") extern size_t printed_length(void);
IMPORT("wasi_snapshot_preview1", "forebay_random") extern uint64_t adapter_random(void);

fb_str fb_readable(const char *format, va_list list);
void fb_forget(void);
void fb_keep(void);

static char printed[4096];
static bool has_seed;

static void line(fb_level level, fb_str text) { log_write((int32_t)level, text.ptr, text.len, NULL, 0); }

void fb_log(fb_level level, const char *format, ...) {
    va_list list;
    va_start(list, format);
    line(level, fb_readable(format, list));
    va_end(list);
}

void fb_count(const char *name, uint64_t delta) { metrics_count(name, strlen(name), delta); }

void fb_observe(const char *name, double value) { metrics_observe(name, strlen(name), value); }

_Noreturn void fb_fail_at(const char *file, int number, const char *format, ...) {
    va_list list;
    va_start(list, format);
    fb_str why = fb_readable(format, list);
    va_end(list);
    line(FB_ERROR, fb_print("failed at %s:%d: %.*s", file, number, (int)why.len, why.ptr));
    __builtin_trap();
}

uint64_t fb_random(void) {
    if (!has_seed) fb_fail("before the first message there is no randomness");
    return adapter_random();
}

// What was printed goes into the log.
static void end(void) {
    size_t len = printed_length(), from = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && printed[i] != '\n') continue;
        if (i > from) line(FB_INFO, fb_print("%.*s", (int)(i - from), printed + from));
        from = i + 1;
    }
}

static uint64_t mixed(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static uint64_t hashed(uint64_t hash, const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3;
    return mixed(hash ^ len);
}

// Two messages of a topic differ in the first two words; topics and sources in all four.
static void seed(const fb_message *m) {
    uint64_t a = hashed(hashed(0xcbf29ce484222325, FB_SOURCE, sizeof FB_SOURCE), m->topic.ptr, m->topic.len);
    uint64_t b = mixed(a + 0x9e3779b97f4a7c15), at = (uint64_t)m->offset, partition = (uint64_t)m->partition;
    set_seed(mixed(a ^ at), mixed(b + partition), mixed(a + mixed(at)), mixed(b ^ mixed(partition + at)) | 1);
    has_seed = true;
}

// A handler that wants no configuration.
__attribute__((weak)) void fb_start(fb_str config, fb_outcome *out) { (void)config, (void)out; }

typedef struct {
    uint8_t is_error;
    fb_str code;
    fb_str message;
} started;
_Static_assert(sizeof(started) == 20 && offsetof(started, code) == 4, "result<_, failure>");

EXPORT("forebay:handler/handler@0.1.0#init") started *export_init(const char *config, size_t len) {
    static const char why[] = "(there is no message here, or it has no timestamp, and a handler has no other clock)\n";
    print_to(printed, sizeof printed, why, sizeof why - 1);
    fb_outcome out = {.kind = FB_OK};
    fb_start((fb_str){config, len}, &out);
    end();
    started *answer = fb_alloc(sizeof *answer);
    if (out.kind == FB_REJECT) *answer = (started){1, out.reject.code, out.reject.message};
    return answer;
}

EXPORT("cabi_post_forebay:handler/handler@0.1.0#init") void forget_init(started *answer) {
    (void)answer;
    fb_keep();
}

EXPORT("forebay:handler/handler@0.1.0#handle")
fb_outcome *export_handle(const char *topic, size_t topic_len, int32_t partition, int64_t offset, int32_t has_timestamp,
                          int64_t timestamp, int32_t has_key, const char *key, size_t key_len, int32_t has_value,
                          const char *value, size_t value_len, const fb_sent_header *headers, size_t headers_len,
                          const fb_fact *facts, size_t facts_len) {
    fb_header *lifted = fb_alloc(headers_len * sizeof *lifted);
    for (size_t i = 0; i < headers_len; i++) {
        lifted[i].name = headers[i].name;
        if (headers[i].value.is_some) lifted[i].value = headers[i].value.bytes;
    }
    fb_message m = {
        .topic = {topic, topic_len},
        .partition = partition,
        .offset = offset,
        .has_timestamp = has_timestamp,
        .timestamp_ms = has_timestamp ? timestamp : 0,
        .key = {has_key ? key : NULL, has_key ? key_len : 0},
        .value = {has_value ? value : NULL, has_value ? value_len : 0},
        .headers = lifted,
        .headers_len = headers_len,
        .facts = facts,
        .facts_len = facts_len,
    };
    bool has_now = has_timestamp && timestamp >= 0 && timestamp <= INT64_MAX / 1000000;
    set_now(has_now, has_now ? timestamp * 1000000 : 0);
    seed(&m);
    fb_outcome *out = fb_outcome_new();
    fb_handle(&m, out);
    end();
    return out;
}

// The host has read the answer.
EXPORT("cabi_post_forebay:handler/handler@0.1.0#handle") void forget_handle(fb_outcome *out) {
    (void)out;
    fb_forget();
}

EXPORT("cabi_realloc") void *reallocate(void *old, size_t old_size, size_t align, size_t size) {
    (void)align; // fb_alloc aligns for everything
    void *next = fb_alloc(size ? size : 1);
    if (old) memcpy(next, old, old_size < size ? old_size : size);
    return next;
}
#endif
