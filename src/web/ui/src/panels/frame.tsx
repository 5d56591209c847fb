/* What every panel has: its heading, the note of where its figures come from,
 * the mark for filters that cannot reach it, errors in the server's words. */
import type { ComponentChildren } from "preact";
import { filterDefs } from "../boards";
import type { Panel } from "../board";
import { carriedBy, slotOf } from "../data";
import { unreached } from "../query";
import { filters } from "../router";
import { Icon, later, Popover } from "../widgets";

const Explain = later(() => import("./details").then((m) => m.Explain));

export const titleOfLabel = (label: string): string => filterDefs.find((f) => f.label === label)?.title ?? label;

export function Info({ panel }: { panel: Panel }) {
  return (
    <Popover label={<Icon name="info" />} title={`${panel.title}: what it is and where it comes from`} class="iconbutton quiet" end>
      {() => <Explain panel={panel} />}
    </Popover>
  );
}

/* A filter that this panel's data does not carry. */
export function Reach({ panel }: { panel: Panel }) {
  const q = panel.queries[0];
  const labels = q ? unreached(filters.value, carriedBy(q)) : [];
  if (labels.length === 0)
    return null;
  const names = labels.map((l) => titleOfLabel(l).toLowerCase()).join(", ");
  return <span class="badge" title={`This data does not say which ${names} it belongs to, so the filter does not apply here.`}>not by {names}</span>;
}

export function Errors({ panel }: { panel: Panel }) {
  const all = panel.queries.map((q) => slotOf(panel, q.id).value.error).filter((e): e is string => e !== undefined);
  const unique = [...new Set(all)];
  return unique.length === 0 ? null : (
    <div class="failed" role="alert">
      <Icon name="warn" />
      <span>{unique.join(" \u00b7 ")}</span>
    </div>
  );
}

export function isLoading(panel: Panel): boolean {
  return panel.queries.some((q) => slotOf(panel, q.id).value.loading);
}

interface FrameProps {
  panel: Panel;
  class?: string;
  tools?: ComponentChildren;
  children: ComponentChildren;
}

export function Frame({ panel, class: cls = "", tools, children }: FrameProps) {
  const id = `panel-${panel.id}`;
  return (
    <section class={`panel ${panel.kind} ${panel.size ?? ""} ${cls}`} id={id} aria-labelledby={`${id}-title`} aria-busy={isLoading(panel)}>
      <header>
        <h2 id={`${id}-title`} title={panel.question}>{panel.title}</h2>
        <Reach panel={panel} />
        <span class="grow" />
        {tools}
        <Info panel={panel} />
      </header>
      <Errors panel={panel} />
      {children}
    </section>
  );
}
