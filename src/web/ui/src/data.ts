/* The answers on the page, and when they are asked for again.
 *
 * Each query of the shown board has a slot: its last answer (kept while a newer
 * one is on its way), an error in the server's words, and whether it is loading.
 * Everything is asked again at once when the view changes, and when new rows
 * arrive: at most once a second, never two rounds at a time, and not while the
 * tab is hidden. Equal requests of one round are made once. */
import { effect, signal, type Signal } from "@preact/signals";
import { sources } from "./boards";
import { ApiError, getAnswer, getStatus, linesOf, rowsOf, type Line, type Row, type Status } from "./api";
import type { Board, Panel, Query } from "./board";
import { asks, urlOf, type Ask, type Filter } from "./query";
import { filters, range } from "./router";
import { resolve, type Range, type Window } from "./time";

export interface Slot {
  rows?: Row[];
  lines?: Line[];
  window?: Window;
  error?: string;
  loading: boolean;
}

const ROUND_MS = 1000;        /* between two refreshes by ticks, and three times what the last one took */
const IDLE_MS = 30_000;       /* a moving window moves without ticks too */
const PARALLEL = 4;           /* browsers open six connections to a host; one is the stream's */
const PREVIOUS_MS = 60_000;   /* the figure to compare with is kept that long */

export const status = signal<Status | undefined>(undefined);
export const statusError = signal<string | undefined>(undefined);
export const view = signal<Window | undefined>(undefined);
/** The store's sequence that everything on the page has caught up with. */
export const shownSeq = signal(-1);
export const now = signal(Date.now());

const slots = new Map<string, Signal<Slot>>();
let board: Board | undefined;

export function slotOf(panel: Panel, queryId: string, previous = false): Signal<Slot> {
  const key = `${panel.id}/${queryId}${previous ? "/previous" : ""}`;
  let s = slots.get(key);
  if (!s) {
    s = signal<Slot>({ loading: true });
    slots.set(key, s);
  }
  return s;
}

export const carriedBy = (q: Query): readonly string[] => sources[q.source] ?? [];

/* ---- one round ---- */

interface Round {
  window: Window;
  filters: readonly Filter[];
  fetched: Map<string, ReturnType<typeof getAnswer>>;
  signal: AbortSignal;
}

const previousKept = new Map<string, { at: number; slot: Slot }>();

function timesOf(a: Ask, w: Window): number[] {
  return w.bounds.slice(a.buckets[0] + 1, a.buckets[1] + 1);
}

function fetchOnce(r: Round, a: Ask) {
  const url = urlOf(a);
  let p = r.fetched.get(url);
  if (!p) {
    p = getAnswer(url, r.signal);
    r.fetched.set(url, p);
  }
  return p;
}

const labelKey = (row: Row) => JSON.stringify(Object.entries(row.labels).sort());

/* Answers for whole buckets and for the shorter ones at the edges, put together. */
async function assemble(r: Round, list: Ask[]): Promise<Row[]> {
  const n = r.window.bounds.length - 1;
  const rows = new Map<string, Row>();
  for (const a of list) {
    for (const part of rowsOf(await fetchOnce(r, a), timesOf(a, r.window))) {
      const key = labelKey(part);
      const row = rows.get(key) ?? { labels: part.labels, values: Array<number>(n).fill(0) };
      part.values.forEach((v, i) => (row.values[a.buckets[0] + i] = v));
      rows.set(key, row);
    }
  }
  return [...rows.values()];
}

async function ask(r: Round, q: Query, previous: boolean): Promise<Slot> {
  const list = asks(q, carriedBy(q), r.filters, r.window, previous);
  const first = list[0];
  if (!first)
    return { rows: [], window: r.window, loading: false };
  if (q.at === "lines")
    return { lines: linesOf(await fetchOnce(r, first)), window: r.window, loading: false };
  if (q.at === "steps")
    return { rows: await assemble(r, list), window: r.window, loading: false };
  const key = previous ? urlOf(first) : "";
  const kept = previousKept.get(key);
  if (kept && Date.now() - kept.at < PREVIOUS_MS)
    return kept.slot;
  const slot: Slot = { rows: rowsOf(await fetchOnce(r, first), [r.window.end]), window: r.window, loading: false };
  if (previous) {
    if (previousKept.size > 200)
      previousKept.clear();
    previousKept.set(key, { at: Date.now(), slot });
  }
  return slot;
}

async function fill(r: Round, panel: Panel, q: Query, previous: boolean): Promise<void> {
  const s = slotOf(panel, q.id, previous);
  try {
    const slot = await ask(r, q, previous);
    if (!r.signal.aborted)
      s.value = slot;
  } catch (e) {
    if (r.signal.aborted)
      return;
    const message = e instanceof ApiError ? e.message : `unexpected answer: ${(e as Error).message}`;
    s.value = { ...s.value, error: message, loading: false };
  }
}

/* Current figures first, those to compare with last. Log lines are asked for when
 * the view changes; after that they arrive by the live stream. */
function jobsOf(b: Board, r: Round, withLines: boolean): (() => Promise<void>)[] {
  const current: (() => Promise<void>)[] = [];
  const before: (() => Promise<void>)[] = [];
  for (const p of b.panels) {
    for (const q of p.queries) {
      if (q.at !== "lines" || withLines)
        current.push(() => fill(r, p, q, false));
    }
    if (p.kind === "stat" && p.compare) {
      const q = p.queries.find((x) => x.id === p.value.query);
      if (q)
        before.push(() => fill(r, p, q, true));
    }
  }
  return [...current, ...before];
}

async function inParallel(jobs: (() => Promise<void>)[]): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < jobs.length)
      await jobs[next++]!();
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

async function readStatus(): Promise<void> {
  try {
    status.value = await getStatus();
    statusError.value = undefined;
  } catch (e) {
    statusError.value = (e as Error).message;
  }
}

/* ---- when ---- */

let running: AbortController | undefined;
let again = false;
let nextAt = 0;
let timer = 0;
let linesFor = "";

function viewKey(r: Range, f: readonly Filter[]): string {
  return JSON.stringify([board?.page, r, f]);
}

async function round(): Promise<void> {
  const control = new AbortController();
  const began = Date.now();
  running = control;
  again = false;
  await readStatus();
  now.value = Date.now();
  const w = resolve(range.value, now.value);
  view.value = w;
  if (w && board && status.value && !status.value.empty && !statusError.value) {
    const key = viewKey(range.value, filters.value);
    const withLines = key !== linesFor;
    const r: Round = { window: w, filters: filters.value, fetched: new Map(), signal: control.signal };
    await inParallel(jobsOf(board, r, withLines));
    if (!control.signal.aborted) {
      linesFor = key;
      shownSeq.value = status.value.seq;
    }
  }
  if (running !== control)
    return;
  running = undefined;
  nextAt = Date.now() + Math.max(ROUND_MS, 3 * (Date.now() - began));
  if (again)
    refreshSoon();
  else
    timer = window.setTimeout(refreshSoon, IDLE_MS);
}

/** New rows came: ask again, soon. */
export function refreshSoon(): void {
  if (running || document.hidden) {
    again = true;
    return;
  }
  clearTimeout(timer);
  timer = window.setTimeout(() => void round(), Math.max(0, nextAt - Date.now()));
}

/** The view changed, or somebody pressed refresh: ask again at once. */
export function refreshNow(): void {
  running?.abort();
  clearTimeout(timer);
  void round();
}

/** Log lines too, e.g. after a gap in the live stream. */
export function refreshLines(): void {
  linesFor = "";
  refreshSoon();
}

export function start(boardOf: () => Board | undefined): void {
  let shown = "";
  effect(() => {
    board = boardOf();
    const key = viewKey(range.value, filters.value);
    if (key === shown)
      return;
    shown = key;
    linesFor = "";
    for (const s of slots.values())
      s.value = { ...s.peek(), loading: true };
    refreshNow();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && again)
      refreshSoon();
  });
}
