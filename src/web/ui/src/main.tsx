/* Begins everything. */
import { render } from "preact";
import { effect } from "@preact/signals";
import { App, boardOf } from "./app";
import { start } from "./data";
import { startLive } from "./live";
import { onLink, path } from "./router";

/* One letter presses the button that names it in data-key, unless one is typing. */
function onKey(e: KeyboardEvent): void {
  const t = e.target as HTMLElement;
  if (e.ctrlKey || e.metaKey || e.altKey || t.matches("input, textarea, select, [contenteditable]"))
    return;
  const button = document.querySelector<HTMLButtonElement>(`button[data-key="${CSS.escape(e.key)}"]`);
  if (button) {
    e.preventDefault();
    button.click();
  }
}

document.addEventListener("click", onLink);
document.addEventListener("keydown", onKey);
effect(() => {
  document.title = `${boardOf()?.title ?? (path.value === "/setup" ? "Setup" : "Not found")} \u00b7 ccmon`;
});
startLive();
start(boardOf);
render(<App />, document.getElementById("app")!);
