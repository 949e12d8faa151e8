// A page view becomes a row: which page, from where, by which campaign, with which browser. A purchase is a page view, and
// something was bought: one more row, and a message for whoever pays for campaigns.

import { apply, handler, reject, skip } from "forebay-plugin";

import { parseAddress } from "./address.js";
import { parseAgent } from "./agent.js";

/** `config` of this plugin in forebay.toml. What is thrown here keeps the handler from starting. */
function open({ "own-hosts": hosts, ...unknown }) {
  if (!Array.isArray(hosts)) throw reject("bad-config", "`own-hosts` is a list of hosts");
  if (Object.keys(unknown).length > 0) throw reject("bad-config", `unknown: ${Object.keys(unknown)}`);
  return { own: new Set(hosts) };
}

function handle(message, { own }) {
  // A null value takes the view back: its visitor does not want to be known.
  if (message.isTombstone) return apply().delete("views", { id: message.keyText() });
  const view = message.object();
  const { browser, version, os, device, isBot } = parseAgent(view.user_agent ?? "");
  if (isBot) return skip("a bot");
  const address = parseAddress(view.url);
  if (!address) return reject("malformed", "the field `url` is no address of a page");
  if (!own.has(address.host)) return reject("host", `${address.host} is none of ours`);

  const at = new Date(view.at);
  const from = parseAddress(view.referrer)?.host;
  const { utm_source: source = null, utm_medium: medium = null, utm_campaign: campaign = null } = address.query;
  const outcome = apply().upsert("views", {
    id: view.id,
    at,
    visitor: view.visitor,
    host: address.host,
    path: address.path,
    // From one page of ours to the next is no news.
    referrer: from && !own.has(from) ? from : null,
    source,
    medium,
    campaign,
    browser,
    version,
    os,
    device,
  });
  return view.purchase ? bought(outcome, view, at, campaign) : outcome;
}

function bought(outcome, view, at, campaign) {
  const { order_id, amount, currency } = view.purchase;
  // As a number it has lost digits on its way, or may have.
  if (typeof amount !== "string") return reject("amount", 'an amount is a text such as "12.50"');
  return outcome
    .upsert("purchases", { order_id, view: view.id, at, amount, currency, campaign })
    .publish("attributed", { key: order_id, json: { order_id, amount, currency, campaign } });
}

export default handler(handle, open);
