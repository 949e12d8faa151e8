// What a ship says of itself by radio becomes rows: a place on its track, or its name and where it is bound for.
//
// A message is one AIS message as a station on the shore received it: the sentence, or all sentences if it takes several.
// The key is the station's name, the timestamp is when it was heard.
#include "ais.h"

#include <inttypes.h>
#include <stdlib.h>

enum { POSITION_BITS = 168, VOYAGE_BITS = 420 };
// Minutes of arc, times 10,000.
enum { DEGREE = 600000 };
// What ships send where they do not know.
enum { NO_LONGITUDE = 181 * DEGREE, NO_LATITUDE = 91 * DEGREE, NO_SPEED = 1023, NO_COURSE = 3600, NO_HEADING = 511 };

// A column with so many tenths, or NULL. No floating point on the way: what is written is what was sent.
static void tenths(fb_outcome *out, const char *column, uint32_t value, uint32_t none) {
    fb_text(out, column, value == none ? (fb_str){0} : fb_print("%" PRIu32 ".%" PRIu32, value / 10, value % 10));
}

// A column with degrees, to the sixth digit: 10 cm.
static void degrees(fb_outcome *out, const char *column, int32_t value) {
    int64_t millionths = ((int64_t)abs(value) * 10 + 3) / 6;
    const char *sign = value < 0 && millionths ? "-" : "";
    fb_text(out, column, fb_print("%s%" PRId64 ".%06" PRId64, sign, millionths / 1000000, millionths % 1000000));
}

// One more message that this station heard.
static void heard(fb_str station, fb_outcome *out) {
    fb_add(out, "stations");
    fb_text(out, "station", station);
    fb_int(out, "heard", 1);
}

// Big ships and small ones send the same fields, which begin at another bit.
static void position(const fb_message *m, fb_str station, const ais_bits *bits, size_t at, fb_outcome *out) {
    int32_t longitude = ais_int(bits, at + 11, 28), latitude = ais_int(bits, at + 39, 27);
    if (longitude == NO_LONGITUDE || latitude == NO_LATITUDE) {
        fb_skip(out, "without a position");
        return;
    }
    if (abs(longitude) > 180 * DEGREE || abs(latitude) > 90 * DEGREE) {
        fb_reject(out, "out-of-range", "longitude %" PRId32 " and latitude %" PRId32 ", of %d in a degree, are nowhere",
                  longitude, latitude, DEGREE);
        return;
    }
    uint32_t heading = ais_uint(bits, at + 78, 9);
    // Several stations hear the same ship and say the same of it: the track has each place once.
    fb_upsert(out, "track");
    fb_int(out, "mmsi", ais_uint(bits, 8, 30));
    fb_millis(out, "heard_at", m->timestamp_ms);
    degrees(out, "latitude", latitude);
    degrees(out, "longitude", longitude);
    tenths(out, "knots", ais_uint(bits, at, 10), NO_SPEED);
    tenths(out, "course", ais_uint(bits, at + 66, 12), NO_COURSE);
    if (heading == NO_HEADING) fb_null(out, "heading");
    else fb_int(out, "heading", heading);
    heard(station, out);
}

static void voyage(const fb_message *m, fb_str station, const ais_bits *bits, fb_outcome *out) {
    fb_upsert(out, "ships");
    fb_int(out, "mmsi", ais_uint(bits, 8, 30));
    fb_text(out, "name", ais_text(bits, 112, 20));
    fb_text(out, "call_sign", ais_text(bits, 70, 7));
    fb_text(out, "bound_for", ais_text(bits, 302, 20));
    tenths(out, "draught", ais_uint(bits, 294, 8), 0);
    fb_millis(out, "told_at", m->timestamp_ms);
    heard(station, out);
}

void fb_handle(const fb_message *m, fb_outcome *out) {
    fb_str station;
    if (!fb_key_text(m, &station, out)) return;
    // A null value says that the station is no more. What it heard stays.
    if (!m->value.ptr) {
        fb_delete(out, "stations");
        fb_text(out, "station", station);
        return;
    }
    if (!m->has_timestamp) {
        fb_reject(out, "no-timestamp", "the sentence has no time, and the record has none");
        return;
    }
    ais_bits bits;
    if (!ais_read(m->value, &bits, out)) return;
    uint32_t type = ais_uint(&bits, 0, 6);
    size_t wanted = type == 5 ? VOYAGE_BITS : POSITION_BITS;
    switch (type) {
    case 1: case 2: case 3: case 5: case 18:
        if (bits.len >= wanted) break;
        fb_reject(out, "malformed", "%zu bits, and type %" PRIu32 " has %zu", bits.len, type, wanted);
        return;
    default:
        fb_skip(out, "of another type");
        return;
    }
    if (type == 5) voyage(m, station, &bits, out);
    else position(m, station, &bits, type == 18 ? 46 : 50, out);
}
