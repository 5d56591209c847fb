/* Bundles each test with what it tests and runs it under Node's own runner, in
 * more than one time zone, since windows follow the local clock. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { boardsPlugin } from "../build.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const out = mkdtempSync(join(tmpdir(), "ccmon-ui-test-"));
const tests = readdirSync(here).filter((n) => n.endsWith(".test.ts"));
let bad = 0;
try {
  await esbuild.build({
    entryPoints: tests.map((n) => join(here, n)),
    outdir: out,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    jsx: "automatic",
    jsxImportSource: "preact",
    plugins: [boardsPlugin],
  });
  for (const zone of ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"]) {
    console.log(`TZ=${zone}`);
    const r = spawnSync(process.execPath, ["--test", "--test-reporter=dot", ...readdirSync(out).map((n) => join(out, n))], { stdio: "inherit", env: { ...process.env, TZ: zone } });
    bad += r.status === 0 ? 0 : 1;
  }
} finally {
  rmSync(out, { recursive: true, force: true });
}
process.exit(bad ? 1 : 0);
