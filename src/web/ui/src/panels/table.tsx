/* A table of one row per value of a label, its columns taken from several
 * queries or divided from two others. */
import { useSignal } from "@preact/signals";
import type { Column, TablePanel } from "../board";
import type { Row } from "../api";
import { slotOf } from "../data";
import { exact, text } from "../format";
import { addFilter, isFiltered } from "../router";
import { Frame } from "./frame";

type Cells = Map<string, number>;

interface Line {
  key: string;
  cells: Cells;
}

function matches(row: Row, where: Record<string, string> | undefined): boolean {
  return Object.entries(where ?? {}).every(([k, v]) => (row.labels[k] ?? "") === v);
}

function fillCells(panel: TablePanel): Line[] {
  const lines = new Map<string, Line>();
  for (const c of panel.columns) {
    if (!c.query)
      continue;
    for (const row of slotOf(panel, c.query).value.rows ?? []) {
      if (!matches(row, c.where))
        continue;
      const key = row.labels[panel.rows.label] ?? "";
      const line = lines.get(key) ?? { key, cells: new Map<string, number>() };
      line.cells.set(c.id, (line.cells.get(c.id) ?? 0) + (row.values[0] ?? 0));
      lines.set(key, line);
    }
  }
  return [...lines.values()];
}

/* Absent counts are 0: "success=false" has no series when all went well. */
function cell(c: Column, cells: Cells): number | undefined {
  if (!c.ratio)
    return cells.get(c.id) ?? (c.unit === "count" ? 0 : undefined);
  const below = cells.get(c.ratio[1]) ?? 0;
  return below === 0 ? undefined : (cells.get(c.ratio[0]) ?? 0) / below;
}

function totals(panel: TablePanel, lines: Line[]): Cells {
  const out: Cells = new Map();
  for (const c of panel.columns) {
    if (c.query && c.total !== "none")
      out.set(c.id, lines.reduce((sum, l) => sum + (l.cells.get(c.id) ?? 0), 0));
  }
  return out;
}

function tone(c: Column, v: number | undefined): string {
  if (v === undefined || (v === 0 && c.unit === "count"))
    return "faint";
  return c.bad || (c.warn_below !== undefined && v < c.warn_below) ? "bad" : "";
}

function Value({ c, v, most }: { c: Column; v: number | undefined; most: number }) {
  return (
    <td class={`num ${tone(c, v)}`} title={v === undefined ? undefined : exact(v, c.unit)} data-column={c.id}>
      {text(v, c.unit)}
      {c.bar && <span class="inbar" aria-hidden="true"><span style={{ width: `${most > 0 ? ((v ?? 0) / most) * 100 : 0}%` }} /></span>}
    </td>
  );
}

export function Table({ panel }: { panel: TablePanel }) {
  const sort = useSignal({ by: panel.rows.sort, down: true });
  const slot = slotOf(panel, panel.queries[0]!.id).value;
  const columns = panel.columns.filter((c) => !c.hidden);
  const lines = fillCells(panel);
  if (lines.length === 0)
    return <Frame panel={panel}><div class={slot.rows || slot.error ? "empty" : "skeleton rows"}>{slot.rows && panel.empty}</div></Frame>;

  const by = columns.find((c) => c.id === sort.value.by);
  const sign = sort.value.down ? -1 : 1;
  lines.sort((a, b) => (by ? sign * ((cell(by, a.cells) ?? -1) - (cell(by, b.cells) ?? -1)) : -sign * (a.key < b.key ? -1 : 1)) || (a.key < b.key ? -1 : 1));
  const sum = totals(panel, lines);
  const sortBy = (id: string) => (sort.value = { by: id, down: sort.value.by === id ? !sort.value.down : true });
  const ariaSort = (id: string) => (sort.value.by === id ? (sort.value.down ? "descending" as const : "ascending" as const) : undefined);
  const click = panel.rows.click;
  return (
    <Frame panel={panel}>
      <div class="scroll" tabIndex={0} role="region" aria-label={panel.title}>
        <table class="grid">
          <thead>
            <tr>
              <th scope="col" aria-sort={ariaSort("")}><button type="button" class="sort" onClick={() => sortBy("")}>{panel.rows.title}</button></th>
              {columns.map((c) => <th key={c.id} scope="col" class="num" aria-sort={ariaSort(c.id)}><button type="button" class="sort" onClick={() => sortBy(c.id)}>{c.title}</button></th>)}
            </tr>
          </thead>
          <tbody>
            {lines.map((l) => (
              <tr key={l.key} data-row={l.key}>
                <th scope="row">
                  {click && l.key && !isFiltered(click, l.key)
                    ? <button type="button" class="link" title={`Show only ${l.key}; with Alt: all but it`} onClick={(e) => addFilter(click, l.key, e.altKey)}>{l.key}</button>
                    : l.key || "unknown"}
                </th>
                {columns.map((c) => <Value key={c.id} c={c} v={cell(c, l.cells)} most={Math.max(...lines.map((x) => cell(c, x.cells) ?? 0))} />)}
              </tr>
            ))}
          </tbody>
          {lines.length > 1 && (
            <tfoot>
              <tr>
                <th scope="row">All</th>
                {columns.map((c) => <td key={c.id} class="num">{c.total === "none" ? "" : text(cell(c, sum), c.unit)}</td>)}
              </tr>
            </tfoot>
          )}
        </table>
      </div>
    </Frame>
  );
}
