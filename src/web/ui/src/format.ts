/* Numbers as people read them. Exact values stay one hover away: exact() prints
 * every digit that the server gave. */
import type { Unit } from "./board";

const NB = "\u202f"; /* narrow no-break space: between number and unit, and thousands */
export const NONE = "\u2013";

export interface Shown {
  text: string;
  unit: string;
  /** Stands before the number: "$". */
  lead?: string;
}

/** 1234567 -> "1 234 567". */
export function grouped(n: number, digits = 0): string {
  const [whole, part] = Math.abs(n).toFixed(digits).split(".");
  const g = whole!.replace(/\B(?=(\d{3})+$)/g, NB);
  return `${n < 0 && Number(n.toFixed(digits)) !== 0 ? "\u2212" : ""}${g}${part ? `.${part}` : ""}`;
}

/* Three significant digits and a letter from 10,000 on: 83.6 k, 1.24 M. */
function short(n: number): Shown {
  const a = Math.abs(n);
  if (a < 9999.5)
    return { text: Number.isInteger(n) || a >= 1000 ? grouped(n) : String(Number(n.toPrecision(3))), unit: "" };
  for (const [size, unit] of [[1e3, "k"], [1e6, "M"], [1e9, "G"], [1e12, "T"]] as const) {
    const x = n / size;
    if (Math.abs(x) < 999.5 || unit === "T")
      return { text: Math.abs(x) >= 999.5 ? grouped(x) : x.toPrecision(3), unit };
  }
  return { text: String(n), unit: "" };
}

/* Cents from a dollar on, whole dollars from a thousand; below, four digits after
 * the point, since one request often costs less than a cent. */
function money(n: number): Shown {
  const a = Math.abs(n);
  if (a === 0)
    return { text: "0.00", unit: "", lead: "$" };
  if (a < 0.00005)
    return { text: "<0.0001", unit: "", lead: "$" };
  return { text: grouped(n, a >= 1000 ? 0 : a >= 1 ? 2 : 4), unit: "", lead: "$" };
}

function millis(n: number): Shown {
  const a = Math.abs(n);
  if (a < 999.5)
    return { text: a > 0 && a < 9.95 ? n.toFixed(1) : String(Math.round(n)), unit: "ms" };
  return seconds(n / 1000);
}

function seconds(n: number): Shown {
  const a = Math.abs(n);
  if (a < 99.95)
    return { text: a === 0 ? "0" : a < 9.995 ? n.toFixed(2) : n.toFixed(1), unit: "s" };
  if (a < 5400)
    return { text: `${Math.floor(a / 60)}m${NB}${String(Math.floor(a % 60)).padStart(2, "0")}s`, unit: "" };
  if (a < 100 * 3600)
    return { text: `${Math.floor(a / 3600)}h${NB}${String(Math.floor((a % 3600) / 60)).padStart(2, "0")}m`, unit: "" };
  return { text: grouped(a / 3600), unit: "h" };
}

function bytes(n: number): Shown {
  if (n < 1000)
    return { text: String(n), unit: "B" };
  const s = short(Math.max(n, 9999.5));
  return n < 9999.5 ? { text: (n / 1000).toPrecision(2), unit: "kB" } : { text: s.text, unit: `${s.unit === "G" ? "G" : s.unit}B` };
}

export function show(n: number | undefined, unit: Unit): Shown {
  if (n === undefined || !Number.isFinite(n))
    return { text: NONE, unit: "" };
  switch (unit) {
    case "usd": return money(n);
    case "count": return short(n);
    case "ratio": return { text: percentDigits(n), unit: "%" };
    case "ms": return millis(n);
    case "seconds": return seconds(n);
    case "bytes": return bytes(n);
  }
}

/* Never "100 %" for less than all, never "0 %" for more than nothing. */
function percentDigits(r: number): string {
  const p = r * 100;
  if (p === 0 || p === 100)
    return String(p);
  const rounded = p.toFixed(1);
  return rounded === "100.0" ? ">99.9" : rounded === "0.0" ? "<0.1" : rounded;
}

export function text(n: number | undefined, unit: Unit): string {
  const s = show(n, unit);
  return `${s.lead ?? ""}${s.text}${s.unit ? NB + s.unit : ""}`;
}

/** Every digit: for titles and tables to copy from. */
export function exact(n: number | undefined, unit: Unit): string {
  if (n === undefined || !Number.isFinite(n))
    return "no value";
  switch (unit) {
    case "usd": return `$${trimmed(n, 9)}`;
    case "count": return grouped(n, Number.isInteger(n) ? 0 : 3);
    case "ratio": return `${trimmed(n * 100, 6)} %`;
    case "ms": return `${trimmed(n, 3)} ms`;
    case "seconds": return `${trimmed(n, 3)} s`;
    case "bytes": return `${grouped(n)} bytes`;
  }
}

function trimmed(n: number, digits: number): string {
  return n.toFixed(digits).replace(/\.?0+$/, "");
}

/** "12 %", or undefined when there is nothing to compare with. */
export function change(now: number | undefined, before: number | undefined): { text: string; up: boolean; same: boolean } | undefined {
  if (now === undefined || before === undefined || !Number.isFinite(now) || !Number.isFinite(before) || before === 0)
    return undefined;
  const r = (now - before) / Math.abs(before);
  const p = Math.abs(r) * 100;
  const same = p < 0.5;
  const factor = now / before;
  const body = factor >= 10 ? `${grouped(Math.round(factor))}${NB}\u00d7` : `${p < 9.95 && !same ? p.toFixed(1) : Math.round(p)}${NB}%`;
  return { text: body, up: r > 0, same };
}

/** Round values for an axis from 0 to at least `max`, about `n` of them. */
export function ticks(max: number, n: number, whole: boolean): number[] {
  if (!(max > 0))
    return [0, 1];
  const raw = max / n;
  const mag = 10 ** Math.floor(Math.log10(raw));
  let step = [1, 2, 2.5, 5, 10].map((k) => k * mag).find((s) => s >= raw * 0.999) ?? 10 * mag;
  if (whole)
    step = Math.max(1, Math.ceil(step));
  const out: number[] = [];
  for (let i = 0; out.length < 2 || out.at(-1)! < max * 0.9999; i++)
    out.push(Number((i * step).toPrecision(12)));
  return out;
}

/** The first characters of a long id. */
export function brief(value: string, chars: number | undefined): string {
  return chars && value.length > chars + 2 ? value.slice(0, chars) : value;
}

/** "claude-opus-5-5-20260101" -> "opus-5-5": the name without what all share. */
export function modelName(model: string): string {
  return model.replace(/^(?:.*\/)?(?:[a-z]{2,6}\.)?(?:anthropic\.)?claude-/, "").replace(/-(20\d{6})(?:-v\d+(?::\d+)?)?$/, "");
}
