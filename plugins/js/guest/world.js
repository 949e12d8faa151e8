// What a component does not have says so and names what there is instead; and what it has under the names that everybody
// knows. Imported before anything else.

import "./clock.js";
import "./random.js";
import { log, shown } from "../src/host.js";
import { decode, encode } from "../src/utf8.js";

const NOW = "a handler answers at once: return apply() with what is to be done; publish() sends a message";
const OUTSIDE = "a handler does no I/O: return rows and messages, and Forebay writes and sends them";
const PARSER = "a package from npm that needs nothing of a browser does: the build takes it along";
const RANDOM = "a handler has no secrets of its own: Math.random() has a seed for each message, and topic, partition and offset name it";

function absent(name, advice) {
  const fail = () => {
    throw new Error(`there is no ${name} in a component; ${advice}`);
  };
  // A property that is called, constructed or looked into: all of these say it.
  return new Proxy(function () {}, { apply: fail, construct: fail, get: (_, key) => (typeof key === "symbol" ? undefined : fail()) });
}

const ABSENT = {
  setTimeout: NOW,
  setInterval: NOW,
  setImmediate: NOW,
  queueMicrotask: NOW,
  fetch: OUTSIDE,
  XMLHttpRequest: OUTSIDE,
  WebSocket: OUTSIDE,
  URL: PARSER,
  URLSearchParams: PARSER,
  structuredClone: "JSON.parse(JSON.stringify(value)) copies what came as JSON",
  crypto: RANDOM,
  performance: "message.timestamp is the only clock",
  process: "settings are the handler's second argument: the plugin's `config` table",
};
for (const [name, advice] of Object.entries(ABSENT)) {
  Object.defineProperty(globalThis, name, { value: absent(name, advice), configurable: true, writable: true });
}

const say = (write) => (...parts) => write(parts.map(shown).join(" "));
globalThis.console = {
  trace: say(log.trace),
  debug: say(log.debug),
  log: say(log.info),
  info: say(log.info),
  warn: say(log.warn),
  error: say(log.error),
};

globalThis.TextEncoder = class TextEncoder {
  encoding = "utf-8";
  encode(text = "") {
    return encode(String(text).toWellFormed(), "text");
  }
};
globalThis.TextDecoder = class TextDecoder {
  constructor(encoding = "utf-8") {
    if (!/^utf-?8$/i.test(encoding)) throw new RangeError(`TextDecoder: only utf-8 is known here, not ${encoding}`);
    this.encoding = "utf-8";
  }
  decode(bytes = new Uint8Array()) {
    return decode(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes.buffer ?? bytes), "what TextDecoder decodes");
  }
};
