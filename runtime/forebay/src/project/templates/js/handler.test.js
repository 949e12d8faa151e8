import assert from "node:assert/strict";
import { test } from "node:test";

import { apply, Message } from "forebay-plugin";

import handle from "./handler.js";

const SETTINGS = { largestAmount: 10 };

function item(amount) {
  const value = JSON.stringify({ id: "a-1", title: "first", amount, updated_at: 1500 });
  return new Message({ topic: "{{name}}", key: "a-1", value });
}

test("an item becomes a row", () => {
  const row = { id: "a-1", title: "first", amount: 7, updated_at: new Date(1500) };
  assert.deepEqual(handle(item(7), SETTINGS), apply().upsert("items", row));
});

test("too much is rejected with the reason", () => {
  assert.equal(String(handle(item(11), SETTINGS)), "too-much: amount 11 is above 10");
});

test("what is no item is malformed", () => {
  for (const value of ["hello", "5", "{}"]) {
    assert.equal(handle(new Message({ topic: "{{name}}", value }), SETTINGS).code, "malformed");
  }
});

test("a tombstone deletes the row", () => {
  const outcome = handle(new Message({ topic: "{{name}}", key: "a-1" }), SETTINGS);
  assert.deepEqual(outcome, apply().delete("items", { id: "a-1" }));
});
