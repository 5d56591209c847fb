/* The newest events: a queried start, then as they arrive. Held while the pointer
 * is over the list or after pressing pause; what came meanwhile is counted. */
import { useSignal, type Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Line } from "../api";
import type { EventsPanel } from "../board";
import { filterDefs } from "../boards";
import { carriedBy, slotOf, view } from "../data";
import { idOf, isQuiet, merge, nameOf, passes, summaryOf, toneOf } from "../events";
import { brief } from "../format";
import { link, onLines } from "../live";
import { addFilter, filters, isFiltered } from "../router";
import { clockOf, dayOf } from "../time";
import { Icon } from "../widgets";
import { Frame, titleOfLabel } from "./frame";

const SHOWN_MAX = 200;
const HELD_MAX = 2000;

const FILTERABLE = new Set(filterDefs.map((f) => f.label));
const msOfLine = (l: Line) => Number(l.timeNs.slice(0, -6));

function Fields({ line }: { line: Line }) {
  const pairs = Object.entries(line.labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return (
    <dl class="fields">
      <div><dt>time</dt><dd>{new Date(msOfLine(line)).toISOString()}</dd></div>
      <div><dt>line</dt><dd>{line.line}</dd></div>
      {pairs.map(([k, v]) => (
        <div key={k}>
          <dt>{k}</dt>
          <dd>
            {FILTERABLE.has(k)
              ? <button type="button" class="link" title={`Show only ${titleOfLabel(k).toLowerCase()} ${v}; with Alt: all but it`} onClick={(e) => addFilter(k, v, e.altKey)}>{v}</button>
              : v}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Event({ line, open, toggle, fresh }: { line: Line; open: boolean; toggle: () => void; fresh: boolean }) {
  const l = line.labels;
  const t = msOfLine(line);
  const name = nameOf(l, line.line);
  const session = l["session_id"] ?? "";
  const tone = toneOf(l, line.line);
  return (
    <li class={`event ${tone} ${isQuiet(l, line.line) ? "quiet" : ""} ${fresh ? "fresh" : ""}`} data-event={name}>
      <div class="row">
        <button type="button" class="opener" aria-expanded={open} onClick={toggle}>
          <time dateTime={new Date(t).toISOString()} title={new Date(t).toISOString()}><span class="day">{dayOf(t)}</span> {clockOf(t, true)}</time>
          <span class="name"><span class={`dot ${tone}`} aria-hidden="true" />{name}</span>
          <span class="says">{summaryOf(l, line.line)}</span>
        </button>
        {session && !isFiltered("session_id", session)
          ? <button type="button" class="link session" title={`Session ${session}: show only it; with Alt: all but it`} onClick={(e) => addFilter("session_id", session, e.altKey)}>{brief(session, 8)}</button>
          : <span class="session muted">{brief(session, 8)}</span>}
      </div>
      {open && <Fields line={line} />}
    </li>
  );
}

/* Feeds `list` from the stream; returns what is held back. */
function useStream(panel: EventsPanel, list: Signal<Line[]>, fresh: Signal<ReadonlySet<string>>, held: Signal<Line[]>, halted: () => boolean): void {
  const q = panel.queries[0]!;
  useEffect(() => onLines((lines) => {
    const w = view.peek();
    const fits = (l: Line) => w !== undefined && msOfLine(l) >= w.start && (w.live || msOfLine(l) <= w.end);
    const mine = lines.filter((l) => fits(l) && passes(l, filters.peek(), carriedBy(q)));
    if (mine.length === 0)
      return;
    if (halted()) {
      held.value = merge(mine, held.peek(), HELD_MAX);
      return;
    }
    fresh.value = new Set(mine.map(idOf));
    list.value = merge(mine, list.peek(), SHOWN_MAX);
  }), []);
}

export function Events({ panel }: { panel: EventsPanel }) {
  const slot = slotOf(panel, panel.queries[0]!.id).value;
  const list = useSignal<Line[]>([]);
  const held = useSignal<Line[]>([]);
  const fresh = useSignal<ReadonlySet<string>>(new Set());
  const paused = useSignal(false);
  const hovering = useSignal(false);
  const opened = useSignal<ReadonlySet<string>>(new Set());
  const asked = useRef<Line[] | undefined>(undefined);

  /* An answer replaces the list when the view changed; what streams in is added. */
  useEffect(() => {
    if (slot.lines && slot.lines !== asked.current) {
      asked.current = slot.lines;
      list.value = merge(slot.lines, [], SHOWN_MAX);
      held.value = [];
    }
  }, [slot.lines]);
  useStream(panel, list, fresh, held, () => paused.peek() || hovering.peek());

  const release = () => {
    if (paused.value || hovering.value || held.value.length === 0)
      return;
    fresh.value = new Set(held.value.map(idOf));
    list.value = merge(held.value, list.value, SHOWN_MAX);
    held.value = [];
  };
  const hover = (on: boolean) => {
    hovering.value = on;
    release();
  };
  const press = () => {
    paused.value = !paused.value;
    release();
  };
  const toggle = (id: string) => {
    const next = new Set(opened.value);
    if (!next.delete(id))
      next.add(id);
    opened.value = next;
  };

  const state = paused.value ? "paused" : hovering.value && held.value.length > 0 ? "held" : link.value === "open" ? "live" : link.value;
  const tools = (
    <>
      <span class={`livestate ${state}`} role="status">{state}{held.value.length > 0 && `, ${held.value.length} new`}</span>
      <button type="button" class="button small" data-key="p" aria-pressed={paused.value} onClick={press}>
        <Icon name={paused.value ? "play" : "pause"} />{paused.value ? "Resume" : "Pause"}
      </button>
    </>
  );
  return (
    <Frame panel={panel} tools={tools}>
      {list.value.length === 0
        ? <div class={slot.lines || slot.error ? "empty" : "skeleton rows"}>{slot.lines && panel.empty}</div>
        : (
          <ol class="eventlist scroll" tabIndex={0} aria-label="Latest events, newest first" onMouseEnter={() => hover(true)} onMouseLeave={() => hover(false)}>
            {list.value.map((l) => <Event key={idOf(l)} line={l} open={opened.value.has(idOf(l))} toggle={() => toggle(idOf(l))} fresh={fresh.value.has(idOf(l))} />)}
          </ol>
        )}
    </Frame>
  );
}
