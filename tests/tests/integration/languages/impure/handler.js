// Each way to answer with more than the message says. `what` in the manifest's config says which.

import { apply, handler } from "forebay-plugin";

let seen = 0;

/** A random generator of one's own, seeded once: xorshift. */
let state = 2463534242;

function roll() {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return state;
}

function handle(message, { what }) {
  let amount = 0;
  if (what === "count") amount = ++seen;
  if (what === "random") amount = roll();
  // What the SDK seeds for each message anew is a function of the message.
  if (what === "nothing") amount = Math.floor(Math.random() * 1000);
  return apply().upsert("items", { id: message.keyText(), title: what, amount, updated_at: new Date() });
}

export default handler(handle, (settings) => settings);
