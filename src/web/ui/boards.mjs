/* Reads and checks dashboards/*.yml. A key that nothing reads is an error here,
 * not a panel that silently lacks something. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

const UNITS = ["usd", "count", "ratio", "ms", "seconds", "bytes"];

/* kind -> keys beyond those of every panel; a trailing ? marks one that may be absent. */
const COMMON = ["id", "title", "kind", "size?", "question", "read", "source", "queries", "empty?"];
const KINDS = {
  stat: ["unit", "note?", "value", "compare?", "parts?"],
  bars: ["unit", "series"],
  table: ["rows", "columns"],
  list: ["list"],
  events: [],
};

function fail(where, what) {
  throw new Error(`${where}: ${what}`);
}

function keys(where, object, allowed) {
  if (typeof object !== "object" || object === null || Array.isArray(object))
    fail(where, "is not a mapping");
  const names = allowed.map((k) => k.replace("?", ""));
  for (const k of Object.keys(object))
    names.includes(k) || fail(where, `unknown key "${k}"`);
  for (const k of allowed)
    k.endsWith("?") || k in object || fail(where, `"${k}" is missing`);
}

function oneOf(where, value, allowed) {
  allowed.includes(value) || fail(where, `"${value}" is none of ${allowed.join(", ")}`);
}

function checkQuery(where, q, sources) {
  keys(where, q, ["id", "lang", "at", "source", "expr", "limit?"]);
  oneOf(`${where} lang`, q.lang, ["promql", "logql"]);
  oneOf(`${where} at`, q.at, ["total", "steps", "lines"]);
  oneOf(`${where} source`, q.source, Object.keys(sources));
  q.expr.includes("$filter") || fail(where, "$filter is missing: the page's filters would not reach it");
  const needs = { total: "$range", steps: "$step" }[q.at];
  needs && !q.expr.includes(needs) && fail(where, `${needs} is missing`);
}

let known = {};
function items(where, list) {
  for (const i of list) {
    keys(where, i, ["is?", "name", "sign?", "source?"]);
    i.source && oneOf(`${where} source`, i.source, Object.keys(known));
  }
}

const CHECKS = {
  stat(where, p, query) {
    oneOf(`${where} unit`, p.unit, UNITS);
    keys(`${where} value`, p.value, ["query", "empty?", "label?"]);
    query(p.value.query);
    p.compare && oneOf(`${where} compare`, p.compare, ["less", "more", "neutral"]);
    if (p.parts) {
      keys(`${where} parts`, p.parts, ["query", "label?", "colours?", "click?", "plain?", "items"]);
      items(`${where} parts`, p.parts.items);
      query(p.parts.query);
    }
  },
  bars(where, p, query) {
    oneOf(`${where} unit`, p.unit, UNITS);
    keys(`${where} series`, p.series, ["query", "label", "colours", "click?", "items?"]);
    items(`${where} series`, p.series.items ?? []);
    query(p.series.query);
  },
  table(where, p, query) {
    keys(`${where} rows`, p.rows, ["label", "title", "click?", "sort"]);
    const ids = p.columns.map((c) => c.id);
    for (const c of p.columns) {
      const w = `${where} column ${c.id}`;
      keys(w, c, ["id", "title", "unit", "query?", "where?", "ratio?", "hidden?", "bar?", "bad?", "warn_below?", "total?"]);
      oneOf(`${w} unit`, c.unit, UNITS);
      c.ratio ? c.ratio.forEach((id) => oneOf(`${w} ratio`, id, ids)) : query(c.query);
    }
  },
  list(where, p, query) {
    keys(`${where} list`, p.list, ["label", "items", "of"]);
    for (const i of p.list.items) {
      keys(`${where} item`, i, ["is", "query", "name", "detail", "none?"]);
      query(i.query);
    }
    keys(`${where} of`, p.list.of, ["query", "items"]);
    items(`${where} of`, p.list.of.items);
    query(p.list.of.query);
  },
  events() {},
};

function checkPanel(where, p, sources) {
  oneOf(`${where} kind`, p.kind, Object.keys(KINDS));
  keys(where, p, [...COMMON, ...KINDS[p.kind]]);
  const ids = p.queries.map((q) => q.id);
  new Set(ids).size === ids.length || fail(where, "two queries have one id");
  p.queries.forEach((q) => checkQuery(`${where} query ${q.id}`, q, sources));
  CHECKS[p.kind](where, p, (id) => oneOf(`${where} query`, id, ids));
}

/* extends: one set of labels is another and more. */
function sourcesOf(raw) {
  const labels = (name) => [...(raw[name].extends ? labels(raw[name].extends) : []), ...raw[name].labels];
  return Object.fromEntries(Object.keys(raw).map((name) => [name, labels(name)]));
}

export function packBoards(dir) {
  const read = (name) => parse(readFileSync(join(dir, name), "utf8"));
  const shared = read("filters.yml");
  keys("filters.yml", shared, ["filters", "sources"]);
  shared.filters.forEach((f) => keys("filters.yml filter", f, ["label", "title", "short?"]));
  const sources = sourcesOf(shared.sources);
  const filters = shared.filters.map((f) => f.label);
  for (const [name, labels] of Object.entries(sources))
    labels.forEach((l) => oneOf(`filters.yml source ${name}`, l, filters));
  known = sources;
  const names = readdirSync(dir).filter((n) => n.endsWith(".yml") && n !== "filters.yml").sort();
  const boards = names.map((name) => {
    const b = read(name);
    keys(name, b, ["page", "title", "path", "panels"]);
    const ids = b.panels.map((p) => p.id);
    new Set(ids).size === ids.length || fail(name, "two panels have one id");
    b.panels.forEach((p) => checkPanel(`${name} panel ${p.id}`, p, sources));
    return b;
  });
  return { boards, filters: shared.filters, sources };
}
