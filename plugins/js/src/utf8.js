// Text to bytes and back. QuickJS has neither TextDecoder nor TextEncoder; what it has in C are these old functions.

import { Failure, MALFORMED } from "./failure.js";

/** `String.fromCharCode` takes so many arguments without running out of stack. */
const CHUNK = 8192;
const ASCII = /^[\x00-\x7f]*$/;

/** Returns the text of UTF-8 bytes, or fails where they are none; `what` names them in the failure. */
export function decode(bytes, what) {
  let latin = "";
  for (let start = 0; start < bytes.length; start += CHUNK) {
    latin += String.fromCharCode.apply(null, bytes.subarray(start, start + CHUNK));
  }
  if (ASCII.test(latin)) return latin;
  try {
    return decodeURIComponent(escape(latin));
  } catch {
    throw new Failure(MALFORMED, `${what} is not text: invalid UTF-8`);
  }
}

/** Returns the UTF-8 bytes of a text, or fails where it has half of a character. */
export function encode(text, what) {
  const latin = ASCII.test(text) ? text : unescape(encodeURIComponent(wellFormed(text, what)));
  const bytes = new Uint8Array(latin.length);
  for (let at = 0; at < latin.length; at += 1) bytes[at] = latin.charCodeAt(at);
  return bytes;
}

/** Returns the text if it is Unicode. JSON can bring half of a surrogate pair, which no database takes. */
export function wellFormed(text, what) {
  if (text.isWellFormed()) return text;
  throw new Failure(MALFORMED, `${what} has half of a surrogate pair, which is no text`);
}
