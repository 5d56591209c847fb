/* All state that a link carries: path, time range, filters. The URL is the one
 * place where it lives; everything reads the signals made from it. */
import { computed, signal } from "@preact/signals";
import { filterDefs } from "./boards";
import type { Filter } from "./query";
import { DEFAULT_RANGE, type Range } from "./time";

const here = signal(location.pathname + location.search);

export const path = computed(() => new URL(here.value, location.origin).pathname);
const params = computed(() => new URL(here.value, location.origin).searchParams);

export const range = computed<Range>(() => ({
  from: params.value.get("from") ?? DEFAULT_RANGE.from,
  to: params.value.get("to") ?? DEFAULT_RANGE.to,
}));

/* ?model=a&model=b asks for either, ?model!=c leaves c out. */
export const filters = computed<Filter[]>(() => {
  const known = new Set(filterDefs.map((f) => f.label));
  const out: Filter[] = [];
  for (const [key, value] of params.value) {
    const not = key.endsWith("!");
    const label = not ? key.slice(0, -1) : key;
    if (known.has(label))
      out.push({ label, value, not });
  }
  return out;
});

addEventListener("popstate", () => {
  here.value = location.pathname + location.search;
});

export function go(to: string): void {
  if (to === here.value)
    return;
  history.pushState(null, "", to);
  here.value = to;
}

/* Readable: only what must be escaped in a query string is. */
function encode(s: string): string {
  return encodeURIComponent(s).replace(/%3A/g, ":").replace(/%2F/g, "/").replace(/%40/g, "@").replace(/%20/g, "+");
}

export function linkOf(toPath: string, r: Range, fs: readonly Filter[]): string {
  const parts: string[] = [];
  if (r.from !== DEFAULT_RANGE.from || r.to !== DEFAULT_RANGE.to)
    parts.push(`from=${encode(r.from)}`, `to=${encode(r.to)}`);
  for (const f of fs)
    parts.push(`${f.label}${f.not ? "!" : ""}=${encode(f.value)}`);
  return toPath + (parts.length ? `?${parts.join("&")}` : "");
}

export const setRange = (r: Range) => go(linkOf(path.value, r, filters.value));
export const setFilters = (fs: Filter[]) => go(linkOf(path.value, range.value, fs));

const same = (a: Filter, b: Filter) => a.label === b.label && a.value === b.value;

/** Only this value of its label, or all but this one. */
export function addFilter(label: string, value: string, not = false): void {
  const f = { label, value, not };
  const rest = filters.value.filter((x) => !same(x, f) && (not || x.not || x.label !== label));
  setFilters([...rest, f]);
}

export function removeFilter(f: Filter): void {
  setFilters(filters.value.filter((x) => !(same(x, f) && x.not === f.not)));
}

export function isFiltered(label: string, value: string): boolean {
  return filters.value.some((f) => !f.not && f.label === label && f.value === value);
}

/** Clicks on links inside the page; others are the browser's. */
export function onLink(e: MouseEvent): void {
  if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey)
    return;
  const a = (e.target as Element).closest("a");
  if (!a || a.target || a.origin !== location.origin || a.hasAttribute("download"))
    return;
  e.preventDefault();
  go(a.pathname + a.search);
}
