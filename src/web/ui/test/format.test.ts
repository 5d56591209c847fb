import test from "node:test";
import assert from "node:assert/strict";
import type { Unit } from "../src/board";
import { brief, change, exact, grouped, modelName, text, ticks } from "../src/format";
import { colours } from "../src/palette";

const plain = (s: string) => s.replace(/\u202f/g, " ").replace(/\u2212/g, "-").replace(/\u2013/g, "none");

test("figures", () => {
  const rows: [number | undefined, Unit, string][] = [
    [0, "usd", "$0.00"], [0.1855644, "usd", "$0.1856"], [0.00001, "usd", "$<0.0001"], [1.005, "usd", "$1.00"], [61.284, "usd", "$61.28"], [12345.6, "usd", "$12 346"],
    [0, "count", "0"], [7, "count", "7"], [8568, "count", "8 568"], [9999, "count", "9 999"], [83606, "count", "83.6 k"], [999_600, "count", "1.00 M"], [112e6, "count", "112 M"], [2.5, "count", "2.5"],
    [0.962, "ratio", "96.2 %"], [0.9999, "ratio", ">99.9 %"], [1, "ratio", "100 %"], [0.0001, "ratio", "<0.1 %"], [0, "ratio", "0 %"],
    [0, "ms", "0 ms"], [3.25, "ms", "3.3 ms"], [870, "ms", "870 ms"], [999.7, "ms", "1.00 s"], [9400, "ms", "9.40 s"],
    [59.94, "seconds", "59.9 s"], [100, "seconds", "1m 40s"], [17_640, "seconds", "4h 54m"], [400_000, "seconds", "111 h"],
    [512, "bytes", "512 B"], [6900, "bytes", "6.9 kB"], [1_834_567, "bytes", "1.83 MB"], [3e9, "bytes", "3.00 GB"],
    [undefined, "usd", "none"], [NaN, "ratio", "none"], [Infinity, "ms", "none"],
  ];
  for (const [n, unit, want] of rows)
    assert.equal(plain(text(n, unit)), want, `${n} ${unit}`);
});

test("every digit on demand", () => {
  const rows: [number | undefined, Unit, string][] = [
    [0.1855644, "usd", "$0.1855644"], [3e-9, "usd", "$0.000000003"], [112_345_678, "count", "112 345 678"], [0.962, "ratio", "96.2 %"], [1234.5, "ms", "1234.5 ms"], [undefined, "usd", "no value"],
  ];
  for (const [n, unit, want] of rows)
    assert.equal(plain(exact(n, unit)), want);
});

test("change against before", () => {
  assert.equal(change(5, 0), undefined);
  assert.equal(change(undefined, 3), undefined);
  assert.equal(plain(change(112, 100)!.text), "12 %");
  assert.equal(plain(change(95, 100)!.text), "5.0 %");
  assert.ok(!change(95, 100)!.up);
  assert.equal(plain(change(2000, 100)!.text), "20 ×");
  assert.ok(change(100.1, 100)!.same);
});

test("axes reach the largest bar at round values", () => {
  const rows: [number, boolean, number[]][] = [
    [6.2, false, [0, 2, 4, 6, 8]], [10.4, true, [0, 5, 10, 15]], [0.037, false, [0, 0.01, 0.02, 0.03, 0.04]], [1, true, [0, 1]], [3, true, [0, 1, 2, 3]], [0, true, [0, 1]], [8, false, [0, 2, 4, 6, 8]],
  ];
  for (const [max, whole, want] of rows)
    assert.deepEqual(ticks(max, 4, whole), want, String(max));
});

test("names", () => {
  assert.equal(modelName("claude-opus-5-5"), "opus-5-5");
  assert.equal(modelName("claude-sonnet-4-5-20250929"), "sonnet-4-5");
  assert.equal(modelName("us.anthropic.claude-opus-4-1-20250805-v1:0"), "opus-4-1");
  assert.equal(modelName("gpt-x"), "gpt-x");
  assert.equal(brief("7d4496ad-c9eb-4271-921d-113182b5da49", 8), "7d4496ad");
  assert.equal(brief("short", 8), "short");
  assert.equal(plain(grouped(-1234.5, 1)), "-1 234.5");
});

test("a model keeps its colour in any company, and no two share one", () => {
  const alone = colours("model", ["claude-opus-5-5"]).get("claude-opus-5-5");
  const all = ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-4-1", "claude-opus-4", "claude-opus-4-8", "claude-opus-5-8", "x", "y", "z", "w", "v"];
  const many = colours("model", all);
  assert.equal(many.get("claude-sonnet-5-5"), colours("model", ["claude-sonnet-5-5"]).get("claude-sonnet-5-5"));
  assert.equal(alone, "--hue-blue");
  assert.equal(new Set(many.values()).size, all.length);
});
