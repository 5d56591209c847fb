/* The frame of every page: navigation, time range, filters, what is wrong. */
import { boards } from "./boards";
import { msOf } from "./api";
import { now, shownSeq, status, statusError } from "./data";
import { FilterBar } from "./filterbar";
import { link } from "./live";
import { filters, linkOf, path, range } from "./router";
import { choice, nextTheme } from "./theme";
import { agoOf } from "./time";
import { TimePicker } from "./timepicker";
import { Icon, later } from "./widgets";

const SETUP = "/setup";
const TARGETS = "/targets";

/* Views come in files of their own, fetched when they are first shown. */
const Board = later(() => import("./views/board").then((m) => m.Board));
const Setup = later(() => import("./views/setup").then((m) => m.Setup));
const Targets = later(() => import("./views/targets").then((m) => m.Targets));

export const boardOf = () => boards.find((b) => b.path === path.value);

function Nav() {
  const pages = [...boards.map((b) => ({ path: b.path, title: b.title })), { path: TARGETS, title: "Targets" }, { path: SETUP, title: "Setup" }];
  return (
    <nav aria-label="Pages">
      {pages.map((p) => <a key={p.path} href={linkOf(p.path, range.value, filters.value)} aria-current={path.value === p.path ? "page" : undefined}>{p.title}</a>)}
    </nav>
  );
}

function LiveLight() {
  const s = status.value;
  const last = s && !s.empty ? agoOf(now.value - msOf(s.last_recv_ns)) : "";
  const words = { open: s?.empty ? "waiting" : "live", connecting: "connecting", lost: "reconnecting" }[link.value];
  return (
    <span class={`livelight ${link.value} ${s?.empty ? "waiting" : ""}`} title={last ? `Last packet ${last}. The page follows by itself.` : "Nothing has arrived yet."}>
      <span class="lamp" aria-hidden="true" />{words}<span class="muted last">{last && ` \u00b7 ${last}`}</span>
    </span>
  );
}

const THEME_ICON = { auto: "auto", dark: "moon", light: "sun" } as const;

function Banners() {
  const s = status.value;
  const lines: { key: string; tone: string; text: string }[] = [];
  if (statusError.value)
    lines.push({ key: "status", tone: "bad", text: statusError.value });
  if (s?.open)
    lines.push({ key: "open", tone: "warn", text: "Anyone who reaches this address can read and write everything here." });
  if (s?.demo)
    lines.push({ key: "demo", tone: "warn", text: "A demo: everything here is made up." });
  const lost = s?.refused_senders.find((r) => r.otlp);
  if (lost)
    lines.push({ key: "refused", tone: "bad", text: `${lost.peer} was refused (${lost.why}). What it sent is lost, see Targets.` });
  if (s?.read_only)
    lines.push({ key: "full", tone: "bad", text: `Nothing new is stored: ${s.reason}. Senders are told to try again; what is stored can be read.` });
  for (const l of s?.listeners ?? []) {
    if (l.problem)
      lines.push({ key: l.name, tone: "warn", text: `${l.name} (${l.addr}): ${l.problem}` });
  }
  return <>{lines.map((l) => <div key={l.key} class={`banner ${l.tone}`} role="alert"><Icon name="warn" /><span>{l.text}</span></div>)}</>;
}

function Page() {
  if (path.value === SETUP)
    return <Setup />;
  if (path.value === TARGETS)
    return <Targets />;
  const board = boardOf();
  const s = status.value;
  if (board && s)
    return s.empty ? <Setup first /> : <Board board={board} status={s} />;
  if (board)
    return null;
  return <div class="notice"><span>There is no page {path.value}.</span><a class="button small" href="/">Overview</a></div>;
}

export function App() {
  const isBoard = boardOf() !== undefined && status.value?.empty === false;
  return (
    <>
      <a class="skip" href="#main">Skip to the figures</a>
      <header class="top">
        <a class="brand" href={linkOf("/", range.value, filters.value)} aria-label="ccmon, overview">
          <svg viewBox="0 0 16 16" width="18" height="18" aria-hidden="true"><path d="M2 13V9M6 13V4M10 13V7M14 13V2" /></svg>ccmon
        </a>
        <Nav />
        <span class="grow" />
        <LiveLight />
        {isBoard && <TimePicker />}
        <button type="button" class="iconbutton" title={`Theme: ${choice.value === "auto" ? "as the system" : choice.value}`} aria-label={`Theme: ${choice.value}. Change it`} onClick={nextTheme} id="theme">
          <Icon name={THEME_ICON[choice.value]} />
        </button>
      </header>
      <Banners />
      {isBoard && <FilterBar />}
      <main id="main" tabIndex={-1} data-seq={shownSeq.value}><Page /></main>
    </>
  );
}
