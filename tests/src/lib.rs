//! Forebay as the outside sees it: real servers, the real binary, and the house's own rules.
