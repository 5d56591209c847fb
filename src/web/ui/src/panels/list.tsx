/* Counts of things that should not happen, each named and broken down; and when
 * there are none, out of how many. */
import type { ListItem, ListPanel } from "../board";
import { sources } from "../boards";
import { slotOf } from "../data";
import { exact, modelName, text } from "../format";
import { unreached } from "../query";
import { addFilter, filters, isFiltered } from "../router";
import { Icon } from "../widgets";
import { Frame, titleOfLabel } from "./frame";

interface Entry {
  item: ListItem;
  details: { label: string; value: string }[];
  count: number;
}

function entriesOf(panel: ListPanel): Entry[] {
  const out: Entry[] = [];
  for (const item of panel.list.items) {
    for (const row of slotOf(panel, item.query).value.rows ?? []) {
      const count = row.values[0] ?? 0;
      if (row.labels[panel.list.label] === item.is && count > 0)
        out.push({ item, count, details: item.detail.map((label) => ({ label, value: row.labels[label] ?? "" })) });
    }
  }
  return out.sort((a, b) => b.count - a.count);
}

function Detail({ item, label, value }: { item: ListItem; label: string; value: string }) {
  if (value === "")
    return item.none?.[label] ? <span class="muted">{item.none[label]}</span> : null;
  const name = label === "model" ? modelName(value) : value;
  if (isFiltered(label, value))
    return <span>{name}</span>;
  return <button type="button" class="link" title={`${titleOfLabel(label)} ${value}: show only it; with Alt: all but it`} onClick={(e) => addFilter(label, value, e.altKey)}>{name}</button>;
}

export function List({ panel }: { panel: ListPanel }) {
  const entries = entriesOf(panel);
  const of = slotOf(panel, panel.list.of.query).value;
  const slots = panel.queries.map((q) => slotOf(panel, q.id).value);
  const known = slots.every((s) => s.rows !== undefined);
  const failed = slots.some((s) => s.error !== undefined);
  const answering = panel.list.of.items.filter((i) => !i.source || unreached(filters.value, sources[i.source] ?? []).length === 0);
  const attempts = answering.flatMap((i) => {
    const n = (of.rows ?? []).filter((r) => r.labels[panel.list.label] === i.is).reduce((sum, r) => sum + (r.values[0] ?? 0), 0);
    return n > 0 ? [`${text(n, "count")} ${i.name}`] : [];
  });
  if (entries.length === 0) {
    return (
      <Frame panel={panel}>
        <div class={known || failed ? "empty" : "skeleton rows"}>{known && <>{panel.empty}{attempts.length > 0 && ` ${attempts.join(" and ")} went well.`}</>}</div>
      </Frame>
    );
  }
  const total = entries.reduce((sum, e) => sum + e.count, 0);
  return (
    <Frame panel={panel}>
      <div class="scroll" tabIndex={0} role="region" aria-label={panel.title}>
        <table class="grid errors">
          <thead><tr><th scope="col">What</th><th scope="col">Where</th><th scope="col" class="num">Count</th></tr></thead>
          <tbody>
            {entries.map((e) => (
              <tr key={`${e.item.is} ${e.details.map((d) => d.value).join(" ")}`} data-row={e.item.is}>
                <th scope="row"><span class="bad"><Icon name="warn" /></span>{e.item.name}</th>
                <td class="details">{e.details.map((d) => <Detail key={d.label} item={e.item} {...d} />)}</td>
                <td class="num" title={exact(e.count, "count")} data-column="count">{text(e.count, "count")}</td>
              </tr>
            ))}
          </tbody>
          <tfoot><tr><th scope="row">All</th><td class="muted">{attempts.length > 0 && `beside ${attempts.join(", ")}`}</td><td class="num">{text(total, "count")}</td></tr></tfoot>
        </table>
      </div>
    </Frame>
  );
}
