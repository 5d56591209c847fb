/* Draws the panels of a board, or says why there is nothing to draw. */
import type { Board as BoardData, Panel } from "../board";
import { msOf, type Status } from "../api";
import { now, slotOf, view } from "../data";
import { Bars } from "../panels/bars";
import { Events } from "../panels/events";
import { List } from "../panels/list";
import { Stat } from "../panels/stat";
import { Table } from "../panels/table";
import { filters, range, setFilters, setRange } from "../router";
import { agoOf, isoOf, momentOf, type Window } from "../time";

function One({ panel }: { panel: Panel }) {
  switch (panel.kind) {
    case "stat": return <Stat panel={panel} />;
    case "bars": return <Bars panel={panel} />;
    case "table": return <Table panel={panel} />;
    case "list": return <List panel={panel} />;
    case "events": return <Events panel={panel} />;
  }
}

/* A day around the newest row, on minutes. */
function aroundNewest(s: Status): { from: string; to: string } {
  const end = Math.ceil((msOf(s.newest_ns) + 1) / 60_000) * 60_000;
  return { from: isoOf(Math.max(end - 86_400_000, Math.floor(msOf(s.oldest_ns) / 60_000) * 60_000)), to: isoOf(end) };
}

/* There is data, but not here. */
function Elsewhere({ s, w, board }: { s: Status; w: Window; board: BoardData }) {
  const newest = msOf(s.newest_ns);
  const oldest = msOf(s.oldest_ns);
  const outside = newest < w.start || oldest > w.end;
  const lines = board.panels.filter((p) => p.kind === "events").map((p) => slotOf(p, p.queries[0]!.id).value);
  const nothing = lines.length > 0 && lines.every((l) => l.lines?.length === 0);
  if (outside) {
    return (
      <div class="notice" role="status">
        <span>No data in this window. The newest is from {momentOf(newest, now.value)} ({agoOf(now.value - newest)}).</span>
        <button type="button" class="button small" onClick={() => setRange(aroundNewest(s))}>Show it</button>
      </div>
    );
  }
  if (nothing && filters.value.length > 0) {
    return (
      <div class="notice" role="status">
        <span>No event in this window passes all filters.</span>
        <button type="button" class="button small" onClick={() => setFilters([])}>Clear filters</button>
      </div>
    );
  }
  return null;
}

export function Board({ board, status: s }: { board: BoardData; status: Status }) {
  const w = view.value;
  if (!w)
    return <div class="notice" role="alert">The time range {range.value.from} to {range.value.to} cannot be read. Try now-6h, today's date as 2026-01-31, or pick one above.</div>;
  const stats = board.panels.filter((p) => p.kind === "stat");
  const rest = board.panels.filter((p) => p.kind !== "stat");
  return (
    <>
      <h1 class="offscreen">{board.title}</h1>
      <Elsewhere s={s} w={w} board={board} />
      <div class="tiles">{stats.map((p) => <One key={p.id} panel={p} />)}</div>
      <div class="panels">{rest.map((p) => <One key={p.id} panel={p} />)}</div>
    </>
  );
}
