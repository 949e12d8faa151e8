// What the build adds to Go's package runtime, by the go command's own overlay.

package runtime

import _ "unsafe" // for the name below

// A library crashes without a word to its host; a program says on standard error what went wrong, and exits.
func init() {
	traceback_env &^= tracebackCrash
	traceback_cache &^= tracebackCrash
}

// forebayReseed seeds anew what the functions of math/rand, the order in which a map is walked and the choice of a select
// draw from.
//
//go:linkname forebayReseed
func forebayReseed(seed *[32]byte) {
	globalRand.state.Init(*seed)
	mp := getg().m
	mp.chacha8.Init(*seed)
	forebaySet(&mp.cheaprand, seed)
}

// forebaySet knows both types that the state has had.
func forebaySet[T uint32 | uint64](state *T, seed *[32]byte) {
	*state = T(uint32(seed[0]) | uint32(seed[1])<<8 | uint32(seed[2])<<16 | uint32(seed[3])<<24 | 1)
}
