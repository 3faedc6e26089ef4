import { number, points } from "./format.js";

const LEVELS = ["Calm", "Fierce", "Furious"];

/** A kind to choose from: what it gives, how long it takes, and for a range of points the difficulty that sets them. */
export function kindCard(kind, onPlay) {
  const card = document.getElementById("kind").content.firstElementChild.cloneNode(true);
  const part = (name) => card.querySelector(`.${name}`);
  const shape = kind.pointsRange ? "fight" : kind.minDurationSeconds > 0 ? "stars" : "press";
  const label = kind.kind[0].toUpperCase() + kind.kind.slice(1);
  card.dataset.kind = kind.kind;
  part("kind-name").textContent = label;
  part("kind-points").textContent = pointsText(kind);
  part("kind-about").textContent = aboutText(kind, shape);
  part("icon").firstElementChild.setAttribute("href", `#icon-${shape}`);

  const play = part("play");
  play.dataset.testid = `play-${kind.kind}`;
  play.setAttribute("aria-label", `Play ${label}`);

  const levels = part("levels");
  const samples = kind.pointsRange ? samplePoints(kind) : [];
  levels.hidden = samples.length < 2;
  for (const [index, sample] of samples.entries()) {
    const level = document.getElementById("level").content.firstElementChild.cloneNode(true);
    const input = level.querySelector("input");
    input.name = `level-${kind.kind}`;
    input.value = sample;
    input.checked = index === 0;
    level.querySelector(".level-name").textContent = LEVELS[index];
    level.querySelector(".level-points").textContent = number(sample);
    levels.append(level);
  }
  play.addEventListener("click", () => {
    onPlay(kind.pointsRange ? Number(levels.querySelector("input:checked").value) : null);
  });
  return card;
}

/** Which difficulty, 0–2, these points were chosen by. */
export function levelOf(kind, chosen) {
  return Math.max(samplePoints(kind).indexOf(chosen), 0);
}

function samplePoints({ pointsRange: [least, most] }) {
  return [...new Set([least, Math.round((least + most) / 2), most])];
}

function pointsText({ points: fixed, pointsRange }) {
  return pointsRange ? `${number(pointsRange[0])}–${points(pointsRange[1])}` : points(fixed);
}

function aboutText({ minDurationSeconds, perDay }, shape) {
  const what = { press: "Press once.", stars: "Catch five stars that will not sit still.", fight: "Time your strikes." }[shape];
  const takes = minDurationSeconds > 0 ? ` Takes ${number(minDurationSeconds)}\u00a0s or more.` : "";
  return `${what}${takes}${perDay ? ` ${number(perDay)} a\u00a0day.` : ""}`;
}
