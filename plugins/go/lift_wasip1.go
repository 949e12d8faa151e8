package forebay

import "unsafe"

// received is what the host has put into memory for the call that is about to begin; it is kept alive until the
// message's own slices do that.
var received [][]uint64

//go:wasmexport cabi_realloc
func reallocate(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	if size == 0 {
		return unsafe.Pointer(uintptr(align))
	}
	memory := make([]uint64, (size+7)/8)
	received = append(received, memory)
	at := unsafe.Pointer(unsafe.SliceData(memory))
	if old != nil {
		copy(unsafe.Slice((*byte)(at), size), unsafe.Slice((*byte)(old), oldSize))
	}
	return at
}

// release lets go of what the host has put into memory, once the message holds what it needs.
func release() {
	clear(received)
	received = received[:0]
}

func pointerTo(address uint32) unsafe.Pointer { return unsafe.Pointer(uintptr(address)) }

func wordAt(address uint32) uint32 { return *(*uint32)(pointerTo(address)) }

func stringAt(address, size uint32) string {
	if size == 0 {
		return ""
	}
	return unsafe.String((*byte)(pointerTo(address)), size)
}

// optionalAt makes nil of nothing, and of no bytes a slice that is not nil.
func optionalAt(has int32, address, size uint32) []byte {
	if has == 0 {
		return nil
	}
	if size == 0 {
		return []byte{}
	}
	return unsafe.Slice((*byte)(pointerTo(address)), size)
}

func headersAt(address, length uint32) []Header {
	if length == 0 {
		return nil
	}
	headers := make([]Header, length)
	for i := range headers {
		at := address + uint32(i)*headerSize
		value := at + headerValue
		headers[i] = Header{
			Name:  stringAt(wordAt(at), wordAt(at+4)),
			Value: optionalAt(int32(*(*uint8)(pointerTo(value))), wordAt(value+optionPayload), wordAt(value+optionPayload+4)),
		}
	}
	return headers
}

func factsAt(address, length uint32) []Fact {
	if length == 0 {
		return nil
	}
	facts := make([]Fact, length)
	for i := range facts {
		at := address + uint32(i)*pairSize
		facts[i] = Fact{Name: stringAt(wordAt(at), wordAt(at+4)), Value: stringAt(wordAt(at+8), wordAt(at+12))}
	}
	return facts
}
