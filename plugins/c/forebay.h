// Write a Forebay handler in C: one function of one message.
//
// A handler gets a message and fills an outcome: rows to write and messages to publish, as values. It does no I/O and sees
// no clock but the message's; Forebay does the reading, writing, retrying and committing around it.
//
//     void fb_handle(const fb_message *m, fb_outcome *out) {
//         fb_json *payment = fb_json_of(m, out);
//         fb_str id;
//         if (!fb_need_text(payment, "id", &id, out)) return;   // rejected: out says why
//         fb_upsert(out, "payments");
//         fb_text(out, "id", id);
//     }
//
// Nothing is ever freed: what a message needs lies in memory of its own, and all of it goes when the message is done.
#ifndef FOREBAY_H
#define FOREBAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Text or bytes: not ended by a zero. A `ptr` of NULL is Kafka's null, or SQL's, which is not the same as no bytes.
typedef struct {
    const char *ptr;
    size_t len;
} fb_str;

// A Kafka header.
typedef struct {
    fb_str name;
    fb_str value;
} fb_header;

// A fact that the host knows of a message.
typedef struct {
    fb_str name;
    fb_str value;
} fb_fact;

// One Kafka record.
typedef struct {
    fb_str topic;
    int32_t partition;
    int64_t offset;
    bool has_timestamp;
    int64_t timestamp_ms; // since the Unix epoch; in a handler, time() is the same
    fb_str key;
    fb_str value; // null for a tombstone
    const fb_header *headers;
    size_t headers_len;
    const fb_fact *facts;
    size_t facts_len;
} fb_message;

// What becomes of a message. It begins as "done, no effect".
typedef struct fb_outcome fb_outcome;

// What the handler's file has. `fb_start` may be left out; it is called once per instance, with the plugin's `config` table
// as JSON, and what it rejects keeps the binding from starting.
void fb_handle(const fb_message *m, fb_outcome *out);
void fb_start(fb_str config, fb_outcome *out);

// Text.
#define FB(literal) ((fb_str){(literal), sizeof(literal) - 1})
fb_str fb_of(const char *zero_ended);
fb_str fb_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool fb_is(fb_str text, const char *zero_ended);
bool fb_is_utf8(fb_str text);

// Effects, in order. The columns and fields that follow belong to the last one.
void fb_upsert(fb_outcome *out, const char *target);
void fb_insert(fb_outcome *out, const char *target);
void fb_update(fb_outcome *out, const char *target);
void fb_add(fb_outcome *out, const char *target);
void fb_delete(fb_outcome *out, const char *target);
void fb_publish(fb_outcome *out, const char *target);

// Columns. Text fits every column in its type's input syntax: a decimal, a uuid, a date, an array. Text that is not UTF-8
// rejects the message as `malformed`; a null of text or bytes is NULL.
void fb_text(fb_outcome *out, const char *column, fb_str text);
void fb_int(fb_outcome *out, const char *column, int64_t value);
void fb_float(fb_outcome *out, const char *column, double value);
void fb_bool(fb_outcome *out, const char *column, bool value);
void fb_bytes(fb_outcome *out, const char *column, fb_str bytes);
void fb_millis(fb_outcome *out, const char *column, int64_t since_the_epoch);
void fb_micros(fb_outcome *out, const char *column, int64_t since_the_epoch);
void fb_null(fb_outcome *out, const char *column);

// Of a published message. Key and value begin as null.
void fb_key(fb_outcome *out, fb_str key);
void fb_value(fb_outcome *out, fb_str value);
void fb_with_header(fb_outcome *out, const char *name, fb_str value);

// Instead of effects. The reason and the code are counted: short, and of few distinct values. A rejection is final; what
// follows it changes nothing.
void fb_skip(fb_outcome *out, const char *reason);
void fb_reject(fb_outcome *out, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool fb_is_rejected(const fb_outcome *out);

// Reading a message. Where it can not be read, these reject it as `malformed`, and return NULL or false.
bool fb_key_text(const fb_message *m, fb_str *to, fb_outcome *out);
fb_str fb_find_header(const fb_message *m, const char *name); // the last of this name; null if there is none

// JSON, read to the letter: UTF-8 only, no name twice, and numbers keep all their digits.
typedef enum { FB_NULL, FB_FALSE, FB_TRUE, FB_NUMBER, FB_TEXT, FB_LIST, FB_OBJECT } fb_kind;

typedef struct fb_json {
    fb_kind kind;
    fb_str name;           // of a field of an object
    fb_str text;           // of a text, without escapes; of a number, its digits
    struct fb_json *first; // of a list or an object
    struct fb_json *next;
    const char *at;
} fb_json;

fb_json *fb_json_of(const fb_message *m, fb_outcome *out); // of the message's value
fb_json *fb_parse(fb_str text, fb_outcome *out);
fb_json *fb_field(const fb_json *object, const char *name); // NULL if there is none

// Fields that must be there. All take the NULL of a parse that failed.
bool fb_need_text(const fb_json *object, const char *name, fb_str *to, fb_outcome *out);
bool fb_need_int(const fb_json *object, const char *name, int64_t *to, fb_outcome *out);
bool fb_need_float(const fb_json *object, const char *name, double *to, fb_outcome *out);
bool fb_need_bool(const fb_json *object, const char *name, bool *to, fb_outcome *out);
// A decimal: a text of digits, or a whole number. fb_text writes it.
bool fb_need_decimal(const fb_json *object, const char *name, fb_str *to, fb_outcome *out);

// A line in the host's log, and its metrics.
typedef enum { FB_TRACE, FB_DEBUG, FB_INFO, FB_WARN, FB_ERROR } fb_level;
void fb_log(fb_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fb_count(const char *name, uint64_t delta);
void fb_observe(const char *name, double value);

// A bug: the message becomes a dead letter of the class trap, with these words, file and line. assert() does the same.
#define fb_fail(...) fb_fail_at(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void fb_fail_at(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

// Memory until the message is done, and numbers that are the same whenever this message is handled.
void *fb_alloc(size_t size);
uint64_t fb_random(void);

// For tests: an empty outcome, and what an outcome says, such as `upsert items id="a-1" amount=7`.
fb_outcome *fb_outcome_new(void);
const char *fb_shown(const fb_outcome *out);

#endif
