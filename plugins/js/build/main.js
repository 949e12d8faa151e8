// From a package's folder to its component: `node build/main.js FOLDER OUT`. `forebay plugin build` calls it.

import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules, createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { spawnSync } from "node:child_process";

import { lines } from "./lines.js";
import { placed } from "../guest/stack.js";

const SDK = realpathOf(dirname(dirname(fileURLToPath(import.meta.url))));
const FACTS = "__forebay_facts__";
const EVALUATION = "JavaScript module evaluation: ";

const [folder, out] = process.argv.slice(2).map((path) => resolve(path));
const tools = createRequire(join(folder, "package.json"));
async function build() {
  const source = sourceOf(folder);
  const { code, map } = await bundle(source);
  const nameOf = (path) => {
    const whole = realpathOf(resolve(folder, path));
    return whole.startsWith(SDK) ? `forebay-plugin${whole.slice(SDK.length)}` : relative(folder, whole);
  };
  const facts = { digest: digestOf(code), lines: lines(map, nameOf) };
  return componentOf(code.replace(FACTS, JSON.stringify(facts)), facts.lines);
}

/** The plugin's own file: `main` of its package.json. */
function sourceOf(folder) {
  const { main = "handler.js" } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const path = join(folder, main);
  if (!existsSync(path)) refuse(`\`${main}\` is not there; package.json names the handler's file as "main"`);
  return path;
}

/** One file of all modules. The handler's lines are found again by the map. */
async function bundle(source) {
  const esbuild = tools("esbuild");
  const guest = (name) => JSON.stringify(join(SDK, "guest", name));
  const entry = [
    `import ${guest("world.js")};`,
    `import * as log from "forebay:handler/log@0.1.0";`,
    `import * as metrics from "forebay:handler/metrics@0.1.0";`,
    `import { serve } from ${guest("serve.js")};`,
    `import plugin from ${JSON.stringify(source)};`,
    `export const handler = serve(plugin, { log, metrics }, ${FACTS});`,
  ];
  const result = await esbuild
    .build({
      absWorkingDir: folder,
      // One copy of the SDK, wherever the plugin's packages find it.
      alias: { "forebay-plugin": join(SDK, "index.js") },
      bundle: true,
      charset: "utf8",
      external: ["forebay:*"],
      format: "esm",
      legalComments: "none",
      logLevel: "warning",
      mainFields: ["module", "main"],
      outfile: "handler.js",
      platform: "neutral",
      plugins: [noNode],
      sourcemap: "external",
      stdin: { contents: entry.join("\n"), resolveDir: folder, sourcefile: "entry" },
      target: "es2023",
      write: false,
    })
    // It has said why.
    .catch(() => process.exit(1));
  const text = (end) => result.outputFiles.find(({ path }) => path.endsWith(end)).text;
  return { code: text(".js"), map: JSON.parse(text(".map")) };
}

/** Node's own modules are not in a component. */
const noNode = {
  name: "no node",
  setup({ onResolve }) {
    onResolve({ filter: /^(node:|[a-z_])/ }, ({ path }) => {
      if (!path.startsWith("node:") && !builtinModules.includes(path)) return undefined;
      return { errors: [{ text: `there is no \`${path}\` in a component: a handler does no I/O, and node is not in there` }] };
    });
  },
};

/** Makes the component, if it is not there. The tool makes other bytes each time, and a digest is to be the source's. */
function componentOf(code, places) {
  const tool = tools.resolve("componentize-qjs/package.json");
  const wit = [join(SDK, "wit"), join(SDK, "../../wit")].find((path) => existsSync(path));
  const inputs = digestOf(readFileSync(tool), readFileSync(join(wit, "handler.wit")), code);
  const made = `${out}.made`;
  if (existsSync(out) && existsSync(made) && readFileSync(made, "utf8") === inputs) return 0;
  rmSync(made, { force: true });
  const scratch = mkdtempSync(join(dirname(out), "forebay-"));
  try {
    writeFileSync(join(scratch, "handler.js"), code);
    const args = ["--wit", wit, "--world", "pure", "--sync", "--stub-wasi", "--js", "handler.js", "-o", out];
    const command = [join(dirname(tool), "cli.mjs"), ...args];
    const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: scratch, encoding: "utf8" });
    if (status === 0) writeFileSync(made, inputs);
    else process.stderr.write(`${placed(wordsOf(`${stdout}${stderr}`), places)}\n`);
    return status ?? 1;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** The plugin's modules run once while the component is made: what stops them stands behind the tool's own words. */
function wordsOf(text) {
  return text.split(EVALUATION).at(-1).trim();
}

function digestOf(...parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest("hex");
}

/** npm links the SDK's folder into node_modules. */
function realpathOf(path) {
  return existsSync(path) ? realpathSync(path) : path;
}

function refuse(reason) {
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}

process.exitCode = await build();
