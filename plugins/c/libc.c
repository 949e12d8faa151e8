// The C library's own clock and randomness are the message's; what would be the same for every message is not to be had.
#ifdef __wasm__
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include "forebay.h"

// What assert() calls.
_Noreturn void __assert_fail(const char *what, const char *file, int line, const char *function) {
    fb_fail_at(file, line, "%s does not hold in %s", what, function);
}

static struct timespec now(const char *caller) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now))
        fb_fail("there is no timestamp of a message here, and %s has no other clock; see has_timestamp", caller);
    return now;
}

time_t time(time_t *to) {
    struct timespec found = now("time()");
    if (to) *to = found.tv_sec;
    return found.tv_sec;
}

int gettimeofday(struct timeval *restrict to, void *restrict zone) {
    (void)zone;
    struct timespec found = now("gettimeofday()");
    *to = (struct timeval){found.tv_sec, (suseconds_t)(found.tv_nsec / 1000)};
    return 0;
}

clock_t clock(void) { fb_fail("a handler has no processor time; clock() is not to be had"); }

int rand(void) { return (int)(fb_random() >> 33); }

long random(void) { return (long)(fb_random() >> 33); }

long lrand48(void) { return (long)(fb_random() >> 33); }

long mrand48(void) { return (long)(int32_t)(fb_random() >> 32); }

double drand48(void) { return (double)(fb_random() >> 11) * 0x1p-53; }

static _Noreturn void seeded(const char *caller) { fb_fail("randomness is seeded by the message; %s is not to be had", caller); }

void srand(unsigned seed) { (void)seed, seeded("srand()"); }

void srandom(unsigned seed) { (void)seed, seeded("srandom()"); }

void srand48(long seed) { (void)seed, seeded("srand48()"); }
#endif
