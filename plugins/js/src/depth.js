// How deep JSON is nested: a parser that calls itself for each level runs out of stack, which no handler survives.

/** Lists and objects within one another. The SDKs of all languages take as many. */
export const DEPTH_MAX = 127;

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"?|[[\]{}]/gs;

/** Returns whether JSON is nested deeper than that. Costs next to nothing where there are few brackets. */
export function isTooDeep(text) {
  if (count(text, "[") + count(text, "{") <= DEPTH_MAX) return false;
  // Only brackets, one level taken away at a time.
  let rest = text.replace(/[^[\]{}]+/g, "").replaceAll("{", "[").replaceAll("}", "]");
  for (let level = 0; level < DEPTH_MAX; level += 1) {
    const { length } = rest;
    rest = rest.replaceAll("[]", "");
    if (rest.length === length) break;
  }
  return rest !== "" && isTooDeepForSure(text);
}

/** The same where brackets stand in texts, or have no other half. */
function isTooDeepForSure(text) {
  let depth = 0;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "[" || token === "{") depth += 1;
    if (token === "]" || token === "}") depth -= 1;
    if (depth > DEPTH_MAX) return true;
  }
  return false;
}

/** How often a character stands in a text, as far as that matters here. */
function count(text, character) {
  let found = 0;
  for (let at = text.indexOf(character); at >= 0 && found <= DEPTH_MAX; at = text.indexOf(character, at + 1)) found += 1;
  return found;
}
