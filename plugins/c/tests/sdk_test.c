// Tests of the SDK, without a host.
#include "../forebay.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int failures;

static void expect(const char *what, const char *expected, const char *found) {
    if (!strcmp(expected, found)) return;
    failures++;
    printf("FAILED  %s\n  expected %s\n  found    %s\n", what, expected, found);
}

// Reads a JSON text and says why it can not be read; empty where it can.
static const char *why(fb_str text) {
    fb_outcome *out = fb_outcome_new();
    return fb_parse(text, out) ? "" : fb_shown(out);
}

static void good_json(void) {
    fb_outcome *out = fb_outcome_new();
    fb_json *all = fb_parse(FB(" {\"t\":\"\\u00e4\\ud83d\\ude00\\n\\/\", \"i\":-9223372036854775808, \"f\":1.5e2, \"d\":\"12.50\", "
                               "\"b\":true, \"n\":null, \"l\":[1,{\"x\":[]}]} "),
                            out);
    fb_str text, decimal;
    int64_t integer;
    double real;
    bool is;
    fb_need_text(all, "t", &text, out);
    fb_need_int(all, "i", &integer, out);
    fb_need_float(all, "f", &real, out);
    fb_need_decimal(all, "d", &decimal, out);
    fb_need_bool(all, "b", &is, out);
    fb_upsert(out, "x");
    fb_text(out, "t", text);
    fb_int(out, "i", integer);
    fb_float(out, "f", real);
    fb_text(out, "d", decimal);
    fb_bool(out, "b", is);
    expect("a JSON object", "upsert x t=\"ä😀\n/\" i=-9223372036854775808 f=150 d=\"12.50\" b=true", fb_shown(out));
    expect("a list", "1", fb_field(all, "l")->first->text.ptr ? fb_print("%.1s", fb_field(all, "l")->first->text.ptr).ptr : "");
    if (fb_field(all, "missing") || fb_field(all, "n")->kind != FB_NULL) failures++;
}

static void bad_json(void) {
    static const char *pairs[][2] = {
        {"hello", "expected a value at line 1 column 1"},
        {"{\n  \"a\": ?}", "expected a value at line 2 column 8"},
        {"{\"a\":1,\"a\":2}", "a field twice at line 1 column 8"},
        {"[1,]", "expected a value at line 1 column 4"},
        {"{\"a\":1,}", "expected a name in quotes at line 1 column 8"},
        {"[01]", "expected `,` or `]` at line 1 column 3"},
        {"1.", "expected a digit at line 1 column 3"},
        {"\"a", "a text without its closing quote at line 1 column 2"},
        {"\"\\ud800\"", "half a letter: a surrogate without its other one at line 1 column 8"},
        {"\"\\x\"", "no such escape at line 1 column 4"},
        {"\"a\nb\"", "a control character in a text at line 1 column 3"},
        {"{} x", "expected the end, for the value is complete at line 1 column 4"},
        {"", "expected a value at line 1 column 1"},
        {"\"\xff\"", "the text is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        expect(pairs[i][0], fb_print("reject malformed: %s", pairs[i][1]).ptr, why(fb_of(pairs[i][0])));
    char deep[100000];
    memset(deep, '[', sizeof deep);
    expect("nesting without end", "reject malformed: too many values within one another at line 1 column 129",
           why((fb_str){deep, sizeof deep}));
    expect("a tombstone", "reject malformed: the value is null (a tombstone)", why((fb_str){NULL, 0}));
}

static void bad_fields(void) {
    static const char *texts[] = {"{\"i\":9223372036854775808}", "{\"i\":1.0}", "{\"i\":\"1\"}", "{\"i\":1e3}", "{}", "[]"};
    static const char *said[] = {"is no integer of 64 bits", "is no integer of 64 bits", "is no integer of 64 bits",
                                 "is no integer of 64 bits", "is missing", "expected an object with"};
    for (size_t i = 0; i < 6; i++) {
        fb_outcome *out = fb_outcome_new();
        int64_t integer;
        bool is = fb_need_int(fb_parse(fb_of(texts[i]), out), "i", &integer, out);
        if (is || !strstr(fb_shown(out), said[i])) expect(texts[i], said[i], fb_shown(out));
    }
    static const char *decimals[] = {"\"1e5\"", "\"\"", "\".\"", "\"1.2.3\"", "1.5", "\"NaN\"", "true"};
    for (size_t i = 0; i < sizeof decimals / sizeof *decimals; i++) {
        fb_outcome *out = fb_outcome_new();
        fb_str decimal;
        if (fb_need_decimal(fb_parse(fb_print("{\"d\":%s}", decimals[i]), out), "d", &decimal, out)) expect(decimals[i], "refused", "");
    }
}

static void outcomes(void) {
    fb_outcome *out = fb_outcome_new();
    fb_skip(out, "old");
    expect("a skip", "skip old", fb_shown(out));
    for (int i = 0; i < 40; i++) {
        fb_insert(out, "many");
        for (int64_t j = 0; j < 40; j++) fb_int(out, fb_print("c%" PRId64, j).ptr, i * j);
    }
    const char *shown = fb_shown(out);
    if (strncmp(shown, "insert many c0=0 c1=0", 21) || !strstr(shown, "c39=1521")) failures++;
    fb_publish(out, "topic");
    fb_value(out, FB(""));
    fb_with_header(out, "h", (fb_str){NULL, 0});
    if (!strstr(fb_shown(out), "\npublish topic key=null value=\"\" h:null")) expect("a message", "", fb_shown(out));
    fb_reject(out, "code", "why: %d", 7);
    fb_upsert(out, "late");
    fb_int(out, "x", 1);
    fb_reject(out, "other", "later");
    expect("a rejection is final", "reject code: why: 7", fb_shown(out));
    out = fb_outcome_new();
    fb_upsert(out, "x");
    fb_text(out, "t", FB("a\xff"));
    expect("text that is none", "reject malformed: the text of column `t` is not UTF-8", fb_shown(out));
    out = fb_outcome_new();
    fb_upsert(out, "x");
    fb_text(out, "t", (fb_str){NULL, 0});
    fb_millis(out, "at", INT64_MAX);
    expect("nulls and times", "upsert x t=null at=9223372036854775807us", fb_shown(out));
}

static void utf8(void) {
    static const char *good[] = {"", "a", "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
    static const char *bad[] = {"\x80", "\xc1\xbf", "\xc2", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc2\x41"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!fb_is_utf8(fb_of(good[i]))) failures++, printf("FAILED  text %zu\n", i);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (fb_is_utf8(fb_of(bad[i]))) failures++, printf("FAILED  no text %zu\n", i);
}

int main(void) {
    good_json();
    bad_json();
    bad_fields();
    outcomes();
    utf8();
    printf("%d failed\n", failures);
    return failures != 0;
}
