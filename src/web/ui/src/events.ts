/* How one event reads in a line: what kind it is, and what it says. Fields that
 * are not here are still shown when its row is opened. */
import { newestFirst, type Labels, type Line } from "./api";
import { modelName, text } from "./format";
import type { Filter } from "./query";

export type Tone = "" | "good" | "warn" | "bad";

const num = (l: Labels, key: string): number | undefined => (l[key] === undefined || l[key] === "" ? undefined : Number(l[key]));
const ms = (l: Labels, key = "duration_ms") => (num(l, key) === undefined ? "" : text(num(l, key), "ms"));
const count = (l: Labels, key: string) => text(num(l, key), "count");
const join = (...parts: (string | undefined | false)[]) => parts.filter((p): p is string => !!p).join(" \u00b7 ");
const model = (l: Labels) => modelName(l["model"] ?? "");

type Say = (l: Labels) => string;

const SAY: Record<string, Say> = {
  user_prompt: (l) => join(l["command_name"] && `/${l["command_name"].replace(/^\//, "")}`, l["prompt_length"] && `${count(l, "prompt_length")} characters`, shown(l["prompt"])),
  api_request: (l) => join(model(l), l["cost_usd"] && text(num(l, "cost_usd"), "usd"), `in ${count(l, "input_tokens")}, out ${count(l, "output_tokens")}`,
    `cache read ${count(l, "cache_read_tokens")}, written ${count(l, "cache_creation_tokens")}`, ms(l)),
  api_error: (l) => join(l["status_code"] ?? "no connection", model(l), shown(l["error"]), ms(l)),
  api_retries_exhausted: (l) => join(l["status_code"], model(l), l["total_attempts"] && `${l["total_attempts"]} attempts`, ms(l, "total_retry_duration_ms")),
  api_refusal: (l) => join(model(l), l["category"]),
  assistant_response: (l) => join(model(l), l["response_length"] && `${count(l, "response_length")} characters`, shown(l["response"])),
  tool_decision: (l) => join(l["tool_name"], l["decision"], l["source"] && `by ${l["source"]}`),
  tool_result: (l) => join(l["tool_name"], l["success"] === "false" ? join("failed", l["error_type"], shown(l["error"])) : "ok", ms(l),
    num(l, "tool_result_size_bytes") !== undefined && text(num(l, "tool_result_size_bytes"), "bytes")),
  mcp_server_connection: (l) => join(l["server_name"], l["status"], l["transport_type"], shown(l["error"]), ms(l)),
  skill_activated: (l) => join(l["skill_name"], l["invocation_trigger"]),
  subagent_completed: (l) => join(l["agent_type"], model(l), num(l, "total_tool_uses") !== undefined && `${count(l, "total_tool_uses")} tool uses`, ms(l)),
  hook_execution_complete: (l) => join(l["hook_name"] ?? l["hook_event"], ms(l, "total_duration_ms")),
  hook_execution_start: (l) => join(l["hook_name"] ?? l["hook_event"]),
  hook_registered: (l) => join(l["hook_event"], l["hook_type"], l["hook_source"]),
  compaction: (l) => join(l["trigger"], l["success"] === "false" && "failed", `${count(l, "pre_tokens")} \u2192 ${count(l, "post_tokens")} tokens`, ms(l)),
  permission_mode_changed: (l) => join(`${l["from_mode"] ?? "?"} \u2192 ${l["to_mode"] ?? "?"}`, l["trigger"]),
  plugin_loaded: (l) => join(l["plugin_name"], l["enabled_via"]),
  retention_sweep: (l) => join(l["result"]),
  managed_settings_resolved: (l) => join(l["managed_settings_trigger"], l["managed_settings_source_behavior"]),
  internal_error: (l) => join(l["error_name"], l["error_code"]),
  auth: (l) => join(l["action"], l["success"] === "false" ? "failed" : "", l["auth_method"]),
};

/* Redacted content says nothing; long content is cut by the row's width. */
function shown(content: string | undefined): string {
  return content && content !== "<REDACTED>" ? content.slice(0, 300).replace(/\s+/g, " ") : "";
}

export function nameOf(l: Labels, line: string): string {
  return l["event_name"] ?? line.replace(/^claude_code\./, "").slice(0, 60);
}

export function summaryOf(l: Labels, line: string): string {
  const say = SAY[nameOf(l, line)];
  if (say)
    return say(l);
  return line === `claude_code.${l["event_name"]}` ? "" : line.slice(0, 300);
}

const BAD = new Set(["api_error", "api_retries_exhausted", "internal_error"]);
const QUIET = new Set(["plugin_loaded", "hook_registered", "managed_settings_resolved", "retention_sweep", "hook_execution_start", "hook_execution_complete"]);

export function toneOf(l: Labels, line: string): Tone {
  const name = nameOf(l, line);
  if (BAD.has(name) || l["success"] === "false" || (name === "mcp_server_connection" && l["status"] === "failed"))
    return "bad";
  return name === "api_refusal" || l["decision"] === "reject" ? "warn" : "";
}

export const isQuiet = (l: Labels, line: string): boolean => QUIET.has(nameOf(l, line));

/** Tells whether two copies, one queried and one streamed, are the same record. */
export const idOf = (l: Line): string => [l.timeNs, l.line, l.labels["session_id"], l.labels["event_sequence"], l.labels["tool_use_id"]].join("\u0000");

/* The same test as the query's: what streams in must be what the query would give. */
export function passes(l: Line, fs: readonly Filter[], carried: readonly string[]): boolean {
  const groups = new Map<string, boolean>();
  for (const f of fs) {
    if (!carried.includes(f.label))
      continue;
    const same = (l.labels[f.label] ?? "") === f.value;
    const key = `${f.label}${f.not}`;
    groups.set(key, f.not ? (groups.get(key) ?? true) && !same : (groups.get(key) ?? false) || same);
  }
  return [...groups.values()].every(Boolean);
}

/** Newest first, each record once, not more than max. */
export function merge(a: readonly Line[], b: readonly Line[], max: number): Line[] {
  const seen = new Map<string, Line>();
  for (const l of [...a, ...b])
    seen.set(idOf(l), seen.get(idOf(l)) ?? l);
  return [...seen.values()].sort(newestFirst).slice(0, max);
}
