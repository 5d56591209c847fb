/* Who sends, who is scraped, who was refused, and how this server is reached. */
import { useEffect } from "preact/hooks";
import { signal } from "@preact/signals";
import { getJson, msOf, type Listener, type RefusedSender, type ScrapeTarget, type ScrapeTargets, type Status } from "../api";
import { now, status } from "../data";
import { text } from "../format";
import { agoOf, longDuration } from "../time";
import { Code, Icon } from "../widgets";

const REFRESH_MS = 2000;
const WIDE = { minWidth: "13em" };   /* texts, in tables that scroll sideways on a phone */

const targets = signal<ScrapeTargets | undefined>(undefined);
const targetsError = signal<string | undefined>(undefined);

const fetchTargets = () => getJson<ScrapeTargets>("/api/ccmon/targets").then(
  (t) => { targets.value = t; targetsError.value = undefined; },
  (e: unknown) => { targetsError.value = String(e instanceof Error ? e.message : e); },
);

const ago = (ns: string) => ns === "0" ? "never" : agoOf(now.value - msOf(ns));

/* ---- scraping ---- */

const STATES: Record<string, string> = { up: "up", down: "down", unknown: "not scraped yet", empty: "nobody there" };

function Target({ t }: { t: ScrapeTarget }) {
  return (
    <tr>
      <th scope="row">{t.instance}<div class="muted">{t.job}</div></th>
      <td class={t.state === "down" ? "bad" : ""}>{STATES[t.state] ?? t.state}{t.claude_code && <div class="muted">Claude Code</div>}</td>
      <td>{ago(t.last_good_ns)}<div class="muted">every {text(t.interval_seconds, "seconds")}</div></td>
      <td class="num">{text(t.samples, "count")}</td>
      <td>{t.sessions.map((s) => <div key={s}><code>{s.slice(0, 8)}</code></div>)}</td>
      <td>{t.owner ? `${t.owner.name} (${t.owner.pid})` : ""}</td>
      <td style={WIDE}>{t.error && <div class="bad">{t.error}</div>}{t.cure && <div>{t.cure}</div>}</td>
    </tr>
  );
}

function Scraping() {
  const all = targets.value;
  if (!all)
    return <section class="panel text"><h2>Scraping</h2><p class="muted">{targetsError.value ?? "Asking the server."}</p></section>;
  const names = ["Target", "State", "Last good", "Samples", "Sessions", "Process", ""];
  return (
    <section class="panel text" id="scraping">
      <h2>Scraping</h2>
      {all.targets.length > 0 && (
        <div class="scroll"><table class="grid">
          <thead><tr>{names.map((n) => <th key={n} scope="col" class={n === "Samples" ? "num" : ""}>{n}</th>)}</tr></thead>
          <tbody>{all.targets.map((t) => <Target key={t.url} t={t} />)}</tbody>
        </table></div>
      )}
      {all.watched_ports > 0 && <p class="muted">{text(all.watched_ports, "count")} ports of this machine, from 9464 up, are looked at for a Claude Code that serves its metrics.</p>}
      <h3>What scraping cannot see</h3>
      <ul>{all.blind.map((b) => <li key={b}>{b}</li>)}</ul>
      <p>One line mends it:</p>
      <Code text={all.mend} id="targets-mend" />
    </section>
  );
}

/* ---- refused senders ---- */

function Refused({ list }: { list: readonly RefusedSender[] }) {
  if (list.length === 0)
    return <section class="panel text" id="refused"><h2>Refused senders</h2><p class="muted">Nobody was refused since the server was started.</p></section>;
  return (
    <section class="panel text" id="refused">
      <h2>Refused senders</h2>
      <p>Claude Code drops what is refused for good, and says nothing. What these sent is lost until their settings are mended.</p>
      <div class="scroll"><table class="grid">
        <thead><tr><th scope="col">From</th><th scope="col">At</th><th scope="col">Answer</th><th scope="col">Credential</th><th scope="col" class="num">Times</th><th scope="col">Last</th><th scope="col">Program</th></tr></thead>
        <tbody>{list.map((r) => (
          <tr key={`${r.peer} ${r.listener} ${r.status} ${r.token} ${r.agent}`}>
            <th scope="row">{r.peer}</th>
            <td>{r.listener}<div class="muted">{r.path}</div></td>
            <td style={WIDE}><span class="bad">{r.status}</span> {r.why}</td>
            <td>{r.token || "none"}</td>
            <td class="num">{text(r.count, "count")}</td>
            <td>{ago(r.last_ns)}</td>
            <td style={WIDE}>{r.agent}</td>
          </tr>
        ))}</tbody>
      </table></div>
    </section>
  );
}

/* ---- this server ---- */

function guards(l: Listener): string {
  const asks = [l.tokens && "a token", l.users && "a user", l.client_certs && "a client certificate"].filter(Boolean);
  return [l.tls ? "TLS" : "plain", asks.length ? `asks for ${asks.join(" or ")}` : l.open ? "open to everybody who reaches it" : "this machine only"].join(", ");
}

function Server({ s }: { s: Status }) {
  const retention = Number(s.retention_ns) / 1e6;
  return (
    <section class="panel text" id="server">
      <h2>This server</h2>
      <div class="scroll"><table class="grid">
        <thead><tr><th scope="col">Listener</th><th scope="col">Address</th><th scope="col">State</th><th scope="col">Who may</th></tr></thead>
        <tbody>{s.listeners.map((l) => (
          <tr key={l.name}><th scope="row">{l.name}</th><td>{l.addr}</td><td class={l.problem ? "bad" : ""}>{l.problem || "listening"}</td><td style={WIDE}>{l.problem ? "" : guards(l)}</td></tr>
        ))}</tbody>
      </table></div>
      <dl class="facts">
        <div><dt>Version</dt><dd>{s.version}, up {agoOf(now.value - msOf(s.start_ns)).replace(" ago", "")}</dd></div>
        <div><dt>Data</dt><dd><code>{s.data_dir}</code></dd></div>
        <div><dt>On disk</dt><dd>{text(s.disk_bytes + s.log_bytes, "bytes")}, kept {retention > 0 ? `for ${longDuration(retention)}` : "forever"}</dd></div>
        <div><dt>Rows</dt><dd>{text(s.rows.samples, "count")} samples, {text(s.rows.logs, "count")} events, {text(s.rows.spans, "count")} spans</dd></div>
        <div><dt>Resends dropped</dt><dd>{text(s.duplicates, "count")} rows since the start</dd></div>
        <div><dt>Last packet</dt><dd>{ago(s.last_recv_ns)}</dd></div>
      </dl>
      <p class="muted small-print"><Icon name="info" /> <code>ccmon doctor</code> tries each way in from outside and says what is wrong.</p>
    </section>
  );
}

export function Targets() {
  useEffect(() => {
    void fetchTargets();
    const timer = setInterval(() => { if (!document.hidden) void fetchTargets(); }, REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  const s = status.value;
  return (
    <div class="setup">
      <h1 class="offscreen">Targets</h1>
      {s && <Refused list={s.refused_senders} />}
      <Scraping />
      {s && <Server s={s} />}
    </div>
  );
}
