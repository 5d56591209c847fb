/* The panels, filters and sources of dashboards/*.yml (see board.ts). */
import packed from "boards";
import type { Boards } from "./board";

export const { boards, filters: filterDefs, sources } = packed as Boards;
