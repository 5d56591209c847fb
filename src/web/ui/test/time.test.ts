import test from "node:test";
import assert from "node:assert/strict";
import { agoOf, isoOf, pan, parseTime, pickStep, PRESETS, promDuration, resolve, wholeBuckets, zoomOut } from "../src/time";

const NOW = Date.UTC(2026, 10, 24, 9, 7, 31, 250);
const M = 60_000;
const H = 60 * M;
const D = 24 * H;

test("what people type", () => {
  const local = (y: number, m: number, d: number, h = 0, min = 0, s = 0, ms = 0) => new Date(y, m - 1, d, h, min, s, ms).getTime();
  const rows: [string, number | undefined][] = [
    ["now", NOW],
    [" now-6h ", NOW - 6 * H],
    ["now-90d", NOW - 90 * D],
    ["now+5m", NOW + 5 * M],
    ["now-2w", NOW - 14 * D],
    ["now/d", new Date(NOW).setHours(0, 0, 0, 0)],
    ["now-1d/d", new Date(NOW - D).setHours(0, 0, 0, 0)],
    ["2026-11-23", local(2026, 11, 23)],
    ["2026-11-23 10:05", local(2026, 11, 23, 10, 5)],
    ["2026-11-23T10:05:07.5", local(2026, 11, 23, 10, 5, 7, 500)],
    ["2026-11-23T10:05Z", Date.UTC(2026, 10, 23, 10, 5)],
    ["2026-11-23T10:05:00+02:00", Date.UTC(2026, 10, 23, 8, 5)],
    ["1795424400", 1795424400000],
    ["1795424400123", 1795424400123],
    ["now-6x", undefined],
    ["now - 6h", undefined],
    ["2026-13-01", undefined],
    ["2026-02-30", undefined],
    ["2026-11-23 25:00", undefined],
    ["yesterday", undefined],
    ["", undefined],
  ];
  for (const [text, want] of rows)
    assert.equal(parseTime(text, NOW), want, text);
});

test("a week begins on Monday", () => {
  const t = parseTime("now/w", NOW)!;
  assert.equal(new Date(t).getDay(), 1);
  assert.equal(new Date(t).getHours(), 0);
  assert.ok(NOW - t < 7 * D + H);
});

test("steps: few enough buckets, never finer than the client's minute", () => {
  const rows: [number, number][] = [[15 * M, M], [H, M], [6 * H, 5 * M], [D, 15 * M], [7 * D, 2 * H], [30 * D, 12 * H], [90 * D, D], [1, M]];
  for (const [span, step] of rows)
    assert.equal(pickStep(span), step, String(span));
  assert.ok((4000 * D) / pickStep(4000 * D) <= 96);
});

test("buckets fill the window, whatever it is", () => {
  const ranges = [
    ...PRESETS.map((p) => ({ from: p.from, to: "now" })),
    { from: "2026-11-23T10:03:11Z", to: "2026-11-23T22:47:09.123Z" },
    { from: "2026-11-23T10:03:11Z", to: "2026-11-23T10:03:12Z" },
    { from: "2026-11-23", to: "2026-11-24" },
    { from: "2026-03-01", to: "2026-11-23" },
    { from: "now-6h", to: "now-1h" },
  ];
  for (const r of ranges) {
    const w = resolve(r, NOW)!;
    const name = JSON.stringify(r);
    assert.equal(w.bounds[0], w.start, name);
    assert.equal(w.bounds.at(-1), w.end, name);
    w.bounds.slice(1).forEach((t, i) => assert.ok(t > w.bounds[i]! && t - w.bounds[i]! <= w.step, name));
    assert.ok(w.bounds.length <= 100, name);
    assert.ok(w.start >= parseTime(r.from, NOW)! && w.end >= parseTime(r.to, NOW)!, name);
    assert.ok(w.start - parseTime(r.from, NOW)! < w.step && w.end - parseTime(r.to, NOW)! < w.step, name);
    const { first, last } = wholeBuckets(w);
    assert.ok(first <= last && w.bounds.length - 1 - (last - first) <= 2, name);
    for (let i = first; i < last; i++)
      assert.equal(w.bounds[i + 1]! - w.bounds[i]!, w.step, name);
  }
});

test("a preset is as long as it says", () => {
  for (const p of PRESETS.filter((x) => /^now-/.test(x.from))) {
    const w = resolve({ from: p.from, to: "now" }, NOW)!;
    assert.equal(promDuration(w.end - w.start), promDuration(NOW - parseTime(p.from, NOW)!), p.from);
  }
  const tiny = resolve({ from: "now-5s", to: "now" }, NOW)!;
  assert.equal(tiny.end - tiny.start, M);
});

test("relative windows have whole buckets, absolute ones are kept exactly", () => {
  const rel = resolve({ from: "now-24h", to: "now" }, NOW)!;
  assert.deepEqual(wholeBuckets(rel), { first: 0, last: rel.bounds.length - 1 });
  assert.ok(rel.live);
  const from = "2026-11-23T10:03:11Z";
  const abs = resolve({ from, to: "2026-11-24T03:00:00Z" }, NOW)!;
  assert.equal(abs.start, Date.parse(from));
  assert.equal(abs.end, Date.parse("2026-11-24T03:00:00Z"));
  assert.ok(!abs.live);
});

test("days begin at local midnight", () => {
  const w = resolve({ from: "now-90d", to: "now" }, NOW)!;
  assert.equal(new Date(w.end).getHours(), 0);
});

test("ranges that are none", () => {
  for (const r of [{ from: "now", to: "now-1h" }, { from: "x", to: "now" }, { from: "now-1h", to: "" }])
    assert.equal(resolve(r, NOW), undefined, JSON.stringify(r));
});

test("durations as the query languages write them", () => {
  const rows: [number, string][] = [[D + 12 * H, "1d12h"], [90 * M, "1h30m"], [1500, "1s500ms"], [45 * D, "45d"], [0, "0s"], [H + 1, "1h1ms"]];
  for (const [ms, want] of rows)
    assert.equal(promDuration(ms), want);
});

test("moving about", () => {
  const w = resolve({ from: "2026-11-20T00:00Z", to: "2026-11-21T00:00Z" }, NOW)!;
  assert.deepEqual(pan(w, -1), { from: "2026-11-19T00:00Z", to: "2026-11-20T00:00Z" });
  assert.deepEqual(zoomOut(w, NOW), { from: "2026-11-19T12:00Z", to: "2026-11-21T12:00Z" });
  assert.equal(zoomOut(resolve({ from: "now-1h", to: "now" }, NOW)!, NOW).to, isoOf(resolve({ from: "now-1h", to: "now" }, NOW)!.end));
});

test("ago", () => {
  const rows: [number, string][] = [[0, "0 s ago"], [-5, "0 s ago"], [59_400, "59 s ago"], [61_000, "1 min ago"], [5 * H, "5 h ago"], [3 * D, "3 days ago"]];
  for (const [ms, want] of rows)
    assert.equal(agoOf(ms), want);
});
