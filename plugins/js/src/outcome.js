// What a handler answers: effects in order, or a skip.

import { json } from "./json.js";
import { encode, wellFormed } from "./utf8.js";
import { columns } from "./value.js";

/** What becomes of a message that is not rejected. Made by `apply` or `skip`. */
export class Outcome {
  constructor(effects, skipped) {
    /** What is to be done, in this order. */
    this.effects = effects;
    /** Why the message is skipped, or null. */
    this.skipped = skipped;
  }

  /** Inserts the row, or changes the given columns of the one with its key. */
  upsert(target, row) {
    return this.#row("upsert", target, row);
  }

  /** Appends a row, once. */
  insert(target, row) {
    return this.#row("insert", target, row);
  }

  /** Changes the given columns of the row with this key. */
  update(target, row) {
    return this.#row("update", target, row);
  }

  /** Adds to numeric columns of the row with this key; the row is made if it is missing. */
  add(target, row) {
    return this.#row("add", target, row);
  }

  /** Removes the row with this key. The row has the key's columns and no others. */
  delete(target, row) {
    return this.#row("delete", target, row);
  }

  /** Sends a message once the rows are committed. */
  publish(target, message) {
    const { key = null, value = null, headers = {} } = message;
    const body = "json" in message ? json(message.json) : value;
    const pairs = Array.isArray(headers) ? headers : Object.entries(headers);
    return this.#effect("publish", {
      target: name(target),
      key: bytes(key, "the key"),
      value: bytes(body, "the value"),
      headers: pairs.map(([header, value]) => ({ name: name(header), value: bytes(value, "a header") })),
      metadata: [],
    });
  }

  #row(tag, target, row) {
    return this.#effect(tag, { target: name(target), columns: columns(target, row) });
  }

  /** A skipped message with an effect is no longer skipped. */
  #effect(tag, val) {
    this.skipped = null;
    this.effects.push({ tag, val });
    return this;
  }
}

/** Starts an outcome without effects, to which they are added: `apply().upsert("orders", { id: 1 })`. */
export function apply() {
  return new Outcome([], null);
}

/** Ignores the message on purpose. The reason is counted, so it is short and of few distinct values. */
export function skip(reason) {
  return new Outcome([], wellFormed(String(reason), "the reason"));
}

function name(text) {
  if (typeof text !== "string") throw new TypeError(`a name is text, and this is a ${typeof text}`);
  return wellFormed(text, "a name");
}

function bytes(value, what) {
  if (value === null || value instanceof Uint8Array) return value;
  if (typeof value === "string") return encode(value, what);
  throw new TypeError(`${what} of a published message is text, bytes (a Uint8Array) or null; \`json\` takes anything else`);
}
