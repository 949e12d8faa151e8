// Sentences to bits, and bits to numbers and text.
#include "ais.h"

#include <string.h>

enum { TAG, PARTS, PART, SEQUENCE, CHANNEL, PAYLOAD, FILL, FIELDS };

// Takes what stands before the first `end`, and leaves what stands behind it.
static fb_str before(fb_str *text, char end) {
    const char *at = text->len ? memchr(text->ptr, end, text->len) : NULL;
    fb_str taken = {text->ptr, at ? (size_t)(at - text->ptr) : text->len};
    size_t whole = taken.len + (at ? 1 : 0);
    *text = (fb_str){text->ptr + whole, text->len - whole};
    return taken;
}

// A digit, or -1. Parts and bits to leave out are never more.
static int digit(fb_str text) {
    return text.len == 1 && text.ptr[0] >= '0' && text.ptr[0] <= '9' ? text.ptr[0] - '0' : -1;
}

// What a letter of a payload stands for, or -1.
static int six_of(char letter) {
    if (letter >= '0' && letter <= 'W') return letter - '0';
    if (letter >= '`' && letter <= 'w') return letter - '`' + 40;
    return -1;
}

static bool is_intact(fb_str body, fb_str checksum) {
    unsigned sum = 0;
    for (size_t i = 0; i < body.len; i++) sum ^= (uint8_t)body.ptr[i];
    return fb_is(checksum, fb_print("%02X", sum).ptr);
}

static bool malformed(fb_outcome *out, size_t line, const char *why) {
    fb_reject(out, "malformed", "line %zu: %s", line, why);
    return false;
}

static bool append(fb_str line, size_t number, int *parts, ais_bits *to, fb_outcome *out) {
    if (!line.len || line.ptr[0] != '!') return malformed(out, number, "no sentence: it does not begin with `!`");
    fb_str checksum = {line.ptr + 1, line.len - 1};
    fb_str body = before(&checksum, '*');
    if (!is_intact(body, checksum)) {
        fb_reject(out, "checksum", "line %zu: the checksum is another one", number);
        return false;
    }
    fb_str fields[FIELDS];
    for (int i = 0; i < FIELDS; i++) fields[i] = before(&body, ',');
    int fill = digit(fields[FILL]);
    if (!fb_is(fields[TAG], "AIVDM") || body.len || fill < 0 || fill > 5)
        return malformed(out, number, "no sentence `!AIVDM,PARTS,PART,SEQUENCE,CHANNEL,PAYLOAD,FILL*SUM`");
    *parts = digit(fields[PARTS]);
    if (digit(fields[PART]) != (int)number || *parts < (int)number)
        return malformed(out, number, "another part is next, or there is one too many");
    fb_str payload = fields[PAYLOAD];
    for (size_t i = 0; i < payload.len; i++) {
        int six = six_of(payload.ptr[i]);
        if (six < 0 || to->len >= 6 * AIS_SIXES) return malformed(out, number, "the payload is none");
        to->sixes[to->len / 6] = (uint8_t)six;
        to->len += 6;
    }
    // Only the last part has bits too many.
    to->len -= to->len < (size_t)fill ? to->len : (size_t)fill;
    return true;
}

bool ais_read(fb_str lines, ais_bits *to, fb_outcome *out) {
    *to = (ais_bits){0};
    int parts = 0;
    size_t number = 0;
    do {
        fb_str line = before(&lines, '\n');
        if (line.len && line.ptr[line.len - 1] == '\r') line.len--;
        if (!append(line, ++number, &parts, to, out)) return false;
    } while (lines.len);
    return (int)number == parts || malformed(out, number, "parts are missing behind it");
}

uint32_t ais_uint(const ais_bits *bits, size_t from, size_t width) {
    uint32_t value = 0;
    for (size_t i = from; i < from + width; i++) {
        unsigned bit = i < bits->len ? bits->sixes[i / 6] >> (5 - i % 6) & 1u : 0;
        value = value << 1 | bit;
    }
    return value;
}

int32_t ais_int(const ais_bits *bits, size_t from, size_t width) {
    int32_t value = (int32_t)ais_uint(bits, from, width);
    bool is_negative = value >> (width - 1) & 1;
    return is_negative ? value - ((int32_t)1 << width) : value;
}

fb_str ais_text(const ais_bits *bits, size_t from, size_t letters) {
    char *text = fb_alloc(letters);
    size_t len = 0, end = 0;
    for (; len < letters; len++) {
        uint32_t six = ais_uint(bits, from + 6 * len, 6);
        if (six == 0) break;
        text[len] = (char)(six < 32 ? six + 64 : six);
        if (text[len] != ' ') end = len + 1;
    }
    return end ? (fb_str){text, end} : (fb_str){0};
}
