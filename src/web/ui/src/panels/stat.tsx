/* One figure with what it is made of, and how it was in the window before. */
import type { Item, Parts, StatPanel } from "../board";
import type { Row } from "../api";
import { slotOf, view } from "../data";
import { change, exact, show, text } from "../format";
import { sources } from "../boards";
import { colours } from "../palette";
import { unreached } from "../query";
import { addFilter, filters } from "../router";
import { longDuration } from "../time";
import { PartBar, Swatch } from "../widgets";
import { Errors, Info, isLoading, Reach } from "./frame";

const sumOf = (rows: Row[]) => rows.reduce((sum, r) => sum + (r.values[0] ?? 0), 0);

/* Additive figures of an absent series are 0; a ratio or a latency is not. */
function figure(panel: StatPanel, rows: Row[] | undefined): number | undefined {
  if (!rows)
    return undefined;
  if (rows.length === 0)
    return panel.value.empty === undefined ? 0 : undefined;
  const v = sumOf(rows);
  return Number.isFinite(v) ? v : undefined;
}

function Delta({ panel, value }: { panel: StatPanel; value: number | undefined }) {
  const before = figure(panel, slotOf(panel, panel.value.query, true).value.rows);
  const c = change(value, before);
  const w = view.value;
  if (!c || !w || !panel.compare)
    return <span class="delta muted">{before === 0 && value ? "new" : ""}</span>;
  const good = c.same || panel.compare === "neutral" ? "" : (panel.compare === "more") === c.up ? "good" : "bad";
  const than = `${exact(before, panel.unit)} in the ${longDuration(w.end - w.start)} before`;
  return (
    <span class={`delta ${good}`} title={than}>
      <span aria-hidden="true">{c.same ? "=" : c.up ? "\u25b2" : "\u25bc"}</span>{" "}
      <span class="offscreen">{c.same ? "unchanged" : c.up ? "up" : "down"} </span>
      {c.same ? "same" : c.text}
    </span>
  );
}

interface Part {
  item: Item;
  /** undefined: not known, or a filter is set that these events cannot answer to. */
  value: number | undefined;
}

function partsOf(panel: StatPanel, parts: Parts, rows: Row[] | undefined): Part[] {
  const unreachable = (item: Item) => item.source !== undefined && unreached(filters.value, sources[item.source] ?? []).length > 0;
  const label = parts.label;
  return parts.items.map((item) => {
    const mine = rows?.filter((r) => !label || r.labels[label] === item.is);
    const value = unreachable(item) ? undefined : label ? mine && sumOf(mine) : figure(panel, mine);
    return { item, value };
  });
}

function PartList({ panel, parts }: { panel: StatPanel; parts: Parts }) {
  const list = partsOf(panel, parts, slotOf(panel, parts.query).value.rows);
  const hue = colours(parts.colours ?? "", list.map((p) => p.item.is ?? ""));
  const shown = list.filter((p) => p.value !== 0 || !parts.click || list.length < 4);
  const colourOf = (p: Part) => hue.get(p.item.is ?? "") ?? "--hue-grey";
  return (
    <>
      {!parts.plain && <PartBar parts={list.map((p) => ({ colour: colourOf(p), share: p.value ?? 0, title: `${p.item.name} ${text(p.value, panel.unit)}` }))} />}
      <dl class="parts">
        {shown.map((p) => {
          const name = <>{!parts.plain && <Swatch colour={colourOf(p)} />}{p.item.name}</>;
          return (
            <div key={p.item.name}>
              <dt>
                {parts.click && p.item.is
                  ? <button type="button" class="link" title={`Show only ${p.item.name}`} onClick={() => addFilter(parts.click!, p.item.is!)}>{name}</button>
                  : name}
              </dt>
              <dd title={exact(p.value, partUnit(panel))} data-part={p.item.is ?? p.item.name}>{p.value ? p.item.sign : ""}{text(p.value, partUnit(panel))}</dd>
            </div>
          );
        })}
      </dl>
    </>
  );
}

/* The parts of a ratio are counts. */
const partUnit = (panel: StatPanel) => (panel.unit === "ratio" ? "count" : panel.unit);

export function Stat({ panel }: { panel: StatPanel }) {
  const slot = slotOf(panel, panel.value.query).value;
  const value = figure(panel, slot.rows);
  const s = show(value, panel.unit);
  const id = `panel-${panel.id}`;
  return (
    <section class="panel stat" id={id} aria-labelledby={`${id}-title`} aria-busy={isLoading(panel)}>
      <header>
        <h2 id={`${id}-title`} title={panel.question}>{panel.title}</h2>
        {panel.note && <span class="note">{panel.note}</span>}
        <span class="grow" />
        <Info panel={panel} />
      </header>
      <div class="figure">
        {slot.rows === undefined && !slot.error
          ? <span class="value skeleton" aria-label="loading" />
          : (
            <span class="value" title={value === undefined ? panel.value.empty : exact(value, panel.unit)} data-value={value}>
              {s.lead && <span class="lead">{s.lead}</span>}{s.text}{s.unit && <span class="unit">{s.unit}</span>}
              {panel.value.label && value !== undefined && <span class="unit faint">{panel.value.label}</span>}
            </span>
          )}
        <Delta panel={panel} value={value} />
      </div>
      {panel.parts && <PartList panel={panel} parts={panel.parts} />}
      <Reach panel={panel} />
      <Errors panel={panel} />
    </section>
  );
}
