/* From a panel's query to what is asked: filters, $range and $step filled in.
 *
 * In PromQL $filter stands inside the braces, in LogQL it is a run of pipeline
 * stages. Only filters that the query's source carries are put in; reach() says
 * which ones were not, so that a panel can show it. */
import type { Query } from "./board";
import { promDuration, wholeBuckets, type Window } from "./time";

export interface Filter {
  label: string;
  value: string;
  /** Leave it out instead of asking for it. */
  not: boolean;
}

/** One HTTP request, and which buckets its answer fills. */
export interface Ask {
  path: string;
  params: Record<string, string>;
  /** The expression as it is sent, for people to copy. */
  expr: string;
  buckets: [number, number];
}

const quote = (s: string) => `"${s.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n")}"`;
const quoteRegex = (s: string) => s.replace(/[\\^$.|?*+()[\]{}]/g, "\\$&");

/** model="a" or model=~"a|b": values of one label, one matcher. */
export function matchers(filters: readonly Filter[], carried: readonly string[]): string[] {
  const groups = new Map<string, Filter[]>();
  for (const f of filters) {
    if (!carried.includes(f.label))
      continue;
    const key = `${f.label}${f.not ? "!" : "="}`;
    groups.set(key, [...(groups.get(key) ?? []), f]);
  }
  return [...groups.values()].map((g) => {
    const { label, not, value } = g[0]!;
    if (g.length === 1)
      return `${label}${not ? "!=" : "="}${quote(value)}`;
    return `${label}${not ? "!~" : "=~"}${quote(g.map((f) => quoteRegex(f.value)).join("|"))}`;
  });
}

/** The labels that are filtered by but that this source does not carry. */
export function unreached(filters: readonly Filter[], carried: readonly string[]): string[] {
  return [...new Set(filters.filter((f) => !carried.includes(f.label)).map((f) => f.label))];
}

export function expand(q: Query, carried: readonly string[], filters: readonly Filter[], rangeMs: number): string {
  const m = matchers(filters, carried);
  let expr = q.expr.replace(/\$(?:range|step)\b/g, promDuration(rangeMs));
  if (q.lang === "promql")
    return expr.replace(/,?\$filter/g, (hit) => (m.length === 0 ? "" : (hit.startsWith(",") ? "," : "") + m.join(","))).replace(/\{\}/g, "");
  expr = expr.replace(/ ?\$filter/g, m.map((x) => ` | ${x}`).join(""));
  return expr.trim();
}

const promTime = (ms: number) => (ms / 1000).toFixed(3);
const lokiTime = (ms: number) => `${Math.round(ms)}000000`;

function instant(q: Query, expr: string, at: number, buckets: [number, number]): Ask {
  return q.lang === "promql"
    ? { path: "/api/v1/query", params: { query: expr, time: promTime(at) }, expr, buckets }
    : { path: "/loki/api/v1/query", params: { query: expr, time: lokiTime(at) }, expr, buckets };
}

function steps(q: Query, carried: readonly string[], filters: readonly Filter[], w: Window): Ask[] {
  const { first, last } = wholeBuckets(w);
  const n = w.bounds.length - 1;
  const asks: Ask[] = [];
  const edge = (i: number) => {
    const from = w.bounds[i]!;
    const to = w.bounds[i + 1]!;
    asks.push(instant(q, expand(q, carried, filters, to - from), to, [i, i + 1]));
  };
  if (last > first) {
    const expr = expand(q, carried, filters, w.step);
    const [t0, t1] = [w.bounds[first + 1]!, w.bounds[last]!];
    asks.push(q.lang === "promql"
      ? { path: "/api/v1/query_range", params: { query: expr, start: promTime(t0), end: promTime(t1), step: String(w.step / 1000) }, expr, buckets: [first, last] }
      : { path: "/loki/api/v1/query_range", params: { query: expr, start: lokiTime(t0), end: lokiTime(t1), step: `${w.step / 1000}s` }, expr, buckets: [first, last] });
  }
  for (let i = 0; i < first && i < n; i++)
    edge(i);
  for (let i = last; i < n; i++)
    edge(i);
  return asks;
}

/** What to ask for one query of a panel. `previous`: the window before this one. */
export function asks(q: Query, carried: readonly string[], filters: readonly Filter[], w: Window, previous = false): Ask[] {
  if (q.at === "steps")
    return steps(q, carried, filters, w);
  const expr = expand(q, carried, filters, w.end - w.start);
  if (q.at === "total")
    return [instant(q, expr, previous ? w.start : w.end, [0, 1])];
  return [{
    path: "/loki/api/v1/query_range",
    params: { query: expr, start: lokiTime(w.start), end: lokiTime(w.end), limit: String(q.limit ?? 100), direction: "backward" },
    expr,
    buckets: [0, 1],
  }];
}

export function urlOf(a: Ask): string {
  return `${a.path}?${new URLSearchParams(a.params)}`;
}
