/* The time range: presets, typed bounds, one window back or forth, zoom out. */
import { now, refreshNow, view } from "./data";
import { range, setRange } from "./router";
import { pan, spanOf, titleOf, zoomOut } from "./time";
import { Icon, later, Popover } from "./widgets";

const Picker = later(() => import("./pickers").then((m) => m.Picker));

export function TimePicker() {
  const w = view.value;
  const step = (title: string, icon: "left" | "right" | "out", fn: () => void) => (
    <button type="button" class="iconbutton" title={title} aria-label={title} disabled={!w} onClick={fn}><Icon name={icon} /></button>
  );
  return (
    <div class="timepicker" role="group" aria-label="Time range">
      {step("One window earlier", "left", () => w && setRange(pan(w, -1)))}
      <Popover label={<><Icon name="clock" />{titleOf(range.value, now.value)}</>} title={w ? `${spanOf(w.start, w.end, now.value)} (t)` : "Time range (t)"} class="button range" end shortcut="t">
        {(close) => <Picker close={close} />}
      </Popover>
      {step("One window later", "right", () => w && setRange(pan(w, 1)))}
      {step("Zoom out", "out", () => w && setRange(zoomOut(w, Date.now())))}
      <button type="button" class="iconbutton" title="Refresh now" aria-label="Refresh now" onClick={refreshNow}><Icon name="reload" /></button>
    </div>
  );
}
