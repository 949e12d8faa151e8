import assert from "node:assert/strict";
import { test } from "node:test";

import { apply, Message, skip } from "forebay-plugin";

import { parseAddress } from "./address.js";
import { parseAgent } from "./agent.js";
import handle from "./handler.js";

const STATE = { own: new Set(["shop.example"]) };
const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const URL = "https://shop.example/beans?utm_source=news&utm_medium=mail&utm_campaign=Herbst+%C3%BC";

function view(fields = {}) {
  const value = { id: "v-1", visitor: "a", at: 1500, url: URL, user_agent: FIREFOX, ...fields };
  return handle(new Message({ topic: "clicks", key: "v-1", value: JSON.stringify(value) }), STATE);
}

const row = {
  id: "v-1",
  at: new Date(1500),
  visitor: "a",
  host: "shop.example",
  path: "/beans",
  referrer: null,
  source: "news",
  medium: "mail",
  campaign: "Herbst ü",
  browser: "Firefox",
  version: 145,
  os: "Linux",
  device: "desktop",
};

test("a page view becomes a row with its campaign and browser", () => {
  assert.deepEqual(view(), apply().upsert("views", row));
});

test("what is not known is null", () => {
  const unknown = { source: null, medium: null, campaign: null, browser: null, version: null, os: null };
  const expected = apply().upsert("views", { ...row, ...unknown, path: "/" });
  assert.deepEqual(view({ url: "https://SHOP.example", user_agent: undefined }), expected);
});

test("a referrer is the host of another site", () => {
  const elsewhere = apply().upsert("views", { ...row, referrer: "search.example" });
  assert.deepEqual(view({ referrer: "https://search.example/?q=beans" }), elsewhere);
  assert.deepEqual(view({ referrer: "https://shop.example/" }), apply().upsert("views", row));
});

test("a purchase is stored and announced with its campaign", () => {
  const purchase = { order_id: "o-1", amount: "12.50", currency: "EUR" };
  const { at, campaign } = row;
  const expected = apply()
    .upsert("views", row)
    .upsert("purchases", { order_id: "o-1", view: "v-1", at, amount: "12.50", currency: "EUR", campaign })
    .publish("attributed", { key: "o-1", json: { ...purchase, campaign } });
  assert.deepEqual(view({ purchase }), expected);
  assert.equal(view({ purchase: { ...purchase, amount: 12.5 } }).code, "amount");
});

test("what is no view is rejected, and a bot is skipped", () => {
  assert.equal(view({ url: "/beans" }).code, "malformed");
  assert.equal(view({ visitor: undefined }).code, "malformed");
  assert.equal(String(view({ url: "https://other.example/" })), "host: other.example is none of ours");
  assert.deepEqual(view({ user_agent: "Mozilla/5.0 (compatible; examplebot/2.1)" }), skip("a bot"));
});

/** The bug that the sample data runs into: a dead letter of the class `trap`, and the messages behind it go on. */
test("a per cent sign that stands for itself throws", () => {
  assert.throws(() => view({ url: "https://shop.example/?utm_campaign=50%" }), URIError);
});

test("a tombstone takes the view back", () => {
  const outcome = handle(new Message({ topic: "clicks", key: "v-1" }), STATE);
  assert.deepEqual(outcome, apply().delete("views", { id: "v-1" }));
});

test("addresses have parts", () => {
  const query = (fields) => Object.assign(Object.create(null), fields);
  const whole = parseAddress("HTTPS://me:x@Shop.Example:8443/a%20b?x=1&x=2&y=a=b&z#top?no=1");
  assert.deepEqual(whole, { host: "shop.example", path: "/a b", query: query({ x: "1", y: "a=b", z: "" }) });
  assert.deepEqual(parseAddress("http://a?__proto__=1").query, query({ ["__proto__"]: "1" }));
  for (const text of [undefined, "", "ftp://a", "shop.example/x", "https:///x"]) {
    assert.equal(parseAddress(text), undefined);
  }
});

test("browsers are told apart", () => {
  const webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
  const apple = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1";
  const phone = "iPhone; CPU iPhone OS 18_6 like Mac OS X";
  const cases = [
    [`Mozilla/5.0 (Windows NT 10.0) ${webkit} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0`, "Edge 142 Windows desktop"],
    [`Mozilla/5.0 (Linux; Android 10; K) ${webkit} Chrome/141.0.0.0 Mobile Safari/537.36`, "Chrome 141 Android phone"],
    [`Mozilla/5.0 (Linux; Android 13; SM-X200) ${webkit} Chrome/140.0.0.0 Safari/537.36`, "Chrome 140 Android tablet"],
    [`Mozilla/5.0 (${phone}) ${apple} Mobile/15E148 Safari/604.1`, "Safari 26 iOS phone"],
    [`Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${apple} Safari/605.1.15`, "Safari 26 macOS desktop"],
    [FIREFOX, "Firefox 145 Linux desktop"],
    ["curl/8.14.1", "null null null desktop"],
  ];
  for (const [text, expected] of cases) {
    const { browser, version, os, device } = parseAgent(text);
    assert.equal(`${browser} ${version} ${os} ${device}`, expected);
  }
});
