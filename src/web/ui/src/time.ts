/* Time ranges: what people type, the exact window it means, its buckets.
 *
 * A window is (start, end], as PromQL and LogQL ranges are. A relative bound is
 * moved on to the next bucket boundary, an absolute one is kept to the
 * millisecond: so "last 6 hours" is six hours in whole buckets, the last of which
 * is not over yet, and a window that somebody chose is exactly that window, with
 * a shorter bucket at either edge. In both cases the buckets fill the window, and
 * their figures add up to its total.
 *
 * Boundaries lie on the local clock (a day begins at local midnight, by the
 * offset in force at the window's end). */

export interface Range {
  from: string;
  to: string;
}

export interface Window {
  start: number;
  end: number;
  step: number;
  /** Bucket i is (bounds[i], bounds[i + 1]]. */
  bounds: number[];
  /** It ends at the present: it moves with the clock. */
  live: boolean;
}

export const PRESETS: { from: string; title: string }[] = [
  { from: "now-15m", title: "Last 15 minutes" },
  { from: "now-1h", title: "Last hour" },
  { from: "now-3h", title: "Last 3 hours" },
  { from: "now-6h", title: "Last 6 hours" },
  { from: "now-12h", title: "Last 12 hours" },
  { from: "now-24h", title: "Last 24 hours" },
  { from: "now/d", title: "Today" },
  { from: "now-2d", title: "Last 2 days" },
  { from: "now-7d", title: "Last 7 days" },
  { from: "now-30d", title: "Last 30 days" },
  { from: "now-90d", title: "Last 90 days" },
];

export const DEFAULT_RANGE: Range = { from: "now-24h", to: "now" };

const S = 1000;
const M = 60 * S;
const H = 60 * M;
const D = 24 * H;
const UNITS: Record<string, number> = { s: S, m: M, h: H, d: D, w: 7 * D };

/* Claude Code sends metrics once a minute, so a finer bucket would only show gaps. */
const STEPS = [M, 2 * M, 5 * M, 10 * M, 15 * M, 30 * M, H, 2 * H, 3 * H, 6 * H, 12 * H, D, 2 * D, 7 * D, 30 * D];
const BUCKETS_MAX = 96;
const EPOCH_MONDAY = 4 * D; /* 1970-01-05, so that weeks begin on Mondays */

export function pickStep(span: number): number {
  return STEPS.find((s) => span / s <= BUCKETS_MAX) ?? Math.ceil(span / BUCKETS_MAX / D) * D;
}

/* "now", "now-6h", "now/d", "now-1d/d": Grafana's spelling. */
function parseRelative(text: string, now: number): number | undefined {
  const m = /^now(?:([+-])(\d{1,6})([smhdw]))?(?:\/([dhw]))?$/.exec(text);
  if (!m)
    return undefined;
  let t = now;
  if (m[3])
    t += (m[1] === "-" ? -1 : 1) * Number(m[2]) * UNITS[m[3]]!;
  if (m[4] === "h")
    return floorLocal(t, H);
  if (m[4])
    t = startOfDay(t);
  if (m[4] === "w")
    t = startOfDay(t - ((new Date(t).getDay() + 6) % 7) * D + H);
  return t;
}

function startOfDay(t: number): number {
  const d = new Date(t);
  return new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime();
}

/* A date without a zone is local; ISO 8601 with Z or an offset; Unix seconds or ms. */
function parseAbsolute(text: string): number | undefined {
  if (/^\d{9,10}$/.test(text))
    return Number(text) * S;
  if (/^\d{12,13}$/.test(text))
    return Number(text);
  const m = /^(\d{4})-(\d\d?)-(\d\d?)(?:[T ](\d\d?):(\d\d)(?::(\d\d)(?:[.](\d{1,3})\d*)?)?)?(Z|[+-]\d\d:?\d\d)?$/.exec(text);
  if (!m)
    return undefined;
  const part = (i: number) => Number(m[i] ?? 0);
  const ms = Number((m[7] ?? "0").padEnd(3, "0"));
  const args = [part(1), part(2) - 1, part(3), part(4), part(5), part(6), ms] as const;
  const check = new Date(Date.UTC(...args));
  if (check.getUTCMonth() !== args[1] || check.getUTCDate() !== args[2] || check.getUTCHours() !== args[3] || args[4] > 59 || args[5] > 59)
    return undefined;
  if (!m[8])
    return new Date(...args).getTime();
  const zone = m[8] === "Z" ? 0 : (m[8].startsWith("-") ? -1 : 1) * (Number(m[8].slice(1, 3)) * H + Number(m[8].slice(-2)) * M);
  return check.getTime() - zone;
}

export function isRelative(text: string): boolean {
  return text.startsWith("now");
}

/** Milliseconds, or undefined if it is no time. */
export function parseTime(text: string, now: number): number | undefined {
  const t = text.trim();
  return isRelative(t) ? parseRelative(t, now) : parseAbsolute(t);
}

/* Where counting in steps begins, by the offset in force at `at`. */
function origin(step: number, at: number): number {
  const zone = new Date(at).getTimezoneOffset() * M;
  if (step % (7 * D) === 0)
    return EPOCH_MONDAY + zone;
  return step >= H ? zone : 0;
}

function floorLocal(t: number, step: number, at = t): number {
  const o = origin(step, at);
  return Math.floor((t - o) / step) * step + o;
}

/** undefined: the bounds are no times, or the wrong way round. */
export function resolve(range: Range, now: number): Window | undefined {
  const from = parseTime(range.from, now);
  const to = parseTime(range.to, now);
  if (from === undefined || to === undefined || from >= to)
    return undefined;
  const step = pickStep(to - from);
  const next = (t: number) => floorLocal(t - 1, step, to) + step;
  const end = isRelative(range.to) ? next(to) : to;
  let start = isRelative(range.from) ? next(from) : from;
  if (start >= end)
    start = end - step;
  const bounds = [start];
  for (let t = floorLocal(start, step, to) + step; t < end; t += step)
    bounds.push(t);
  bounds.push(end);
  return { start, end, step, bounds, live: isRelative(range.to) && end >= now };
}

/** The stretch of whole buckets inside the window, as indices into bounds. */
export function wholeBuckets(w: Window): { first: number; last: number } {
  const n = w.bounds.length - 1;
  const first = w.bounds[1]! - w.bounds[0]! === w.step ? 0 : 1;
  const last = w.bounds[n]! - w.bounds[n - 1]! === w.step ? n : n - 1;
  return { first, last: Math.max(first, last) };
}

/** The same length again, twice as long, around the same middle. */
export function zoomOut(w: Window, now: number): Range {
  const half = (w.end - w.start) / 2;
  const end = Math.min(w.end + half, Math.max(now, w.end));
  return { from: isoOf(end - 4 * half), to: isoOf(end) };
}

/** One window earlier (-1) or later (1). */
export function pan(w: Window, by: number): Range {
  const span = w.end - w.start;
  return { from: isoOf(w.start + by * span), to: isoOf(w.end + by * span) };
}

/** As it stands in the URL: UTC, no more digits than needed. */
export function isoOf(ms: number): string {
  return new Date(ms).toISOString().replace(/(:00)?\.000Z$/, "Z");
}

/** A duration as both query languages write it: 1d12h, 90m is 1h30m. */
export function promDuration(ms: number): string {
  if (ms <= 0)
    return "0s";
  let out = "";
  let rest = Math.round(ms);
  for (const [unit, size] of [["d", D], ["h", H], ["m", M], ["s", S], ["ms", 1]] as const) {
    const n = Math.floor(rest / size);
    if (n > 0)
      out += `${n}${unit}`;
    rest -= n * size;
  }
  return out;
}

/** "6 hours", "15 minutes": for headings. */
export function longDuration(ms: number): string {
  const [n, unit] = ms % D === 0 ? [ms / D, "day"] : ms % H === 0 ? [ms / H, "hour"] : [Math.round(ms / M), "minute"];
  return `${n} ${unit}${n === 1 ? "" : "s"}`;
}

const pad = (n: number) => String(n).padStart(2, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export function clockOf(ms: number, seconds = false): string {
  const d = new Date(ms);
  return `${pad(d.getHours())}:${pad(d.getMinutes())}${seconds ? `:${pad(d.getSeconds())}` : ""}`;
}

export function dayOf(ms: number): string {
  const d = new Date(ms);
  return `${d.getDate()} ${MONTHS[d.getMonth()]}`;
}

/** "23 Nov 10:15", and the year when it is not this one. */
export function momentOf(ms: number, now: number): string {
  const year = new Date(ms).getFullYear();
  const seconds = ms % M !== 0;
  return `${dayOf(ms)}${year === new Date(now).getFullYear() ? "" : ` ${year}`} ${clockOf(ms, seconds)}`;
}

/** A stretch, without repeating the day. */
export function spanOf(start: number, end: number, now: number): string {
  const from = momentOf(start, now);
  return dayOf(start) === dayOf(end) ? `${from}\u2013${clockOf(end, end % M !== 0)}` : `${from} \u2013 ${momentOf(end, now)}`;
}

/** As the range button shows it. */
export function titleOf(range: Range, now: number): string {
  const preset = PRESETS.find((p) => p.from === range.from);
  if (preset && range.to === "now")
    return preset.title;
  const from = parseTime(range.from, now);
  const to = parseTime(range.to, now);
  if (isRelative(range.from) || isRelative(range.to) || from === undefined || to === undefined)
    return `${range.from} to ${range.to}`;
  return spanOf(from, to, now);
}

/** "4 s ago", "3 min ago", "2 h ago", "5 days ago". */
export function agoOf(ms: number): string {
  const s = Math.max(0, Math.round(ms / S));
  if (s < 60)
    return `${s} s ago`;
  if (s < 3600)
    return `${Math.floor(s / 60)} min ago`;
  return s < 2 * 86400 ? `${Math.floor(s / 3600)} h ago` : `${Math.floor(s / 86400)} days ago`;
}
