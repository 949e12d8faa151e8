// An uncaught error as one text for a dead letter: what it says, and where it was, in the files as they were written.

import { shown } from "../src/host.js";

const FRAME = /^\s*at (?:(.*) \()?\/?([^()]*?)(?::(\d+))?(?::(\d+))?\)?$/;
const FRAMES_MAX = 12;
/** What the build calls the SDK's own files: they say nothing of the plugin. */
const SDK = "forebay-plugin/";

/** Returns the text, and the file and line where it was thrown if they are known. */
export function told(error, lines) {
  const all = error instanceof Error ? places(String(error.stack ?? ""), lines) : [];
  const own = all.filter(({ file }) => !file.startsWith(SDK));
  const frames = own.length > 0 ? own : all;
  const [first] = frames;
  const at = first ? ` at ${first.file}:${first.line}` : "";
  const trail = frames.slice(0, FRAMES_MAX).map(({ name, file, line }) => `\n  at ${name} (${file}:${line})`);
  return { text: `uncaught${at}: ${words(error)}${trail.join("")}`, ...first };
}

function words(error) {
  if (!(error instanceof Error)) return shown(error);
  const cause = error.cause === undefined ? "" : `; caused by ${words(error.cause)}`;
  return `${shown(error)}${cause}`;
}

/** Returns the frames that lie in files of the plugin or its packages. */
function places(stack, lines) {
  const frames = [];
  for (const text of stack.split("\n")) {
    const [, name, , line] = FRAME.exec(text) ?? [];
    const place = line === undefined ? null : original(Number(line), lines);
    if (place !== null) frames.push({ name: name || "(top)", ...place });
  }
  return frames;
}

/** Returns a text of the engine's with the places in the bundle as those in the files. */
export function placed(text, lines) {
  return text.replace(/\/handler\.js:(\d+)(:\d+)?/g, (whole, line) => {
    const place = original(Number(line), lines);
    return place === null ? whole : `${place.file}:${place.line}`;
  });
}

/** `runs` are [the bundle's line, the file's number, the file's line, how many], in order. */
function original(line, { files, runs }) {
  const run = runs.findLast(([start]) => start <= line);
  if (run === undefined || line >= run[0] + run[3]) return null;
  return { file: files[run[1]], line: run[2] + line - run[0] };
}
