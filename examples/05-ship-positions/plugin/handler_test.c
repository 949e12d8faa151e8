// Tests of the handler, without a host: `make test`.
#include "forebay.h"

#include <stdio.h>
#include <string.h>

static int failures;

static void expect_of(const char *what, fb_message m, const char *shown) {
    fb_outcome *out = fb_outcome_new();
    fb_handle(&m, out);
    bool is_as_expected = !strcmp(fb_shown(out), shown);
    failures += !is_as_expected;
    printf("%s  %s\n", is_as_expected ? "ok    " : "FAILED", what);
    if (!is_as_expected) printf("  expected %s\n  found    %s\n", shown, fb_shown(out));
}

// Hands what a station heard to the handler, and compares what becomes of it.
static void expect(const char *what, const char *value, const char *shown) {
    fb_message m = {.key = FB("Kiel"), .value = fb_of(value), .has_timestamp = true, .timestamp_ms = 1500};
    expect_of(what, m, shown);
}

#define COUNTED "\nadd stations station=\"Kiel\" heard=1"
#define FIRST_PART "!AIVDM,2,1,1,A,539Lg0000000@dPg800P4ppF0e9E<D0000000016000004000Eii0CTjh000,0*0B"
#define SECOND_PART "!AIVDM,2,2,1,A,00000000000,2*25"

static void positions(void) {
    expect("a ship's position is a place on its track", "!AIVDM,1,1,,A,139Lg0001sPfbAtO8?``h6v00000,0*75",
           "upsert track mmsi=211234560 heard_at=1500000us latitude=\"54.401550\" longitude=\"10.193170\" knots=\"12.3\" "
           "course=\"224.0\" heading=223" COUNTED);
    expect("west and south are below zero", "!AIVDM,1,1,,A,33HOF<0000wb;Q0Kb1@>3h000000,0*29\r\n",
           "upsert track mmsi=227006000 heard_at=1500000us latitude=\"48.333333\" longitude=\"-4.766667\" knots=\"0.0\" "
           "course=\"359.9\" heading=0" COUNTED);
    expect("what a small boat does not know is NULL", "!AIVDM,1,1,,B,B3::dhP0>8;jI@7jPC3Q3wP00000,0*6E",
           "upsert track mmsi=211987650 heard_at=1500000us latitude=\"54.450000\" longitude=\"10.300000\" knots=\"5.6\" "
           "course=null heading=null" COUNTED);
    expect("a ship that does not know where it is, is skipped", "!AIVDM,1,1,,A,139hBf00?wdtSF0l4Q@>4?v00000,0*16",
           "skip without a position");
    expect("a place that is none is rejected", "!AIVDM,1,1,,A,13HOF<0005wb;Q0naD802P000000,0*32",
           "reject out-of-range: longitude -2860000 and latitude 57300000, of 600000 in a degree, are nowhere");
}

static void voyages(void) {
    const char *told = "upsert ships mmsi=211234560 name=\"HANNE KRUSE\" call_sign=\"DKHK2\" bound_for=\"GDANSK\" "
                       "draught=\"8.7\" told_at=1500000us" COUNTED;
    expect("a voyage takes two sentences", FIRST_PART "\n" SECOND_PART, told);
    expect("lines may end as receivers end them", FIRST_PART "\r\n" SECOND_PART "\r\n", told);
    expect("half a voyage is malformed", FIRST_PART, "reject malformed: line 1: parts are missing behind it");
    expect("so is the other half", SECOND_PART, "reject malformed: line 1: another part is next, or there is one too many");
    expect("parts come in their order", SECOND_PART "\n" FIRST_PART,
           "reject malformed: line 1: another part is next, or there is one too many");
    expect("and no more than there are", FIRST_PART "\n" SECOND_PART "\n" SECOND_PART,
           "reject malformed: line 3: another part is next, or there is one too many");
}

static void others(void) {
    expect("a base station's own message is skipped", "!AIVDM,1,1,,A,4020n60000000000000000000000,0*78",
           "skip of another type");
    expect("a letter that was lost shows in the checksum", "!AIVDM,1,1,,A,139Lg0101pPf`rHO88u8gFt00000,0*4C",
           "reject checksum: line 1: the checksum is another one");
    expect("a message may be too short for its type", "!AIVDM,1,1,,A,139Lg0001pPf`rHO88u8gFt00,0*7C",
           "reject malformed: 150 bits, and type 1 has 168");
    const char *none = "reject malformed: line 1: no sentence: it does not begin with `!`";
    expect("what is no sentence is malformed", "Empf\u00e4nger wird gewartet", none);
    expect("so is nothing at all", "", none);
    expect_of("a tombstone takes the station away", (fb_message){.key = FB("Kiel")}, "delete stations station=\"Kiel\"");
    expect_of("without a time there is no track", (fb_message){.key = FB("Kiel"), .value = FB("!")},
              "reject no-timestamp: the sentence has no time, and the record has none");
}

int main(void) {
    positions();
    voyages();
    others();
    return failures != 0;
}
