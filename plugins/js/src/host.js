// Words and numbers for the host. Without a host, in tests, lines go to standard error and metrics nowhere.

import { wellFormed } from "./utf8.js";

const native = {
  write: (level, message, fields) => console.error(level, message, ...fields.map(([name, value]) => `${name}=${value}`)),
  count: () => {},
  observe: () => {},
};
let host = native;

/** Gives words and numbers to another host. */
export function use(other) {
  host = other;
}

/** Turns what goes into a line into text. Nothing in here fails: a line is not worth a message. */
export function shown(value) {
  try {
    const text = typeof value === "object" && value !== null && !(value instanceof Error) ? JSON.stringify(value) : String(value);
    return (text ?? String(value)).toWellFormed();
  } catch {
    return Object.prototype.toString.call(value);
  }
}

function writer(level) {
  return (message, fields = {}) => {
    const pairs = Object.entries(fields).map(([name, value]) => [shown(name), shown(value)]);
    host.write(level, shown(message), pairs);
  };
}

/** Structured logging: `log.info("settled", { order_id })`. The host adds binding, plugin and the message's place. */
export const log = {
  trace: writer("trace"),
  debug: writer("debug"),
  info: writer("info"),
  warn: writer("warn"),
  error: writer("error"),
};

/** Numbers for the host's metrics, which adds binding, plugin and digest. */
export const metrics = {
  /** Adds to the counter `name`. */
  count(name, delta = 1) {
    if (!Number.isSafeInteger(delta) || delta < 0) {
      throw new TypeError(`metrics.count("${name}", ${shown(delta)}): a counter grows by a whole number from 0`);
    }
    host.count(wellFormed(String(name), "a metric's name"), delta);
  },
  /** Enters `value` into the histogram `name`. */
  observe(name, value) {
    host.observe(wellFormed(String(name), "a metric's name"), Number(value));
  },
};
