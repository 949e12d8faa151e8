//! Nothing. This package's manifest makes cargo build libraries that several packages need, some of them for their build or their
//! macros, once instead of twice: a library is built anew for each set of its features.
