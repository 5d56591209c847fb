/* How to make Claude Code send here, and whether it does. Shown in place of every
 * board while the store is empty, and under /setup at any time. */
import { useSignal } from "@preact/signals";
import { msOf, type Listener, type Status } from "../api";
import { now, status } from "../data";
import { link } from "../live";
import { agoOf } from "../time";
import { Code, Icon } from "../widgets";

interface Extra {
  id: string;
  title: string;
  why: string;
  env: [string, string][];
}

const EXTRAS: Extra[] = [
  { id: "traces", title: "Traces (beta)", why: "Time to first token, waiting for permission, what ran inside what.", env: [["CLAUDE_CODE_ENHANCED_TELEMETRY_BETA", "1"], ["OTEL_TRACES_EXPORTER", "otlp"]] },
  { id: "repo", title: "Repository", why: "Cost by repository, from the origin remote.", env: [["OTEL_METRICS_INCLUDE_REPOSITORY", "true"]] },
  { id: "version", title: "Client version and entry point", why: "Compare versions; tell scripts from people.", env: [["OTEL_METRICS_INCLUDE_VERSION", "true"], ["OTEL_METRICS_INCLUDE_ENTRYPOINT", "true"]] },
  { id: "details", title: "Tool details", why: "Commands, file paths, names of your own skills, agents and MCP servers.", env: [["OTEL_LOG_TOOL_DETAILS", "1"]] },
  { id: "prompts", title: "Prompt text", why: "What was asked. It is stored on this machine, readable by whoever may open this page.", env: [["OTEL_LOG_USER_PROMPTS", "1"]] },
  { id: "quick", title: "Send every 5 seconds", why: "Metrics instead of once a minute; good for trying it out.", env: [["OTEL_METRIC_EXPORT_INTERVAL", "5000"]] },
];

/* The listener's port at the name this page was opened under. Its own listener may
 * be missing (port taken); this page's port takes OTLP as well. */
export function endpointOf(listeners: readonly Listener[], page: { protocol: string; hostname: string; origin: string }): string {
  const otlp = listening(listeners, "otlp-http");
  return otlp ? `http${otlp.tls ? "s" : ""}://${page.hostname}:${portOf(otlp)}` : page.origin;
}

const listening = (listeners: readonly Listener[], name: string) =>
  listeners.find((l) => l.name === name && l.problem === "" && /:\d+$/.test(l.addr));
const portOf = (l: Listener) => l.addr.slice(l.addr.lastIndexOf(":") + 1);

/* What the listener asks for, with a place to fill in. */
function guardsOf(l: Listener | undefined): [string, string][] {
  const out: [string, string][] = [];
  if (l?.tokens)
    out.push(["OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer TOKEN"]);
  if (l?.tls)
    out.push(["NODE_EXTRA_CA_CERTS", "/path/to/ca.pem"]);
  if (l?.client_certs)
    out.push(["CLAUDE_CODE_CLIENT_CERT", "/path/to/client.pem"], ["CLAUDE_CODE_CLIENT_KEY", "/path/to/client.key"]);
  return out;
}

function envOf(endpoint: string, guards: [string, string][], extras: ReadonlySet<string>): [string, string][] {
  return [
    ["CLAUDE_CODE_ENABLE_TELEMETRY", "1"],
    ["OTEL_METRICS_EXPORTER", "otlp"],
    ["OTEL_LOGS_EXPORTER", "otlp"],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", endpoint],
    ...guards,
    ...EXTRAS.filter((e) => extras.has(e.id)).flatMap((e) => e.env),
  ];
}

const shell = (env: [string, string][]) => env.map(([k, v]) => `export ${k}=${/ /.test(v) ? `"${v}"` : v}`).join("\n");
const settings = (env: [string, string][]) => JSON.stringify({ env: Object.fromEntries(env) }, null, 2);

function Waiting({ s, endpoint }: { s: Status; endpoint: string }) {
  if (!s.empty) {
    return (
      <div class="light on" role="status"><span class="lamp" aria-hidden="true" />
        <div><b>Data is arriving.</b> Last packet {agoOf(now.value - msOf(s.last_recv_ns))}.</div>
      </div>
    );
  }
  const waiting = link.value === "open";
  return (
    <div class={`light ${waiting ? "waiting" : "off"}`} role="status"><span class="lamp" aria-hidden="true" />
      <div>{waiting ? <><b>Waiting for the first packet</b> on <code>{endpoint}</code>. This page turns into data by itself.</> : <><b>No connection to ccmon.</b> Trying again.</>}</div>
    </div>
  );
}

function Extras({ chosen, toggle }: { chosen: ReadonlySet<string>; toggle: (id: string) => void }) {
  return (
    <fieldset class="extras">
      <legend>Also send</legend>
      {EXTRAS.map((e) => (
        <label key={e.id}>
          <input type="checkbox" checked={chosen.has(e.id)} onChange={() => toggle(e.id)} data-extra={e.id} />
          <span><b>{e.title}</b> <span class="muted">{e.why}</span></span>
        </label>
      ))}
    </fieldset>
  );
}

function Traps({ endpoint, grpc }: { endpoint: string; grpc: Listener | undefined }) {
  const port = endpoint.slice(endpoint.lastIndexOf(":") + 1);
  return (
    <section class="panel text">
      <h2>If nothing arrives</h2>
      <ul>
        <li><b>Wait for the interval, or for the end.</b> Metrics are sent every 60 s and events every 5 s; a short <code>claude -p</code> run sends everything once, when it ends. A killed run sends nothing more.</li>
        <li><b>Restart Claude Code.</b> The variables are read at its start. In a terminal they hold for that terminal only; in <code>settings.json</code> for all sessions.</li>
        <li><b>Use port {port} for http/protobuf and http/json,</b> {grpc ? portOf(grpc) : "the same"} for <code>OTEL_EXPORTER_OTLP_PROTOCOL=grpc</code>. Either takes both.</li>
        <li><b>Refused senders are not told.</b> <a class="link" href="/targets">Targets</a> names them; <code>ccmon doctor</code> finds what is wrong, also in your settings.</li>
        <li><b>Per-signal endpoints are taken verbatim.</b> <code>OTEL_EXPORTER_OTLP_METRICS_ENDPOINT</code> needs the whole path, <code>{endpoint}/v1/metrics</code>; the general one gets it added.</li>
        <li><b>Exporter variables in a repository's own <code>.claude/settings.json</code> are ignored,</b> and managed settings win over yours.</li>
        <li><b>Errors are silent</b> unless <code>CLAUDE_CODE_OTEL_DIAG_STDERR=1</code> is set.</li>
      </ul>
      <p>To test the way here without Claude Code (the answer is <code>{"{}"}</code>, and nothing is stored):</p>
      <Code text={`curl -sS -H 'Content-Type: application/json' -d '{}' ${endpoint}/v1/logs`} />
    </section>
  );
}

export function Setup({ first = false }: { first?: boolean }) {
  const s = status.value;
  const extras = useSignal<ReadonlySet<string>>(new Set());
  if (!s)
    return null;
  const endpoint = endpointOf(s.listeners, location);
  const env = envOf(endpoint, guardsOf(listening(s.listeners, "otlp-http")), extras.value);
  const toggle = (id: string) => {
    const next = new Set(extras.value);
    if (!next.delete(id))
      next.add(id);
    extras.value = next;
  };
  return (
    <div class="setup">
      <section class="panel text lead">
        <h1>{first ? "Point Claude Code here" : "Setup"}</h1>
        <Waiting s={s} endpoint={endpoint} />
        <div class="ways">
          <div>
            <h2>For this terminal</h2>
            <p class="muted">Paste, then start <code>claude</code>. For every terminal put it in <code>~/.bashrc</code> or <code>~/.zshrc</code>.</p>
            <Code text={shell(env)} id="setup-shell" />
          </div>
          <div>
            <h2>For every session</h2>
            <p class="muted">Merge into <code>~/.claude/settings.json</code>.</p>
            <Code text={settings(env)} id="setup-settings" />
          </div>
        </div>
        <Extras chosen={extras.value} toggle={toggle} />
        <p class="muted small-print"><Icon name="info" /> Data stays in <code>{s.data_dir}</code> on the machine that runs ccmon. Nothing is sent on.</p>
      </section>
      <Traps endpoint={endpoint} grpc={listening(s.listeners, "otlp-grpc")} />
    </div>
  );
}
