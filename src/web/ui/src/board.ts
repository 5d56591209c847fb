/* The shape of dashboards/*.yml, which build.mjs checks and packs as the module
 * "boards". dashboards/README.md explains the keys. */

export type Unit = "usd" | "count" | "ratio" | "ms" | "seconds" | "bytes";

export interface Query {
  id: string;
  lang: "promql" | "logql";
  /** total: one figure for the window. steps: one per bucket. lines: log records. */
  at: "total" | "steps" | "lines";
  source: string;
  expr: string;
  limit?: number;
}

/** One known value of a label: how it is called, in which order it stands. */
export interface Item {
  is?: string;
  name: string;
  sign?: string;
  /** Its events carry less than the query's source says. */
  source?: string;
}

export interface Parts {
  query: string;
  label?: string;
  colours?: string;
  click?: string;
  plain?: boolean;
  items: Item[];
}

export interface Series {
  query: string;
  label: string;
  colours: string;
  click?: string;
  items?: Item[];
}

export interface Column {
  id: string;
  title: string;
  unit: Unit;
  query?: string;
  where?: Record<string, string>;
  /** Two columns of this table: the first divided by the second. */
  ratio?: [string, string];
  hidden?: boolean;
  bar?: boolean;
  bad?: boolean;
  warn_below?: number;
  total?: "none" | boolean;
}

export interface ListItem {
  is: string;
  query: string;
  name: string;
  detail: string[];
  none?: Record<string, string>;
}

interface Common {
  id: string;
  title: string;
  size?: "half" | "full";
  question: string;
  read: string;
  source: string;
  queries: Query[];
  empty?: string;
}

export interface StatPanel extends Common {
  kind: "stat";
  unit: Unit;
  note?: string;
  value: { query: string; empty?: string; label?: string };
  compare?: "less" | "more" | "neutral";
  parts?: Parts;
}

export interface BarsPanel extends Common {
  kind: "bars";
  unit: Unit;
  series: Series;
}

export interface TablePanel extends Common {
  kind: "table";
  rows: { label: string; title: string; click?: string; sort: string };
  columns: Column[];
}

export interface ListPanel extends Common {
  kind: "list";
  list: { label: string; items: ListItem[]; of: { query: string; items: Item[] } };
}

export interface EventsPanel extends Common {
  kind: "events";
}

export type Panel = StatPanel | BarsPanel | TablePanel | ListPanel | EventsPanel;

export interface Board {
  page: string;
  title: string;
  path: string;
  panels: Panel[];
}

export interface FilterDef {
  label: string;
  title: string;
  short?: number;
}

export interface Boards {
  boards: Board[];
  filters: FilterDef[];
  sources: Record<string, string[]>;
}
