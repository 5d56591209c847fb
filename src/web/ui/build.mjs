/* Builds ../dist from src/ and ../../../dashboards/*.yml: the same bytes for the
 * same input, on any machine. Names carry a hash of their content, so that the
 * server may let browsers keep them for good. */
import { readFileSync, writeFileSync, rmSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import { packBoards } from "./boards.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "../dist");
const boards = join(here, "../../../dashboards");
const FIRST_PAGE_MAX = 60 * 1024; /* compressed */

/** The module "boards": the YAML files, checked, as JSON. */
export const boardsPlugin = {
  name: "boards",
  setup(build) {
    build.onResolve({ filter: /^boards$/ }, () => ({ path: "boards", namespace: "boards" }));
    build.onLoad({ filter: /.*/, namespace: "boards" }, () => ({ contents: JSON.stringify(packBoards(boards)), loader: "json" }));
  },
};

async function build() {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(join(out, "assets"), { recursive: true });
  const result = await esbuild.build({
    absWorkingDir: here,
    entryPoints: { app: "src/main.tsx", style: "src/styles.css" },
    outdir: join(out, "assets"),
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    splitting: true,
    bundle: true,
    minify: true,
    format: "esm",
    target: ["es2022", "chrome115", "firefox125", "safari17"],
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
    charset: "utf8",
    metafile: true,
    plugins: [boardsPlugin],
  });
  const names = Object.keys(result.metafile.outputs).map((p) => p.replace(/^.*\/assets\//, "assets/")).sort();
  const find = (re) => names.find((n) => re.test(n));
  const html = readFileSync(join(here, "src/index.html"), "utf8")
    .replace("{{style}}", `/${find(/style-.*\.css$/)}`)
    .replace("{{app}}", `/${find(/app-.*\.js$/)}`);
  writeFileSync(join(out, "index.html"), html);
  writeFileSync(join(out, "icon.svg"), readFileSync(join(here, "src/icon.svg")));
  weigh(["index.html", "icon.svg", ...names]);
}

/* What a browser fetches before it shows data: everything but the
 * setup view and what opens on a click. */
function weigh(names) {
  let total = 0;
  for (const name of names) {
    const n = gzipSync(readFileSync(join(out, name)), { level: 9 }).length;
    total += /(setup|targets|pickers|details)-/.test(name) ? 0 : n;
    console.log(`${String(n).padStart(7)}  ${name}`);
  }
  console.log(`${String(total).padStart(7)}  first page, compressed (at most ${FIRST_PAGE_MAX})`);
  if (total > FIRST_PAGE_MAX)
    throw new Error("the first page has grown too large");
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await build();
