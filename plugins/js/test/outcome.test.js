import assert from "node:assert/strict";
import { test } from "node:test";

import { apply, Failure, handler, json, Message, reject, skip } from "forebay-plugin";

const column = (value) => apply().upsert("t", { x: value }).effects[0].val.columns[0].value;

test("values of JavaScript find their variant", () => {
  const cases = [
    [null, { tag: "null" }],
    [true, { tag: "boolean", val: true }],
    [7, { tag: "integer", val: 7 }],
    [0.5, { tag: "float", val: 0.5 }],
    [1e300, { tag: "float", val: 1e300 }],
    [-0, { tag: "float", val: -0 }],
    [5n, { tag: "integer", val: 5 }],
    [9223372036854775807n, { tag: "text", val: "9223372036854775807" }],
    ["ä", { tag: "text", val: "ä" }],
    [Uint8Array.of(1), { tag: "bytes", val: Uint8Array.of(1) }],
    [new Date(1500), { tag: "timestamp-micros", val: 1500000 }],
    [new Date("2300-01-01"), { tag: "text", val: "2300-01-01T00:00:00.000Z" }],
  ];
  for (const [value, expected] of cases) assert.deepEqual(column(value), expected);
});

test("what is missing or has no form as a column says what to do", () => {
  const refused = (value) => {
    try {
      return assert.fail(column(value));
    } catch (error) {
      return String(error);
    }
  };
  assert.match(refused(undefined), /^malformed: column `x` of `t` is undefined; null writes NULL/);
  assert.match(refused(new Date(NaN)), /^malformed: .*an invalid date/);
  assert.match(refused("a\ud800"), /^malformed: .*surrogate/);
  assert.match(refused([1]), /^no-column: .*a list; json\(value\)/);
  assert.equal(column(json({ a: 9007199254740993n, b: "n1" })).val, '{"a":9007199254740993,"b":"n1"}');
});

test("effects keep their order, and a skip with an effect is no skip", () => {
  const outcome = skip("old").delete("a", { id: 1 }).publish("b", { key: "k", json: { a: 1 }, headers: { h: "v" } });
  assert.deepEqual(outcome.effects.map(({ tag }) => tag), ["delete", "publish"]);
  assert.equal(outcome.skipped, null);
  const { key, value, headers } = outcome.effects[1].val;
  assert.deepEqual([key, value].map((bytes) => Buffer.from(bytes).toString()), ["k", '{"a":1}']);
  assert.deepEqual(headers, [{ name: "h", value: Uint8Array.of(0x76) }]);
  assert.equal(skip("old").skipped, "old");
});

test("a failure is an answer whether it is thrown or returned", () => {
  const message = new Message();
  for (const handle of [() => reject("a", "b"), () => { throw reject("a", "b"); }]) {
    const answer = handler(handle)(message, {});
    assert.ok(answer instanceof Failure && answer.code === "a");
  }
});

test("what is no answer says what would be one", () => {
  assert.throws(() => handler(() => undefined)(new Message()), /returned undefined; it returns apply\(\)/);
  assert.throws(() => handler(async () => apply())(new Message()), /take `async` away/);
  assert.throws(() => handler({}), TypeError);
});
