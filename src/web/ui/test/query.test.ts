import test from "node:test";
import assert from "node:assert/strict";
import { boards, sources } from "../src/boards";
import type { Query } from "../src/board";
import { linesOf, newestFirst, rowsOf } from "../src/api";
import { asks, expand, matchers, unreached, type Filter } from "../src/query";
import { resolve } from "../src/time";

const f = (label: string, value: string, not = false): Filter => ({ label, value, not });
const prom = (expr: string, at: Query["at"] = "total"): Query => ({ id: "q", lang: "promql", at, source: "usage", expr });
const loki = (expr: string, at: Query["at"] = "total"): Query => ({ id: "q", lang: "logql", at, source: "events", expr });
const M = 60_000;

test("filters as matchers", () => {
  const rows: [Filter[], string[]][] = [
    [[], []],
    [[f("model", "a")], ['model="a"']],
    [[f("model", "a", true)], ['model!="a"']],
    [[f("model", "a"), f("model", "b.c")], ['model=~"a|b\\\\.c"']],
    [[f("model", "a", true), f("model", "b", true)], ['model!~"a|b"']],
    [[f("model", 'say "hi"\\\n')], ['model="say \\"hi\\"\\\\\\n"']],
    [[f("tool_name", "Bash")], []],
  ];
  for (const [list, want] of rows)
    assert.deepEqual(matchers(list, ["model", "session_id"]), want);
  assert.deepEqual(unreached([f("tool_name", "a"), f("tool_name", "b"), f("model", "c")], ["model"]), ["tool_name"]);
});

test("where filters go", () => {
  const one = [f("model", "a")];
  const rows: [Query, Filter[], string][] = [
    [prom("increase(c{$filter}[$range])"), [], "increase(c[1h])"],
    [prom("increase(c{$filter}[$range])"), one, 'increase(c{model="a"}[1h])'],
    [prom('increase(c{type="x",$filter}[$range])'), [], 'increase(c{type="x"}[1h])'],
    [prom('increase(c{type="x",$filter}[$range])'), one, 'increase(c{type="x",model="a"}[1h])'],
    [loki('count_over_time({a="b"} | e="f" $filter [$range])'), [], 'count_over_time({a="b"} | e="f" [1h])'],
    [loki('count_over_time({a="b"} $filter | unwrap d [$step])'), one, 'count_over_time({a="b"} | model="a" | unwrap d [1h])'],
    [loki('{a="b"} $filter'), [], '{a="b"}'],
  ];
  for (const [q, fs, want] of rows)
    assert.equal(expand(q, ["model"], fs, 60 * M), want);
});

test("every bucket of a window is asked for exactly once", () => {
  const now = Date.UTC(2026, 10, 24, 9, 7, 31);
  for (const range of [{ from: "now-6h", to: "now" }, { from: "2026-11-23T10:03:11Z", to: "2026-11-23T22:47:09Z" }, { from: "2026-11-23T10:03:11Z", to: "2026-11-23T10:03:12Z" }]) {
    const w = resolve(range, now)!;
    const list = asks(prom("increase(c{$filter}[$step])", "steps"), [], [], w);
    const filled = w.bounds.slice(1).map(() => 0);
    for (const a of list) {
      for (let i = a.buckets[0]; i < a.buckets[1]; i++)
        filled[i]!++;
      if (a.path.endsWith("query_range")) {
        assert.equal(Number(a.params["start"]) * 1000, w.bounds[a.buckets[0] + 1]);
        assert.equal(Number(a.params["end"]) * 1000, w.bounds[a.buckets[1]]);
      } else {
        assert.equal(Math.round(Number(a.params["time"]) * 1000), w.bounds[a.buckets[1]]);
      }
    }
    assert.ok(filled.every((n) => n === 1), JSON.stringify([range, filled]));
    assert.ok(list.length <= 3);
  }
});

test("a total is one instant query over the whole window; before it, the same length", () => {
  const w = resolve({ from: "2026-11-23T00:00Z", to: "2026-11-24T00:00Z" }, Date.UTC(2026, 10, 24))!;
  const q = prom("sum(increase(c{$filter}[$range]))");
  assert.deepEqual(asks(q, [], [], w)[0]!.params, { query: "sum(increase(c[1d]))", time: "1795478400.000" });
  assert.equal(asks(q, [], [], w, true)[0]!.params["time"], "1795392000.000");
});

test("answers", () => {
  const times = [1000, 2000, 3000];
  const matrix = { status: "success", data: { resultType: "matrix", result: [{ metric: { m: "a" }, values: [[1, "5"], [3, "7"]] }] } };
  assert.deepEqual(rowsOf(matrix, times), [{ labels: { m: "a" }, values: [5, 0, 7] }]);
  const vector = { status: "success", data: { resultType: "vector", result: [{ metric: {}, value: [1, "+Inf"] }] } };
  assert.deepEqual(rowsOf(vector, [1]), [{ labels: {}, values: [Infinity] }]);
  const streams = { status: "success", data: { resultType: "streams", result: [{ stream: { s: "x" }, values: [["9", "old"], ["10", "new", { k: "v" }]] }] } };
  assert.deepEqual(linesOf(streams).map((l) => l.line), ["new", "old"]);
  const at = (seq: string) => ({ timeNs: "5", line: "", labels: { event_sequence: seq } });
  assert.ok(newestFirst(at("10"), at("9")) < 0);
});

test("the boards: every query reaches what its source carries", () => {
  const all: Filter[] = [...new Set(Object.values(sources).flat())].map((label) => f(label, "x"));
  for (const board of boards) {
    for (const p of board.panels) {
      for (const q of p.queries) {
        const expr = expand(q, sources[q.source]!, all, 60 * M);
        assert.ok(!expr.includes("$"), `${p.id} ${q.id}: ${expr}`);
        assert.ok(expr.includes('session_id="x"'), `${p.id} ${q.id}: ${expr}`);
        const bare = expand(q, sources[q.source]!, [], 60 * M);
        assert.ok(!/\{\}|,\}|\$/.test(bare), bare);
      }
    }
  }
});
