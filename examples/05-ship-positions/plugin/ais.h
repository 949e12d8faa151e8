// The bits of an AIS message, as ships send it by radio, out of the sentences in which a receiver writes it down.
//
//     !AIVDM,1,1,,A,13aDoB?P1o0=dCLMgGR3d3tL0000,0*1B
//            | |  | payload: six bits a letter  | checksum of all between `!` and `*`
//            | |  channel                       bits too many at the end
//            | which part
//            of how many parts
#ifndef AIS_H
#define AIS_H

#include "forebay.h"

// The longest message has 1,008 bits: five parts.
enum { AIS_SIXES = 200 };

typedef struct {
    uint8_t sixes[AIS_SIXES];
    size_t len; // in bits
} ais_bits;

// Joins the payloads of a message's sentences, one on each line. Where they are none, rejects and returns false.
bool ais_read(fb_str lines, ais_bits *to, fb_outcome *out);

// Fields: where they begin, and how many bits they have. Beyond the end bits are 0.
uint32_t ais_uint(const ais_bits *bits, size_t from, size_t width);
int32_t ais_int(const ais_bits *bits, size_t from, size_t width);
// Letters of six bits each, up to the first `@`, without the blanks at the end; null if none are left.
fb_str ais_text(const ais_bits *bits, size_t from, size_t letters);

#endif
