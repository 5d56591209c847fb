/* What a panel shows on request: where its figures come from, its bars as a table.
 * Fetched when first asked for. */
import type { BarsPanel, Panel } from "../board";
import { carriedBy, now, view } from "../data";
import { exact, text } from "../format";
import { asks, urlOf } from "../query";
import { filters } from "../router";
import { momentOf, spanOf, type Window } from "../time";
import { Copy } from "../widgets";
import type { Stack } from "./bars";

const LANG = { promql: "PromQL", logql: "LogQL" } as const;
const AT = { total: "at the end of the window", steps: "once for each bar", lines: "newest lines" } as const;

function Source({ panel }: { panel: Panel }) {
  const w = view.value;
  if (!w)
    return null;
  return (
    <>
      {panel.queries.map((q) => {
        const a = asks(q, carriedBy(q), filters.value, w)[0];
        return a && (
          <div key={q.id} class="source">
            <div class="source-head">
              <span><b>{LANG[q.lang]}</b> {AT[q.at]}{q.at === "total" && `, ${momentOf(w.end, Date.now())}`}</span>
              <Copy text={a.expr} label="Copy query" />
              <Copy text={`curl -sS '${location.origin}${urlOf(a).replace(/'/g, "%27")}'`} label="Copy curl" />
            </div>
            <pre tabIndex={0}>{a.expr}</pre>
          </div>
        );
      })}
    </>
  );
}

export function Explain({ panel }: { panel: Panel }) {
  return (
    <div class="info">
      <h3>{panel.question}</h3>
      <p>{panel.read}</p>
      <p class="muted">From {panel.source}.</p>
      <Source panel={panel} />
    </div>
  );
}

export function BarTable({ panel, stacks, window: w }: { panel: BarsPanel; stacks: Stack[]; window: Window }) {
  const buckets = w.bounds.slice(1).map((_, i) => i).filter((i) => stacks.some((s) => (s.values[i] ?? 0) !== 0)).reverse();
  return (
    <div class="scroll bartable" tabIndex={0}>
      <table class="grid">
        <thead><tr><th scope="col">Time</th>{stacks.map((s) => <th key={s.key} scope="col" class="num">{s.name}</th>)}</tr></thead>
        <tbody>
          {buckets.map((i) => (
            <tr key={i}>
              <th scope="row">{spanOf(w.bounds[i]!, w.bounds[i + 1]!, now.value)}</th>
              {stacks.map((s) => <td key={s.key} class="num" title={exact(s.values[i], panel.unit)}>{text(s.values[i], panel.unit)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
