import test from "node:test";
import assert from "node:assert/strict";
import type { Labels, Line } from "../src/api";
import { idOf, merge, nameOf, passes, summaryOf, toneOf } from "../src/events";
import type { Filter } from "../src/query";

const line = (timeNs: string, labels: Labels): Line => ({ timeNs, line: `claude_code.${labels["event_name"]}`, labels });
const plain = (s: string) => s.replace(/\u202f/g, " ");

test("how events read", () => {
  const rows: [Labels, string, string][] = [
    [{ event_name: "user_prompt", prompt_length: "34", prompt: "<REDACTED>" }, "34 characters", ""],
    [{ event_name: "user_prompt", prompt_length: "5", prompt: "fix\n it" }, "5 characters · fix it", ""],
    [{ event_name: "user_prompt", prompt_length: "6", command_name: "clear" }, "/clear · 6 characters", ""],
    [{ event_name: "api_request", model: "claude-opus-5-5", cost_usd: "0.0801", input_tokens: "3", output_tokens: "97", cache_read_tokens: "0", cache_creation_tokens: "15631", duration_ms: "1204" },
      "opus-5-5 · $0.0801 · in 3, out 97 · cache read 0, written 15.6 k · 1.20 s", ""],
    [{ event_name: "api_error", model: "claude-opus-5-5", error: "Connection error." }, "no connection · opus-5-5 · Connection error.", "bad"],
    [{ event_name: "api_error", status_code: "400", model: "claude-opus-5-5" }, "400 · opus-5-5", "bad"],
    [{ event_name: "tool_result", tool_name: "Bash", success: "true", duration_ms: "45", tool_result_size_bytes: "120" }, "Bash · ok · 45 ms · 120 B", ""],
    [{ event_name: "tool_result", tool_name: "Bash", success: "false", error_type: "ShellError", duration_ms: "45" }, "Bash · failed · ShellError · 45 ms", "bad"],
    [{ event_name: "tool_decision", tool_name: "Write", decision: "reject", source: "config" }, "Write · reject · by config", "warn"],
    [{ event_name: "compaction", trigger: "manual", pre_tokens: "90000", post_tokens: "3000", duration_ms: "4000", success: "true" }, "manual · 90.0 k → 3 000 tokens · 4.00 s", ""],
    [{ event_name: "never_heard_of" }, "", ""],
  ];
  for (const [labels, says, tone] of rows) {
    const text = `claude_code.${labels["event_name"]}`;
    assert.equal(plain(summaryOf(labels, text)), says, text);
    assert.equal(toneOf(labels, text), tone, text);
  }
  assert.equal(nameOf({}, "a line of another program"), "a line of another program");
});

test("streamed and queried records are one, newest first, not too many", () => {
  const a = line("1000000", { event_name: "a", session_id: "s", event_sequence: "1" });
  const again = { ...a, labels: { ...a.labels, scope_name: "only in the query's answer" } };
  const b = line("1000000", { event_name: "a", session_id: "s", event_sequence: "2" });
  const c = line("20000000", { event_name: "c", session_id: "s", event_sequence: "0" });
  assert.equal(idOf(a), idOf(again));
  assert.deepEqual(merge([a, b], [again, c], 10).map(idOf), [c, b, a].map(idOf));
  assert.deepEqual(merge([a], [b, c], 2).map(idOf), [c, b].map(idOf));
});

test("what streams in passes the filters that the query would apply", () => {
  const f = (label: string, value: string, not = false): Filter => ({ label, value, not });
  const l = line("1", { event_name: "e", model: "a", tool_name: "Bash" });
  const rows: [Filter[], boolean][] = [
    [[], true],
    [[f("model", "a")], true],
    [[f("model", "b")], false],
    [[f("model", "b"), f("model", "a")], true],
    [[f("model", "a", true)], false],
    [[f("model", "b", true), f("model", "c", true)], true],
    [[f("model", "b", true), f("model", "a", true)], false],
    [[f("model", "a"), f("tool_name", "Edit")], false],
    [[f("session_id", "x")], false],
    [[f("query_source", "x")], true],
  ];
  for (const [list, want] of rows)
    assert.equal(passes(l, list, ["model", "tool_name", "session_id"]), want, JSON.stringify(list));
});
