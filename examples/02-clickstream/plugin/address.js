// An address of a page in its parts. A component has no `URL`: that is the browser's and node's, not JavaScript's.

const ADDRESS = /^https?:\/\/(?:[^/?#@]*@)?([^/?#:]+)(?::\d+)?([^?#]*)(?:\?([^#]*))?/i;

/** Returns host, path and query; nothing of what is no address. */
export function parseAddress(text) {
  const [whole, host, path, query = ""] = ADDRESS.exec(text ?? "") ?? [];
  if (!whole) return undefined;
  return { host: host.toLowerCase(), path: decoded(path) || "/", query: parseQuery(query) };
}

/** Returns the fields of a query, the first one of each name. */
function parseQuery(text) {
  const fields = Object.create(null);
  for (const pair of text.split("&")) {
    const [name, ...value] = pair.split("=");
    const key = decoded(name);
    if (key && !(key in fields)) fields[key] = decoded(value.join("=").replaceAll("+", " "));
  }
  return fields;
}

/** A bug, and left in on purpose, to show what becomes of a message whose handler throws: people write `50%`. */
function decoded(text) {
  return decodeURIComponent(text);
}
