// JSON whose whole numbers keep all their digits: what a number of JavaScript can not carry is a BigInt.

import { DEPTH_MAX, isTooDeep } from "./depth.js";
import { Failure, MALFORMED } from "./failure.js";

/** A number of 16 digits or more that may be too large. One that stands in a string has a quote before it. */
const LARGE = /(?:^|[^"0-9.eE+])-?[0-9]{16}/;
/** A string, or a number. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/g;
const WHOLE = /^-?[0-9]+$/;

/** Reads JSON; `what` names it in the failure. */
export function parse(text, what) {
  if (isTooDeep(text)) throw new Failure(MALFORMED, `${what} is JSON nested deeper than ${DEPTH_MAX} levels`);
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Failure(MALFORMED, `${what} is no JSON: ${error.message}`);
  }
  return LARGE.test(text) ? exact(text, value) : value;
}

/** Reads it again, with numbers that are too large as strings of a mark that no string of it has. */
function exact(text, value) {
  const mark = unused(JSON.stringify(value));
  const isLarge = (token) => WHOLE.test(token) && !Number.isSafeInteger(Number(token));
  const marked = text.replace(TOKEN, (token) => (isLarge(token) ? `"${mark}${token}"` : token));
  const isMarked = (part) => typeof part === "string" && part.startsWith(mark);
  return JSON.parse(marked, (_, part) => (isMarked(part) ? BigInt(part.slice(mark.length)) : part));
}

/** Writes JSON; a BigInt becomes a number with all its digits. `undefined` where the value has no form in JSON. */
export function stringify(value) {
  let hasLarge = false;
  const text = JSON.stringify(value, (_, part) => {
    hasLarge ||= typeof part === "bigint";
    return typeof part === "bigint" ? "" : part;
  });
  if (!hasLarge) return text;
  const mark = unused(text);
  const marked = JSON.stringify(value, (_, part) => (typeof part === "bigint" ? `${mark}${part}` : part));
  return marked.replace(new RegExp(`"${mark}(-?[0-9]+)"`, "g"), "$1");
}

/** Makes a value for a json column. */
export function json(value) {
  const text = stringify(value);
  if (text === undefined) throw new Failure("no-column", `a ${typeof value} has no form in JSON`);
  return text;
}

function unused(text) {
  let mark = "n";
  while (text.includes(mark)) mark += "n";
  return mark;
}
