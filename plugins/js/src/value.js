// What may stand in a column, and from which values of JavaScript it is made.

import { Failure, MALFORMED } from "./failure.js";
import { wellFormed } from "./utf8.js";

/** So far from the epoch, microseconds are still exact as a number. */
const EXACT_MILLIS = Math.floor(Number.MAX_SAFE_INTEGER / 1000);
/** The last day that every database reads as ISO 8601. */
const LAST_MILLIS = 253402300799999;

/** Makes columns of an object's own fields. */
export function columns(target, fields) {
  if (typeof fields !== "object" || fields === null) {
    throw new TypeError(`a row of \`${target}\` is an object of columns, such as { id: 1 }`);
  }
  return Object.entries(fields).map(([name, value]) => ({ name, value: column(target, name, value) }));
}

function column(target, name, value) {
  switch (typeof value) {
    case "string":
      return { tag: "text", val: wellFormed(value, `column \`${name}\` of \`${target}\``) };
    case "number":
      return number(value);
    case "boolean":
      return { tag: "boolean", val: value };
    case "bigint":
      return whole(value);
    case "undefined": {
      const advice = "null writes NULL, and a column that the row does not have is left as it is";
      throw new Failure(MALFORMED, `column \`${name}\` of \`${target}\` is undefined; ${advice}`);
    }
    case "object":
      return object(target, name, value);
    default:
      throw new Failure("no-column", `column \`${name}\` of \`${target}\` is a ${typeof value}`);
  }
}

function object(target, name, value) {
  if (value === null) return { tag: "null" };
  if (value instanceof Date) return date(target, name, value);
  if (value instanceof Uint8Array) return { tag: "bytes", val: value };
  if (value instanceof ArrayBuffer) return { tag: "bytes", val: new Uint8Array(value) };
  const what = Array.isArray(value) ? "a list" : "an object";
  const advice = "json(value) makes text for a json column of it";
  throw new Failure("no-column", `column \`${name}\` of \`${target}\` is ${what}; ${advice}`);
}

/** A whole number is an integer, which fits columns of floating point, too; minus zero is none. */
function number(value) {
  const isWhole = Number.isSafeInteger(value) && !Object.is(value, -0);
  return isWhole ? { tag: "integer", val: value } : { tag: "float", val: value };
}

/** The engine hands integers to the host as numbers; what those can not carry goes as text, which fits every column. */
function whole(value) {
  const isExact = Number.isSafeInteger(Number(value));
  return isExact ? { tag: "integer", val: Number(value) } : { tag: "text", val: String(value) };
}

function date(target, name, value) {
  const millis = value.getTime();
  if (Math.abs(millis) <= EXACT_MILLIS) return { tag: "timestamp-micros", val: millis * 1000 };
  if (millis > 0 && millis <= LAST_MILLIS) return { tag: "text", val: value.toISOString() };
  const what = Number.isNaN(millis) ? "an invalid date" : "a date that no column takes";
  throw new Failure(MALFORMED, `column \`${name}\` of \`${target}\` is ${what}`);
}
