/* Dark, light, or as the system has it. ?theme= in the URL wins, for links and tests. */
import { effect, signal } from "@preact/signals";

export type Choice = "auto" | "dark" | "light";

const KEY = "ccmon.theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const valid = (s: string | null): Choice | undefined => (s === "dark" || s === "light" || s === "auto" ? s : undefined);

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; /* storage may be forbidden */
  }
}

export const choice = signal<Choice>(valid(new URLSearchParams(location.search).get("theme")) ?? valid(stored()) ?? "auto");
export const theme = signal<"dark" | "light">("light");

const apply = () => {
  theme.value = choice.value === "auto" ? (system.matches ? "dark" : "light") : choice.value;
};

effect(() => {
  apply();
  document.documentElement.dataset["theme"] = theme.value;
});
system.addEventListener("change", apply);

const NEXT: Record<Choice, Choice> = { auto: "light", light: "dark", dark: "auto" };

export function nextTheme(): void {
  choice.value = NEXT[choice.value];
  try {
    localStorage.setItem(KEY, choice.value);
  } catch {
    /* it lasts as long as the page, then */
  }
}
