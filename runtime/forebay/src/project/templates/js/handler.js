// A message is an item as it stands: it becomes a row of the table, or it is rejected with the reason.
//
// The handler is a pure function. It sees one message and answers with values; reading, writing, retrying, dead-lettering
// and committing are Forebay's part. sdk/README.md tells what it may do.

import { apply, handler, reject } from "forebay-plugin";

/** `config` of this plugin in forebay.toml. What is thrown here keeps the handler from starting. */
function open(settings) {
  const { "largest-amount": largestAmount, ...unknown } = settings;
  if (!Number.isInteger(largestAmount)) throw reject("bad-config", "`largest-amount` is a whole number");
  if (Object.keys(unknown).length > 0) throw reject("bad-config", `unknown: ${Object.keys(unknown)}`);
  return { largestAmount };
}

function handle(message, { largestAmount }) {
  // A null value says that what the key names is no more.
  if (message.isTombstone) {
    return apply().delete("items", { id: message.keyText() });
  }
  // What is no JSON object, or lacks a field that a column needs, ends as a dead letter `malformed`.
  const { id, title, amount, updated_at } = message.object();
  // A rule of your own, with a code that dead letters and metrics carry.
  if (amount > largestAmount) {
    return reject("too-much", `amount ${amount} is above ${largestAmount}`);
  }
  // Milliseconds since the Unix epoch.
  return apply().upsert("items", { id, title, amount, updated_at: new Date(updated_at) });
}

export default handler(handle, open);
