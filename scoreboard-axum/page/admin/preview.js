import { number } from "../format.js";
import { el, table } from "./dom.js";

/** What a decision would change: how much in all, whose scores and ranks, and the top of each board before and after. */
export function previewOf({ wouldBe, shifted, boards, shifts }, people) {
  for (const { top, topAfter } of boards) {
    for (const { userId, displayName } of [...top, ...topAfter]) if (displayName) people.learn({ [userId]: displayName });
  }
  const { changed } = wouldBe;
  const parts = [];
  if (wouldBe.actions) parts.push(`${number(changed)} of ${number(wouldBe.actions.length)} ${wouldBe.actions.length === 1 ? "action" : "actions"} would count otherwise`);
  parts.push(shifted === 0 ? "nobody’s place would change as others see it" : shifted === 1 ? "one user’s place would change" : `${number(shifted)} users’ places would change`);
  return el(
    "div",
    { class: "preview", "data-testid": "previewed", "data-changed": changed, "data-shifted": shifted },
    el("p", { class: "sum" }, `${parts.join("; ")}.`),
    shifts.length ? shiftTable(shifts, people, boards.length > 1) : null,
    shifted > shifts.length ? el("p", { class: "soft" }, `And ${number(shifted - shifts.length)} more.`) : null,
    boards.map((board) => boardPreview(board, people)),
  );
}

const orNone = (value) => (value === null ? "–" : number(value));

function change(before, after) {
  const same = before === after;
  return el("span", { class: same ? null : "change" }, orNone(before), same ? null : [el("span", { class: "soft" }, " → "), el("strong", {}, orNone(after))]);
}

function shiftTable(shifts, people, many) {
  const columns = [["User"], ...(many ? [["Board"]] : []), ["Score", "number"], ["Rank", "number"]];
  const rows = shifts.map((shift) => ({
    "data-testid": "shift",
    "data-user-id": shift.userId,
    "data-score": shift.score,
    "data-score-after": shift.scoreAfter ?? "",
    "data-rank": shift.rank,
    "data-rank-after": shift.rankAfter ?? "",
    cells: [el("bdi", {}, people.name(shift.userId)), ...(many ? [shift.board] : []), change(shift.score, shift.scoreAfter), change(shift.rank, shift.rankAfter)],
  }));
  return table("Whose place would change", columns, rows);
}

function boardPreview({ board, total, totalAfter, top, topAfter }, people) {
  const stood = new Map(top.map(({ userId, rank }) => [userId, rank]));
  const length = Math.max(top.length, topAfter.length);
  const cell = (entry) => (entry ? [el("bdi", {}, people.name(entry.userId)), el("span", { class: "mono soft" }, ` ${number(entry.score)}`)] : "–");
  const rows = Array.from({ length }, (_, place) => {
    const [before, after] = [top[place], topAfter[place]];
    const isSame = before && after && before.userId === after.userId && before.score === after.score;
    const from = after && stood.get(after.userId);
    const moved = !after || isSame ? "" : from === undefined ? "new here" : from === after.rank ? "" : `from ${number(from)}`;
    return { class: isSame ? "same" : null, "data-testid": "top-after", "data-user-id": after?.userId ?? "", "data-score": after?.score ?? "", cells: [number(place + 1), cell(before), cell(after), moved] };
  });
  return el(
    "details",
    { open: true, "data-testid": "board-preview", "data-board": board, "data-total-after": totalAfter },
    el("summary", {}, `The top of ${board}; `, change(total, totalAfter), total === 1 ? " user" : " users", " in all"),
    table(`The top of ${board} now and then`, [["", "number"], ["Now"], ["Then"], ["Moved"]], rows),
  );
}
