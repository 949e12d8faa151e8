// Reading a message; and making one by hand, for tests.

import { Failure, MALFORMED } from "./failure.js";
import { parse } from "./json.js";
import { decode, encode } from "./utf8.js";

/** One Kafka record. Key, value and headers are bytes; the functions read them as something else, or fail. */
export class Message {
  #text;

  /** Makes one by hand: `new Message({ topic: "orders", key: "o-1", value: "{}" })`. Text becomes bytes. */
  constructor(parts = {}) {
    const { topic = "", partition = 0, offset = 0, timestampMs = null, key, value, headers = [], metadata = [] } = parts;
    this.topic = topic;
    this.partition = partition;
    this.offset = offset;
    this.timestampMs = timestampMs;
    this.key = bytes(key);
    this.value = bytes(value);
    this.headers = pairs(headers).map(([name, value]) => ({ name, value: bytes(value) }));
    this.metadata = pairs(metadata);
  }

  /** Returns whether the value is null. */
  get isTombstone() {
    return this.value === null;
  }

  /** Returns the message's timestamp, or null: the only clock there is. */
  get timestamp() {
    return this.timestampMs === null ? null : new Date(this.timestampMs);
  }

  /** Returns the value as bytes; a tombstone is malformed. */
  bytes() {
    if (this.value === null) throw new Failure(MALFORMED, "the value is null (a tombstone)");
    return this.value;
  }

  /** Returns the value as text; what is not UTF-8 is malformed. */
  text() {
    this.#text ??= decode(this.bytes(), "the value");
    return this.#text;
  }

  /** Returns the value as JSON: whole numbers that a number can not carry are BigInts. */
  json() {
    return parse(this.text(), "the value");
  }

  /** Returns the value as a JSON object; anything else is malformed. */
  object() {
    const value = this.json();
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
    throw new Failure(MALFORMED, "the value is JSON, but no object");
  }

  /** Returns the key as text; a missing key, and what is not UTF-8, is malformed. */
  keyText() {
    if (this.key === null) throw new Failure(MALFORMED, "the message has no key");
    return decode(this.key, "the key");
  }

  /** Returns the value of the last header of this name as text; null where there is none, or a null. */
  header(name) {
    const bytes = this.headerBytes(name);
    return bytes === null ? null : decode(bytes, `the header \`${name}\``);
  }

  /** Returns the value of the last header of this name as bytes; null where there is none, or a null. */
  headerBytes(name) {
    return this.headers.findLast((header) => header.name === name)?.value ?? null;
  }

  /** Returns a fact that the host added, or null. */
  fact(name) {
    return this.metadata.find(([candidate]) => candidate === name)?.[1] ?? null;
  }
}

function bytes(value) {
  if (value === undefined || value === null) return null;
  return typeof value === "string" ? encode(value, "a message made by hand") : value;
}

/** Headers are the host's records, pairs, or an object. */
function pairs(given) {
  if (!Array.isArray(given)) return Object.entries(given);
  return given.map((entry) => (Array.isArray(entry) ? entry : [entry.name, entry.value]));
}
