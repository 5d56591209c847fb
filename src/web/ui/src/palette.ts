/* Colours for series. The eight hues are told apart under the common kinds of
 * colour blindness (they follow Okabe and Ito, tuned for the two grounds); their
 * values stand in styles.css as --hue-NAME and --hue-NAME-2, -3 (lighter,
 * darker), so a theme switch needs no redraw logic here.
 *
 * A model keeps its colour whatever else is on the page: the family gives the
 * hue, the version one of three shades, anything unknown a hue by its name. Only
 * when two models in one chart would fall together does the later one by name
 * take the next free shade. */
import { modelName } from "./format";

const FAMILIES: [RegExp, string][] = [
  [/opus/, "blue"],
  [/sonnet/, "amber"],
  [/haiku/, "teal"],
];
const OTHERS = ["pink", "red", "sky", "olive"];
const SHADES = ["", "-2", "-3"];

const FIXED: Record<string, Record<string, string>> = {
  token: { input: "red", output: "amber", cacheRead: "sky", cacheCreation: "blue" },
  source: { main: "blue", subagent: "sky", auxiliary: "grey" },
  active: { user: "amber", cli: "blue" },
  lines: { added: "teal", removed: "red" },
};

function hash(s: string): number {
  let h = 2166136261;
  for (let i = 0; i < s.length; i++)
    h = Math.imul(h ^ s.charCodeAt(i), 16777619) >>> 0;
  return h;
}

function wish(model: string): string {
  const name = modelName(model);
  const version = Number((/(\d+)(?:-(\d))?/.exec(name) ?? []).slice(1).map((x) => x ?? "0").join("") || 0);
  const hue = FAMILIES.find(([re]) => re.test(name))?.[1] ?? OTHERS[hash(name) % OTHERS.length]!;
  return hue + SHADES[(version + 2) % SHADES.length]!; /* so that x.5 has the plain hue */
}

/** CSS variable names for a set of values, stable per value. */
export function colours(kind: string, values: readonly string[]): Map<string, string> {
  const out = new Map<string, string>();
  const fixed = FIXED[kind];
  if (fixed) {
    for (const v of values)
      out.set(v, `--hue-${fixed[v] ?? "grey"}`);
    return out;
  }
  const taken = new Set<string>();
  for (const v of [...values].sort()) {
    let c = v === "" ? "grey" : wish(v);
    const hue = c.replace(/-\d$/, "");
    const free = [c, ...SHADES.map((s) => hue + s), ...OTHERS.flatMap((h) => SHADES.map((s) => h + s)), "grey", "grey-2", "grey-3"];
    c = free.find((x) => !taken.has(x)) ?? "grey";
    taken.add(c);
    out.set(v, `--hue-${c}`);
  }
  return out;
}
