/* What opens from the bar above the panels: choosing a time range, adding a filter.
 * Fetched when first opened. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { getAnswer, labelValues, rowsOf } from "./api";
import { filterDefs, sources } from "./boards";
import { view } from "./data";
import { urlOf } from "./query";
import { addFilter, range, setRange } from "./router";
import { parseTime, PRESETS, promDuration, resolve, spanOf } from "./time";

/* ---- time range ---- */

function Typed({ close }: { close: () => void }) {
  const from = useSignal(range.value.from);
  const to = useSignal(range.value.to);
  const w = resolve({ from: from.value, to: to.value }, Date.now());
  const bad = (t: string) => parseTime(t, Date.now()) === undefined;
  const problem = bad(from.value) ? "From is no time." : bad(to.value) ? "To is no time." : w ? "" : "From must be before To.";
  const submit = (e: Event) => {
    e.preventDefault();
    if (problem)
      return;
    close();
    setRange({ from: from.value.trim(), to: to.value.trim() });
  };
  return (
    <form class="typed" onSubmit={submit}>
      <label>From <input type="text" value={from.value} onInput={(e) => (from.value = e.currentTarget.value)} spellcheck={false} autocomplete="off" data-focus /></label>
      <label>To <input type="text" value={to.value} onInput={(e) => (to.value = e.currentTarget.value)} spellcheck={false} autocomplete="off" /></label>
      <p class="muted" role="status">{problem || (w && `${spanOf(w.start, w.end, Date.now())}`)}</p>
      <p class="faint">now-6h, now-2d, now/d (today), 2026-11-23 10:00, 2026-11-23T10:00Z</p>
      <button type="submit" class="button primary" disabled={problem !== ""}>Apply</button>
    </form>
  );
}

export function Picker({ close }: { close: () => void }) {
  const pick = (from: string) => {
    close();
    setRange({ from, to: "now" });
  };
  return (
    <div class="picker">
      <ul class="menu">
        {PRESETS.map((p) => (
          <li key={p.from}><button type="button" aria-current={range.value.from === p.from && range.value.to === "now"} onClick={() => pick(p.from)}>{p.title}</button></li>
        ))}
      </ul>
      <Typed close={close} />
    </div>
  );
}

/* ---- filters ---- */

const defOf = (label: string) => filterDefs.find((f) => f.label === label);

/* Metric labels by the label API; labels that only events carry by a count. */
async function valuesOf(label: string): Promise<string[]> {
  const w = view.peek();
  if (!w)
    return [];
  if (sources["usage"]?.includes(label))
    return (await labelValues(label, w.start, w.end)).filter((v) => v !== "");
  const query = `sum by (${label}) (count_over_time({service_name=~".+"} | ${label}!="" [${promDuration(w.end - w.start)}]))`;
  const a = await getAnswer(urlOf({ path: "/loki/api/v1/query", params: { query, time: `${w.end}000000` }, expr: query, buckets: [0, 1] }));
  return rowsOf(a, [w.end]).sort((x, y) => y.values[0]! - x.values[0]!).map((r) => r.labels[label] ?? "");
}

function Values({ label, close }: { label: string; close: () => void }) {
  const values = useSignal<string[] | undefined>(undefined);
  const error = useSignal("");
  const typed = useSignal("");
  useEffect(() => {
    valuesOf(label).then((v) => (values.value = v), (e: Error) => (error.value = e.message));
  }, [label]);
  const pick = (v: string, not: boolean) => {
    close();
    addFilter(label, v, not);
  };
  const fits = (values.value ?? []).filter((v) => v.toLowerCase().includes(typed.value.toLowerCase())).slice(0, 100);
  const submit = (e: Event) => {
    e.preventDefault();
    pick(fits.length === 1 ? fits[0]! : typed.value, false);
  };
  return (
    <form onSubmit={submit} class="values">
      <label>{defOf(label)?.title} is <input type="text" value={typed.value} onInput={(e) => (typed.value = e.currentTarget.value)} data-focus placeholder="type or pick" autocomplete="off" spellcheck={false} /></label>
      {error.value && <p class="bad">{error.value}</p>}
      {values.value?.length === 0 && <p class="muted">Nothing in this window has this label.</p>}
      <ul class="menu scroll">
        {fits.map((v) => (
          <li key={v}>
            <button type="button" onClick={(e) => pick(v, e.altKey)}>{v}</button>
            <button type="button" class="muted not" title={`All but ${v}`} onClick={() => pick(v, true)}>not</button>
          </li>
        ))}
      </ul>
    </form>
  );
}

export function Adder({ close }: { close: () => void }) {
  const label = useSignal("");
  if (label.value)
    return <Values label={label.value} close={close} />;
  return (
    <ul class="menu">
      {filterDefs.map((f, i) => (
        <li key={f.label}><button type="button" {...(i === 0 ? { "data-focus": "" } : {})} onClick={() => (label.value = f.label)}>{f.title} <span class="muted">{f.label}</span></button></li>
      ))}
    </ul>
  );
}
