// The randomness of a component: the same numbers whenever the same message meets the same handler.

let digest = "";
let seed = null;
let state = null;

/** Says which handler it is. */
export function begin(digestOfSource) {
  digest = digestOfSource;
}

/** Begins the numbers of a message. */
export function set(message) {
  seed = `${digest}\n${message.topic}\n${message.partition}\n${message.offset}`;
  state = null;
}

Math.random = () => {
  if (seed === null) {
    throw new Error("Math.random has a seed for each message, and there is no message yet: call it in the handler");
  }
  state ??= mixed(seed);
  return (next(state) * 0x200000 + (next(state) >>> 11)) / 0x20000000000000;
};

/** Four words of 32 bits from a text: a multiplicative hash with a different start for each. */
function mixed(text) {
  const words = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 0xdeadbeef];
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    for (let word = 0; word < 4; word += 1) {
      words[word] = Math.imul(words[word] ^ unit ^ (words[(word + 1) & 3] >>> 15), 0x85ebca6b + 2 * word);
    }
  }
  const fresh = words.map((word) => word ^ (word >>> 16));
  for (let turn = 0; turn < 16; turn += 1) next(fresh);
  return fresh;
}

/** The next word of a small fast counting generator of 128 bits. */
function next(words) {
  const [a, b, c, count] = words;
  const sum = (a + b + count) | 0;
  words[0] = b ^ (b >>> 9);
  words[1] = (c + (c << 3)) | 0;
  words[2] = (((c << 21) | (c >>> 11)) + sum) | 0;
  words[3] = (count + 1) | 0;
  return sum >>> 0;
}
