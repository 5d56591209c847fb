/* What the page is filtered by, and adding to it. */
import { filterDefs } from "./boards";
import { brief } from "./format";
import type { Filter } from "./query";
import { filters, removeFilter, setFilters } from "./router";
import { Icon, later, Popover } from "./widgets";

const Adder = later(() => import("./pickers").then((m) => m.Adder));

const defOf = (label: string) => filterDefs.find((f) => f.label === label);

function Chip({ f }: { f: Filter }) {
  const def = defOf(f.label);
  const flip = () => setFilters(filters.value.map((x) => (x === f ? { ...f, not: !f.not } : x)));
  return (
    <span class="chip" title={`${f.label}${f.not ? " is not " : " is "}${f.value}`} data-filter={f.label}>
      <span class="muted">{def?.title ?? f.label}</span>
      <button type="button" class="link" title={f.not ? "Ask for it instead" : "Leave it out instead"} onClick={flip}>{f.not ? "is not" : "is"}</button>
      <b>{brief(f.value, def?.short) || "empty"}</b>
      <button type="button" class="iconbutton tiny" aria-label={`Remove filter ${def?.title ?? f.label} ${f.value}`} onClick={() => removeFilter(f)}><Icon name="close" /></button>
    </span>
  );
}

export function FilterBar() {
  return (
    <div class="filterbar" role="group" aria-label="Filters">
      {filters.value.map((f) => <Chip key={`${f.label}${f.not}${f.value}`} f={f} />)}
      <Popover label={<><Icon name="plus" />Filter</>} title="Filter everything on this page (f)" class="button small" shortcut="f">
        {(close) => <Adder close={close} />}
      </Popover>
      {filters.value.length > 1 && <button type="button" class="button small" onClick={() => setFilters([])}>Clear</button>}
    </div>
  );
}
