import assert from "node:assert/strict";
import { test } from "node:test";

import { handler, log, metrics, reject, skip } from "forebay-plugin";

import { placed, told } from "../guest/stack.js";
import { lines } from "../build/lines.js";

const NativeDate = Date;
await import("../guest/world.js");
const { serve } = await import("../guest/serve.js");

function served(handle, open) {
  const said = [];
  const host = {
    log: { write: (...line) => said.push(line) },
    metrics: { count: (...count) => said.push(count), observe: () => {} },
  };
  const component = serve(handler(handle, open), host, { digest: "d", lines: { files: [], runs: [] } });
  component.init("{}");
  return { said, handle: (parts) => component.handle({ topic: "t", timestampMs: 1500, ...parts }) };
}

test("the clock is the message's timestamp, and there is none without", () => {
  const { handle } = served((message) => skip([Date.now(), new Date().getTime(), new Date(7).getTime(), Date().slice(0, 3)].join()));
  assert.deepEqual(handle({}), { tag: "skip", val: "1500,1500,7,Thu" });
  assert.throws(() => handle({ timestampMs: null }), /no timestamp: see message\.timestamp/);
  assert.ok(new Date(5) instanceof Date && new NativeDate(5) instanceof Date);
});

test("random numbers are the message's own", () => {
  const { handle } = served(() => skip([Math.random(), Math.random()].join()));
  const numbers = (offset) => handle({ offset }).val;
  assert.equal(numbers(1), numbers(1));
  assert.notEqual(numbers(1), numbers(2));
  const [first, second] = numbers(1).split(",").map(Number);
  assert.ok(first !== second && first >= 0 && first < 1);
  let sum = 0;
  for (let offset = 0; offset < 1000; offset += 1) sum += Number(numbers(offset).split(",")[0]);
  assert.ok(Math.abs(sum / 1000 - 0.5) < 0.05, `neighbours' first numbers are spread: ${sum / 1000}`);
});

test("what is not there says what is there instead", () => {
  for (const call of [() => setTimeout(() => {}, 1), () => crypto.randomUUID(), () => new WebSocket("ws://x"), () => performance.now()]) {
    assert.throws(call, /^Error: there is no \w+ in a component; /);
  }
  assert.throws(() => fetch("http://localhost"), /Forebay writes and sends/);
});

test("console and log go to the host, and nothing in a line fails", () => {
  const { said, handle } = served(() => {
    console.log("a", { b: 1 });
    log.warn("w", { n: 5, big: 5n, bad: Object.create(null) });
    metrics.count("c");
    return skip("x");
  });
  handle({});
  assert.deepEqual(said, [["info", 'a {"b":1}', []], ["warn", "w", [["n", "5"], ["big", "5"], ["bad", "{}"]]], ["c", 1]]);
  assert.throws(() => metrics.count("c", -1), /whole number from 0/);
});

test("an uncaught error is told before it goes on; a failure is the answer", () => {
  const { said, handle } = served(() => null.x);
  assert.throws(() => handle({}), TypeError);
  assert.match(said[0][1], /^uncaught.*: TypeError: /);
  assert.deepEqual(served(() => reject("a", "b")).handle({}), { tag: "reject", val: { code: "a", message: "b" } });
  assert.throws(() => served(() => skip("x"), () => { throw reject("bad-config", "why"); }), (error) => error.code === "bad-config");
});

test("a place in the bundle is told as the place in its file", () => {
  // Lines 2 and 3 come from line 1 and 2 of the second file, line 5 from line 10 of the first.
  const map = { sources: ["a.js", "b.js"], mappings: ";ACAA;AACA;;ADQA" };
  const table = lines(map, (name) => name);
  assert.deepEqual(table, { files: ["a.js", "b.js"], runs: [[2, 1, 1, 2], [5, 0, 10, 1]] });
  const error = new TypeError("bad", { cause: "x" });
  error.stack = "    at inner (/handler.js:3:5)\n    at native\n    at handle (/handler.js:5:1)\n    at <anonymous> (/handler.js:9:1)\n";
  const { text, file, line } = told(error, table);
  assert.equal(text, "uncaught at b.js:2: TypeError: bad; caused by x\n  at inner (b.js:2)\n  at handle (a.js:10)");
  assert.deepEqual([file, line], ["b.js", 2]);
  assert.equal(placed("at f (/handler.js:5:1)\nat /handler.js:9", table), "at f (a.js:10)\nat /handler.js:9");
});
