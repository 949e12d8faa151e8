import assert from "node:assert/strict";
import { test } from "node:test";

import { Failure, Message, reject } from "forebay-plugin";

function refusal(call) {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof Failure, error);
    return String(error);
  }
  return assert.fail("it is no failure");
}

const of = (value) => new Message({ topic: "t", value });

test("bad JSON, a tombstone and what is not UTF-8 are malformed", () => {
  assert.match(refusal(() => of('{"a": ?}').json()), /^malformed: the value is no JSON: /);
  assert.equal(refusal(() => of(null).json()), "malformed: the value is null (a tombstone)");
  for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0x61, 0xe2, 0x82]]) {
    assert.equal(refusal(() => of(Uint8Array.from(bytes)).text()), "malformed: the value is not text: invalid UTF-8");
  }
});

test("what is nested too deep is malformed, and nothing else is", () => {
  const nested = (levels, inside = "") => `${'{"a":['.repeat(levels)}${inside}${"]}".repeat(levels)}`;
  for (const text of [nested(64), "[".repeat(100_000), `[${nested(63)},${nested(63)}${"[".repeat(127)}`]) {
    assert.match(refusal(() => of(text).json()), /^malformed: the value is JSON nested deeper than 127 levels$/);
  }
  const brackets = `"${"[{".repeat(200)}\\\"${"[".repeat(200)}"`;
  for (const text of [nested(63), `[${"[{}],".repeat(500)}0]`, `[${nested(63, brackets)}]`]) of(text).json();
  assert.match(refusal(() => of(`"\\${"[".repeat(200)}`).json()), /^malformed: the value is no JSON: /);
});

test("null and empty are told apart", () => {
  assert.equal(of("").text(), "");
  assert.equal(new Message({ key: "" }).keyText(), "");
  assert.equal(refusal(() => new Message().keyText()), "malformed: the message has no key");
});

test("text of any length and alphabet comes back", () => {
  for (const text of ["ä€😀\u0000", "é".repeat(20_000), "a".repeat(100_000)]) assert.equal(of(text).text(), text);
});

test("whole numbers keep all their digits", () => {
  const text = '{"a": 9007199254740993, "b": [-9223372036854775808], "c": 9007199254740991, "d": 1.5e300, "e": 12345678901234567890.5}';
  const value = of(text).json();
  assert.deepEqual(value, { a: 9007199254740993n, b: [-9223372036854775808n], c: 9007199254740991, d: 1.5e300, e: 12345678901234567890.5 });
  // A number within a string is text, whatever else is there, and whatever it looks like.
  const tricky = '{"a": "nn1 \\"9007199254740993", "n9007199254740993": 9007199254740993, "b": "9007199254740993", "c": "n5"}';
  assert.deepEqual(of(tricky).json(), {
    a: 'nn1 "9007199254740993',
    n9007199254740993: 9007199254740993n,
    b: "9007199254740993",
    c: "n5",
  });
  assert.equal(of("9007199254740993").json(), 9007199254740993n);
});

test("an object is wanted where one is asked for", () => {
  for (const text of ["null", "5", "[]", '"a"']) assert.match(refusal(() => of(text).object()), /^malformed: .*no object/);
  assert.deepEqual(of('{"a": 1}').object(), { a: 1 });
});

test("the last header of a name counts", () => {
  const message = new Message({ headers: [["a", "1"], ["a", "2"], ["b", null]] });
  assert.deepEqual([message.header("a"), message.header("b"), message.header("c")], ["2", null, null]);
});

test("a timestamp is a date, or null", () => {
  assert.equal(new Message({ timestampMs: 1500 }).timestamp.getTime(), 1500);
  assert.equal(new Message().timestamp, null);
  assert.equal(new Message({ metadata: { schema: "x" } }).fact("schema"), "x");
});

test("a failure has a code and a message", () => {
  assert.equal(String(reject("a", "b")), "a: b");
});
