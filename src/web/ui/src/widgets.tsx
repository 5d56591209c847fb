/* Small parts that several views share. */
import { signal } from "@preact/signals";
import type { ComponentChildren, ComponentType, TargetedToggleEvent } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

/** A component whose code is fetched when it is first drawn. */
export function later<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  const loaded = signal<ComponentType<P> | undefined>(undefined);
  let asked = false;
  return function Later(props: P) {
    const C = loaded.value;
    if (!C && !asked) {
      asked = true;
      load().then((c) => (loaded.value = c), () => (asked = false));
    }
    return C ? <C {...props} /> : null;
  };
}

/* The Clipboard API wants a secure context; over plain http from another host a
 * selected text area still works. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "offscreen";
    (document.querySelector(":popover-open") ?? document.body).append(area);
    area.select();
    const ok = document.execCommand("copy");
    area.remove();
    return ok;
  }
}

export function Copy({ text, label = "Copy", id }: { text: string; label?: string; id?: string }) {
  const [said, say] = useState("");
  const click = async () => {
    say((await copyText(text)) ? "Copied" : "Select and copy by hand");
    setTimeout(() => say(""), 2000);
  };
  return (
    <button type="button" class="button small copy" id={id} onClick={() => void click()} data-copied={said === "Copied"}>
      <span aria-live="polite">{said || label}</span>
    </button>
  );
}

export function Code({ text, id }: { text: string; id?: string }) {
  return (
    <div class="code">
      <pre id={id} tabIndex={0}>{text}</pre>
      <Copy text={text} />
    </div>
  );
}

/* Below its button, or above when there is no room; never off the screen. */
function place(box: HTMLElement, button: HTMLElement, end: boolean): void {
  const b = button.getBoundingClientRect();
  const gap = 6;
  const w = box.offsetWidth;
  const h = box.offsetHeight;
  const left = end ? b.right - w : b.left;
  const below = b.bottom + gap;
  const top = below + h <= innerHeight - gap ? below : Math.max(gap, b.top - h - gap);
  box.style.left = `${Math.max(gap, Math.min(left, document.documentElement.clientWidth - w - gap))}px`;
  box.style.top = `${top}px`;
}

interface PopoverProps {
  label: ComponentChildren;
  title: string;
  class?: string;
  end?: boolean;
  shortcut?: string;
  children: (close: () => void) => ComponentChildren;
}

/** A button and what it opens. Contents are made only while it is open. */
export function Popover({ label, title, class: cls = "button", end = false, shortcut, children }: PopoverProps) {
  const id = useId();
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const close = () => box.current?.hidePopover();
  const toggled = (e: TargetedToggleEvent<HTMLDivElement>) => setOpen(e.newState === "open");
  /* Placed again whenever its contents change size. */
  useEffect(() => {
    if (!open || !box.current || !button.current)
      return;
    const [b, from] = [box.current, button.current];
    const watch = new ResizeObserver(() => {
      place(b, from, end);
      if (!b.contains(document.activeElement))
        b.querySelector<HTMLElement>("[data-focus]")?.focus();
    });
    watch.observe(b);
    return () => watch.disconnect();
  }, [open]);
  return (
    <>
      <button ref={button} type="button" class={cls} title={title} aria-label={typeof label === "string" ? undefined : title}
        aria-expanded={open} data-key={shortcut} {...{ popovertarget: id }}>
        {label}
      </button>
      <div ref={box} id={id} popover="auto" class="popover" role="dialog" aria-label={title} onToggle={toggled}>
        {open && children(close)}
      </div>
    </>
  );
}

/** Parts of a whole as one thin line. */
export function PartBar({ parts }: { parts: { colour: string; share: number; title: string }[] }) {
  const all = parts.reduce((sum, p) => sum + p.share, 0); /* growth factors below 1 would leave a gap */
  return (
    <div class="partbar" aria-hidden="true">
      {parts.filter((p) => p.share > 0).map((p) => (
        <span key={p.title} title={p.title} style={{ flexGrow: String((100 * p.share) / all), backgroundColor: `var(${p.colour})` }} />
      ))}
    </div>
  );
}

export function Swatch({ colour }: { colour: string }) {
  return <span class="swatch" style={{ backgroundColor: `var(${colour})` }} aria-hidden="true" />;
}

const ICONS: Record<string, string> = {
  info: "M8 7.2v4M8 4.8v.1M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0Z",
  left: "M10 3 5 8l5 5",
  right: "m6 3 5 5-5 5",
  out: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10Zm3.6-1.4L14 14M4.8 7h4.4",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2M11.8 11.8 13 13M13 3l-1.2 1.2M4.2 11.8 3 13",
  moon: "M13.4 9.6A5.8 5.8 0 0 1 6.4 2.6a5.8 5.8 0 1 0 7 7Z",
  auto: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0ZM8 2v12M8 4.5h4M8 7h5M8 9.5h5M8 12h3.5",
  clock: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0ZM8 4.5V8l2.4 1.6",
  plus: "M8 3v10M3 8h10",
  close: "m4 4 8 8M12 4l-8 8",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "m5 3 8 5-8 5Z",
  table: "M2.5 3.5h11v9h-11zM2.5 6.5h11M2.5 9.5h11M6.5 6.5v6",
  bars: "M3 13V8M6.5 13V4M10 13V9.5M13.5 13V6",
  warn: "M8 2.2 14.4 13.5H1.6ZM8 6.5v3.4M8 11.6v.1",
  reload: "M13.5 8A5.5 5.5 0 1 1 11.6 3.8M13.5 1.5v3.2h-3.2",
};

export function Icon({ name }: { name: keyof typeof ICONS }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={ICONS[name]} />
    </svg>
  );
}
