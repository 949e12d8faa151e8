// Outside of a component: lines of the log go to standard error, metrics nowhere, and a bug ends the program.
#ifndef __wasm__
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "forebay.h"

void fb_log(fb_level level, const char *format, ...) {
    static const char *names[] = {"trace", "debug", "info", "warn", "error"};
    va_list list;
    va_start(list, format);
    fprintf(stderr, "%s ", names[level]);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
}

void fb_count(const char *name, uint64_t delta) { (void)name, (void)delta; }

void fb_observe(const char *name, double value) { (void)name, (void)value; }

void fb_fail_at(const char *file, int line, const char *format, ...) {
    va_list list;
    va_start(list, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    abort();
}

uint64_t fb_random(void) { return (uint64_t)rand() << 32 ^ (uint64_t)rand(); }
#endif
