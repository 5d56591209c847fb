/* Stacked bars over time, one for each bucket of the window, with a legend that
 * names, sums, hides and filters, and that reads out the bar under the pointer.
 *
 * uPlot gives the canvas, axes, cursor, selection and the crosshair shared by all
 * charts of the page. The bars are drawn here: they have the width of their
 * bucket (edges may be shorter), stand on each other exactly, and the one that is
 * not over yet is hatched. */
import { useSignal, type Signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { BarsPanel, Unit } from "../board";
import { now, slotOf } from "../data";
import { exact, modelName, text, ticks } from "../format";
import { colours } from "../palette";
import { addFilter, isFiltered, setRange } from "../router";
import { theme } from "../theme";
import { clockOf, dayOf, isoOf, spanOf, zoomOut, type Window } from "../time";
import { Icon, later, Swatch } from "../widgets";
import { Frame } from "./frame";

const BarTable = later(() => import("./details").then((m) => m.BarTable));

const SERIES_MAX = 10;
const HEIGHT = 220;
const MIN = 60_000;
const DAY = 86_400_000;

export interface Stack {
  key: string;
  name: string;
  colour: string;
  values: number[];
  total: number;
}

function stacksOf(panel: BarsPanel): Stack[] {
  const s = panel.series;
  const rows = slotOf(panel, s.query).value.rows ?? [];
  const sum = (v: number[]) => v.reduce((a, b) => a + (Number.isFinite(b) ? b : 0), 0);
  const hue = colours(s.colours, rows.map((r) => r.labels[s.label] ?? ""));
  let list = rows.map((r) => {
    const key = r.labels[s.label] ?? "";
    const name = s.items?.find((i) => i.is === key)?.name ?? (s.label === "model" ? modelName(key) : key);
    return { key, name: name || "unknown", colour: hue.get(key) ?? "--hue-grey", values: r.values, total: sum(r.values) };
  });
  list = list.filter((x) => x.total !== 0);
  const order = s.items?.map((i) => i.is) ?? [];
  list.sort((a, b) => (order.length ? order.indexOf(a.key) - order.indexOf(b.key) : b.total - a.total || (a.key < b.key ? -1 : 1)));
  if (list.length <= SERIES_MAX)
    return list;
  const rest = list.slice(SERIES_MAX - 1);
  const values = rest[0]!.values.map((_, i) => sum(rest.map((r) => r.values[i] ?? 0)));
  return [...list.slice(0, SERIES_MAX - 1), { key: "", name: `${rest.length} others`, colour: "--hue-grey", values, total: sum(values) }];
}

/* ---- drawing ---- */

interface Scene {
  window: Window;
  stacks: Stack[];
  unit: Unit;
  now: number;
}

function cssColour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function hatch(ctx: CanvasRenderingContext2D, x: number, y: number, w: number, h: number, colour: string, px: number): void {
  ctx.save();
  ctx.beginPath();
  ctx.rect(x, y, w, h);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.5 * px;
  const gap = 5 * px;
  ctx.beginPath();
  for (let d = -h; d < w; d += gap) {
    ctx.moveTo(x + d, y + h);
    ctx.lineTo(x + d + h, y);
  }
  ctx.stroke();
  ctx.restore();
}

function drawBars(u: uPlot, scene: Scene): void {
  const { ctx } = u;
  const px = uPlot.pxRatio;
  const { bounds, end } = scene.window;
  const base = u.valToPos(0, "y", true);
  const surface = cssColour("--surface");
  const fills = scene.stacks.map((s) => cssColour(s.colour));
  for (let i = 0; i + 1 < bounds.length; i++) {
    const x0 = u.valToPos(bounds[i]!, "x", true);
    const x1 = u.valToPos(bounds[i + 1]!, "x", true);
    const gap = Math.min(2 * px, Math.max(px / 2, (x1 - x0) * 0.16));
    const w = Math.max(px / 2, x1 - x0 - gap);
    let sum = 0;
    let y = base;
    scene.stacks.forEach((s, k) => {
      const v = s.values[i] ?? 0;
      if (!(v > 0))
        return;
      sum += v;
      const top = u.valToPos(sum, "y", true);
      ctx.fillStyle = fills[k]!;
      ctx.fillRect(x0 + gap / 2, top, w, Math.max(y - top, px / 2));
      y = top;
    });
    if (sum > 0 && bounds[i + 1]! > scene.now && end > scene.now)
      hatch(ctx, x0 + gap / 2, y, w, base - y, surface, px);
  }
}

/* Local times at round places, at least `room` pixels apart. */
function timeTicks(start: number, end: number, width: number): number[] {
  const least = ((end - start) / Math.max(width, 1)) * 72;
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720].map((m) => m * MIN).concat([1, 2, 7, 14, 30].map((d) => d * DAY));
  const step = steps.find((s) => s >= least) ?? 60 * DAY;
  const zone = new Date(end).getTimezoneOffset() * MIN;
  const out: number[] = [];
  const last = end - least / 4; /* a label nearer to the edge would be cut */
  for (let t = Math.ceil((start - zone) / step) * step + zone; t <= last; t += step)
    out.push(t);
  return out;
}

function timeLabel(t: number, _i: number, all: number[]): string {
  const midnight = clockOf(t) === "00:00";
  const daily = all.length > 1 && all[1]! - all[0]! >= DAY;
  return daily || midnight ? dayOf(t) : clockOf(t);
}

function options(panel: BarsPanel, scene: () => Scene, hovered: Signal<number | undefined>, mark: HTMLElement): uPlot.Options {
  const peak = () => {
    const { stacks, window: w } = scene();
    return Math.max(0, ...w.bounds.slice(1).map((_, i) => stacks.reduce((a, s) => a + Math.max(0, s.values[i] ?? 0), 0)));
  };
  const yTicks = () => ticks(peak(), 4, panel.unit === "count");
  const axis = { stroke: () => cssColour("--muted"), font: "11px system-ui, sans-serif" };
  return {
    width: 300,
    height: HEIGHT,
    ms: 1,
    pxAlign: false,
    padding: [8, 4, 0, 0],
    legend: { show: false },
    scales: {
      x: { time: true, range: () => [scene().window.start, scene().window.end] },
      y: { range: () => [0, yTicks().at(-1)!] },
    },
    axes: [
      {
        ...axis, size: 24, gap: 4, grid: { show: false }, ticks: { stroke: () => cssColour("--line"), size: 4, width: 1 },
        splits: (u) => timeTicks(scene().window.start, scene().window.end, u.bbox.width / uPlot.pxRatio),
        values: (_u, splits) => splits.map(timeLabel),
      },
      {
        ...axis, size: 54, gap: 6, grid: { stroke: () => cssColour("--grid"), width: 1 }, ticks: { show: false },
        splits: () => yTicks(),
        values: (_u, splits) => splits.map((v) => (v === 0 ? "0" : axisText(v, panel.unit))),
      },
    ],
    series: [{}, { paths: () => null, points: { show: false } }],
    cursor: {
      y: false, x: false, points: { show: false },
      sync: { key: "page", setSeries: false },
      drag: { x: true, y: false, setScale: false, dist: 6 },
      bind: { dblclick: () => () => { setRange(zoomOut(scene().window, Date.now())); return null; } },
    },
    hooks: {
      draw: [(u) => drawBars(u, scene())],
      setCursor: [(u) => {
        const i = u.cursor.idx ?? undefined;
        const inside = u.cursor.left !== undefined && u.cursor.left >= 0;
        hovered.value = inside && i !== undefined ? i : undefined;
        markBar(u, mark, scene().window, hovered.value);
      }],
      setSelect: [(u) => {
        if (u.select.width > 4)
          setRange(selected(u, scene().window));
      }],
    },
  };
}

/* The dragged stretch, moved outwards to whole bars. */
function selected(u: uPlot, w: Window): { from: string; to: string } {
  const a = u.posToVal(u.select.left, "x");
  const b = u.posToVal(u.select.left + u.select.width, "x");
  u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  const from = w.bounds.findLast((t) => t <= a) ?? w.start;
  const to = w.bounds.find((t) => t >= b) ?? w.end;
  return { from: isoOf(from), to: isoOf(to) };
}

function markBar(u: uPlot, mark: HTMLElement, w: Window, i: number | undefined): void {
  if (i === undefined || i + 1 >= w.bounds.length) {
    mark.style.display = "none";
    return;
  }
  const x0 = u.valToPos(w.bounds[i]!, "x");
  mark.style.display = "block";
  mark.style.left = `${x0}px`;
  mark.style.width = `${Math.max(1, u.valToPos(w.bounds[i + 1]!, "x") - x0)}px`;
}

/* Axis labels need no padding zeros. */
function axisText(v: number, unit: Unit): string {
  if (unit === "usd")
    return `$${v >= 1000 ? axisText(v, "count") : Number(v.toPrecision(3))}`;
  return text(v, unit).replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?=\D|$)/, "");
}

/* ---- components ---- */

function Canvas({ panel, scene, hovered, summary }: { panel: BarsPanel; scene: Scene; hovered: Signal<number | undefined>; summary: string }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const latest = useRef(scene);
  latest.current = scene;
  const dataOf = (s: Scene): uPlot.AlignedData => {
    const mids = s.window.bounds.slice(1).map((t, i) => (t + s.window.bounds[i]!) / 2);
    return [mids, mids.map((_, i) => s.stacks.reduce((a, x) => a + (x.values[i] ?? 0), 0))];
  };
  useLayoutEffect(() => {
    const el = box.current!;
    const mark = document.createElement("div");
    mark.className = "mark";
    const u = new uPlot(options(panel, () => latest.current, hovered, mark), dataOf(scene), el);
    u.over.append(mark);
    plot.current = u;
    const fit = () => u.setSize({ width: Math.max(120, el.clientWidth), height: Math.max(HEIGHT, el.clientHeight) });
    fit();
    const watch = new ResizeObserver(fit);
    watch.observe(el);
    return () => {
      watch.disconnect();
      u.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(dataOf(scene)), [scene.window, scene.stacks, scene.now, theme.value]);
  const step = (by: number) => {
    const n = latest.current.window.bounds.length - 1;
    const i = Math.max(0, Math.min(n - 1, (hovered.value ?? (by > 0 ? -1 : n)) + by));
    const u = plot.current!;
    u.setCursor({ left: u.valToPos(u.data[0][i]!, "x"), top: 10 });
  };
  const key = (e: KeyboardEvent) => {
    if (e.key !== "ArrowLeft" && e.key !== "ArrowRight")
      return;
    e.preventDefault();
    step(e.key === "ArrowRight" ? 1 : -1);
  };
  return <div ref={box} class="canvas" role="img" tabIndex={0} aria-label={summary} onKeyDown={key} onBlur={() => plot.current?.setCursor({ left: -10, top: -10 })} />;
}

interface LegendProps {
  panel: BarsPanel;
  stacks: Stack[];
  hidden: Signal<ReadonlySet<string>>;
  hovered: Signal<number | undefined>;
  window: Window;
}

function Legend({ panel, stacks, hidden, hovered, window: w }: LegendProps) {
  const i = hovered.value !== undefined && hovered.value + 1 < w.bounds.length ? hovered.value : undefined;
  const valueOf = (s: Stack) => (i === undefined ? s.total : s.values[i] ?? 0);
  const shown = stacks.filter((s) => !hidden.value.has(s.key));
  const sum = shown.reduce((a, s) => a + valueOf(s), 0);
  const toggle = (key: string) => {
    const next = new Set(hidden.value);
    if (!next.delete(key))
      next.add(key);
    hidden.value = next;
  };
  const click = panel.series.click;
  return (
    <table class="legend">
      <caption>{i === undefined ? "in the window" : spanOf(w.bounds[i]!, w.bounds[i + 1]!, now.value)}</caption>
      <tbody>
        {stacks.map((s) => (
          <tr key={s.key} class={hidden.value.has(s.key) ? "off" : ""} data-series={s.key}>
            <td>
              <button type="button" class="swatchbutton" aria-pressed={!hidden.value.has(s.key)} title={`${hidden.value.has(s.key) ? "Show" : "Hide"} ${s.name}`} onClick={() => toggle(s.key)}>
                <Swatch colour={s.colour} />
              </button>
            </td>
            <th scope="row">
              {click && s.key && !isFiltered(click, s.key)
                ? <button type="button" class="link" title={`Show only ${s.key}; with Alt: all but it`} onClick={(e) => addFilter(click, s.key, e.altKey)}>{s.name}</button>
                : s.name}
            </th>
            <td class="num" title={exact(valueOf(s), panel.unit)}>{text(valueOf(s), panel.unit)}</td>
            <td class="num share">{sum > 0 && !hidden.value.has(s.key) ? text(valueOf(s) / sum, "ratio") : ""}</td>
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr><td /><th scope="row">Total</th><td class="num" title={exact(sum, panel.unit)} data-total={sum}>{text(sum, panel.unit)}</td><td /></tr>
      </tfoot>
    </table>
  );
}

export function Bars({ panel }: { panel: BarsPanel }) {
  const slot = slotOf(panel, panel.series.query).value;
  const hidden = useSignal<ReadonlySet<string>>(new Set());
  const hovered = useSignal<number | undefined>(undefined);
  const asTable = useSignal(false);
  const w = slot.window;
  const stacks = stacksOf(panel);
  const tools = (
    <button type="button" class="iconbutton quiet" aria-pressed={asTable.value} title={asTable.value ? "Show as chart" : "Show as table"} aria-label={asTable.value ? "Show as chart" : "Show as table"} onClick={() => (asTable.value = !asTable.value)}>
      <Icon name={asTable.value ? "bars" : "table"} />
    </button>
  );
  if (!w || stacks.length === 0)
    return <Frame panel={panel}><div class={w || slot.error ? "empty chart-empty" : "skeleton chart-empty"}>{w && panel.empty}</div></Frame>;
  const visible = stacks.filter((s) => !hidden.value.has(s.key));
  const scene: Scene = { window: w, stacks: visible, unit: panel.unit, now: now.peek() };
  const summary = `${panel.title}, ${spanOf(w.start, w.end, now.peek())}: ${stacks.map((s) => `${s.name} ${text(s.total, panel.unit)}`).join(", ")}. Arrow keys read single bars.`;
  return (
    <Frame panel={panel} tools={tools}>
      <div class="chart">
        {asTable.value
          ? <BarTable panel={panel} stacks={visible} window={w} />
          : <Canvas panel={panel} scene={scene} hovered={hovered} summary={summary} />}
        <Legend panel={panel} stacks={stacks} hidden={hidden} hovered={hovered} window={w} />
      </div>
    </Frame>
  );
}
