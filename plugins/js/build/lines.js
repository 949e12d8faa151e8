// From a source map to the few numbers that find a line of the bundle in the file it came from.

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Returns the files, and runs of lines: [the bundle's line, the file's number, the file's line, how many]. */
export function lines({ sources, mappings }, nameOf) {
  const runs = [];
  let [file, source] = [0, 0];
  mappings.split(";").forEach((text, index) => {
    let first = null;
    for (const segment of text.split(",").filter(Boolean)) {
      const [, fileStep, lineStep] = numbers(segment);
      if (fileStep === undefined) continue;
      [file, source] = [file + fileStep, source + lineStep];
      first ??= [index + 1, file, source + 1, 1];
    }
    if (first !== null) append(runs, first);
  });
  return { files: sources.map(nameOf), runs };
}

/** Lines that follow each other in both are one run. */
function append(runs, [line, file, source]) {
  const last = runs.at(-1);
  const follows = last !== undefined && last[1] === file && last[0] + last[3] === line && last[2] + last[3] === source;
  if (follows) last[3] += 1;
  else runs.push([line, file, source, 1]);
}

function numbers(segment) {
  const found = [];
  let [value, shift] = [0, 0];
  for (const digit of segment) {
    const bits = DIGITS.indexOf(digit);
    value += (bits & 31) << shift;
    shift += 5;
    if ((bits & 32) === 0) {
      found.push(value & 1 ? -(value >> 1) : value >> 1);
      [value, shift] = [0, 0];
    }
  }
  return found;
}
