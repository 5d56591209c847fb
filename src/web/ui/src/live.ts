/* The live stream: ticks (new rows are in the store) and the newest events.
 *
 * One EventSource, closed while the tab is hidden so that a browser's six
 * connections to a host are not eaten up by tabs nobody looks at, and resumed
 * after the last id when it is seen again. */
import { signal } from "@preact/signals";
import type { Line, LogBatch, Tick } from "./api";
import { now, refreshLines, refreshSoon } from "./data";

export type Link = "connecting" | "open" | "lost";

export const link = signal<Link>("connecting");
/** Wall time of the last tick that brought rows. */
export const lastTick = signal<number | undefined>(undefined);

type Listen = (lines: Line[]) => void;
const listeners = new Set<Listen>();
export function onLines(fn: Listen): () => void {
  listeners.add(fn);
  return () => listeners.delete(fn);
}

let source: EventSource | undefined;
let lastId = "";
let seq = -1;

function onTick(e: MessageEvent<string>): void {
  lastId = e.lastEventId || lastId;
  const t = JSON.parse(e.data) as Tick;
  const fresh = t.seq !== seq;
  const first = seq < 0;
  seq = t.seq;
  if (!fresh || first)
    return;
  lastTick.value = Date.now();
  refreshSoon();
}

function onLog(e: MessageEvent<string>): void {
  lastId = e.lastEventId || lastId;
  const b = JSON.parse(e.data) as LogBatch;
  const lines = b.records.map((r) => ({ timeNs: r.time_ns, line: r.line, labels: r.labels }));
  for (const fn of listeners)
    fn(lines);
  if (b.cut > 0)
    refreshLines();
}

function open(): void {
  if (source)
    return;
  source = new EventSource(`/api/ccmon/live${lastId ? `?after=${encodeURIComponent(lastId)}` : ""}`);
  source.onopen = () => {
    if (link.value === "lost")
      refreshLines();
    link.value = "open";
  };
  source.onerror = () => {
    link.value = "lost";
    if (source?.readyState === EventSource.CLOSED) {
      source = undefined;
      setTimeout(open, 3000);
    }
  };
  source.addEventListener("tick", onTick);
  source.addEventListener("log", onLog);
}

function close(): void {
  source?.close();
  source = undefined;
}

export function startLive(): void {
  open();
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  setInterval(() => {
    if (!document.hidden)
      now.value = Date.now();
  }, 5000);
}
