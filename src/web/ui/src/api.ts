/* What the server answers, and fetching it. The types mirror src/api and src/web. */

export type Labels = Record<string, string>;

/** A row of any metric answer: one value for each bucket asked for. */
export interface Row {
  labels: Labels;
  values: number[];
}

export interface Line {
  timeNs: string;
  line: string;
  labels: Labels;
}

export interface Listener {
  name: string;
  addr: string;
  problem: string;
  tls: boolean;
  tokens: boolean;
  users: boolean;
  client_certs: boolean;
  open: boolean;
}

/** Somebody who was refused lately, and whose own program may not have said so. */
export interface RefusedSender {
  listener: string;
  peer: string;
  status: number;
  why: string;
  method: string;
  path: string;
  /** What its credential looks like, cut; empty: it had none. */
  token: string;
  agent: string;
  /** A sender of telemetry: what was refused is lost. */
  otlp: boolean;
  count: number;
  first_ns: string;
  last_ns: string;
}

/* GET /api/ccmon/refusals */
export interface Refusals {
  total: number;
  refused_senders: RefusedSender[];
}

/* GET /api/ccmon/status */
export interface Status {
  version: string;
  now_ns: string;
  start_ns: string;
  empty: boolean;
  seq: number;
  rows: { samples: number; logs: number; spans: number };
  oldest_ns: string;
  newest_ns: string;
  last_recv_ns: string;
  duplicates: number;
  moved: number;
  refused: number;
  /** Rows of somebody who was erased, left out on arrival. */
  erased: number;
  retention: { rows_gone: number; partitions_gone: number; next_ns: string; next_rows: number };
  read_only: boolean;
  reason: string;
  open: boolean;
  demo: boolean;
  data_dir: string;
  disk_bytes: number;
  log_bytes: number;
  partitions: number;
  retention_ns: string;
  listeners: Listener[];
  /** The latest of them. */
  refused_senders: RefusedSender[];
}

/* GET /api/ccmon/targets */
export interface ScrapeTarget {
  job: string;
  instance: string;
  url: string;
  default: boolean;
  state: string;
  claude_code: boolean;
  error: string;
  cure: string;
  last_scrape_ns: string;
  last_good_ns: string;
  duration_seconds: number;
  interval_seconds: number;
  samples: number;
  sessions: string[];
  owner: { pid: number; name: string } | null;
}

export interface ScrapeTargets {
  targets: ScrapeTarget[];
  watched_ports: number;
  blind: string[];
  mend: string;
}

/* The events of GET /api/ccmon/live */
export interface Tick {
  seq: number;
  rows: number;
  last_recv_ns: string;
}

export interface LogBatch {
  seq: number;
  /** Records of this batch that are not in it. */
  cut: number;
  records: { time_ns: string; event_name: string; line: string; labels: Labels }[];
}

interface PromSample {
  metric: Labels;
  value?: [number, string];
  values?: [number, string][];
}

/* Both APIs answer metrics in Prometheus's shape. */
interface Answer {
  status: string;
  error?: string;
  data: { resultType: string; result: unknown };
}

export class ApiError extends Error {}

/* The reason in the server's words: Prometheus has JSON, Loki plain text. */
async function reason(r: Response): Promise<string> {
  const body = (await r.text()).trim();
  try {
    const j = JSON.parse(body) as { error?: string; message?: string };
    return j.error ?? j.message ?? body;
  } catch {
    return body.slice(0, 400) || `HTTP ${r.status}`;
  }
}

export async function getJson<T>(url: string, signal?: AbortSignal): Promise<T> {
  let r: Response;
  try {
    r = await fetch(url, { signal: signal ?? null, cache: "no-store", headers: { accept: "application/json" } });
  } catch (e) {
    if ((e as Error).name === "AbortError")
      throw e;
    throw new ApiError("ccmon does not answer; is it running?");
  }
  if (!r.ok)
    throw new ApiError(await reason(r));
  return (await r.json()) as T;
}

export const number = (s: string): number => (s === "+Inf" ? Infinity : s === "-Inf" ? -Infinity : Number(s));

/** Instant or range answer, `times` being the bucket ends in ms. */
export function rowsOf(a: Answer, times: readonly number[]): Row[] {
  const { resultType, result } = a.data;
  if (resultType === "scalar")
    return [{ labels: {}, values: [number((result as [number, string])[1])] }];
  const index = new Map(times.map((t, i) => [Math.round(t), i]));
  return (result as PromSample[]).map((s) => {
    if (s.value)
      return { labels: s.metric, values: [number(s.value[1])] };
    const values = times.map(() => 0);
    for (const [t, v] of s.values ?? []) {
      const i = index.get(Math.round(t * 1000));
      if (i !== undefined)
        values[i] = number(v);
    }
    return { labels: s.metric, values };
  });
}

/** Newest first; within a millisecond by the client's own counter. */
export function newestFirst(a: Line, b: Line): number {
  if (a.timeNs !== b.timeNs)
    return b.timeNs.length - a.timeNs.length || (a.timeNs < b.timeNs ? 1 : -1);
  return Number(b.labels["event_sequence"] ?? 0) - Number(a.labels["event_sequence"] ?? 0);
}

/** Log lines, newest first. */
export function linesOf(a: Answer): Line[] {
  const out: Line[] = [];
  for (const s of a.data.result as { stream: Labels; values: [string, string, Labels?][] }[]) {
    for (const [timeNs, line, meta] of s.values)
      out.push({ timeNs, line, labels: { ...s.stream, ...meta } });
  }
  return out.sort(newestFirst);
}

export const getAnswer = (url: string, signal?: AbortSignal) => getJson<Answer>(url, signal);
export const getStatus = () => getJson<Status>("/api/ccmon/status");

export async function labelValues(label: string, startMs: number, endMs: number): Promise<string[]> {
  const p = new URLSearchParams({ start: String(startMs / 1000), end: String(endMs / 1000), limit: "200" });
  const a = await getJson<{ data: string[] }>(`/api/v1/label/${encodeURIComponent(label)}/values?${p}`);
  return a.data;
}

export const msOf = (ns: string): number => Number(ns.slice(0, -6) || "0");
