// The transcript on the right: one row of the table, one item; a newer revision of a row replaces it.

import { clock, make } from "./console_dom.js";

const SAID = {
  received: "waiting for the bot",
  in_hand: "the bot is at it",
  queued: "queued",
  sending: "sending…",
  sent: "sent",
  unknown: "not known whether it arrived",
  note: "note: seen by operators only",
};
const CHOICES = { resend: "Send again", drop: "Drop", replay: "Give to the bot again" };
const WRONG = { failed: "failed", dead: "given up" };
const WHO = { visitor: "Visitor", bot: "Bot", operator: "Operator", system: "Notice" };

/** The rows of one conversation, whether it is on screen or not. `mend(choice, frame)` is what somebody chose to do about
 * a row that did not arrive. */
export class Transcript {
  #nodes = new Map();
  #mend;
  rev = 0;
  seen = 0;

  constructor(mend) {
    this.#mend = mend;
    this.items = [];
  }

  /** Takes a message frame in; true if it is news. */
  add(frame) {
    this.rev = Math.max(this.rev, frame.rev);
    this.seen = Math.max(this.seen, frame.seq ?? 0);
    const known = this.#nodes.get(frame.row);
    if (known && known.frame.rev >= frame.rev) return false;
    const node = known ?? make("li");
    node.frame = frame;
    this.#nodes.set(frame.row, node);
    draw(node, frame, this.#mend);
    if (!known) this.#insert(node);
    return true;
  }

  #insert(node) {
    let at = this.items.length;
    while (at && this.items[at - 1].frame.row > node.frame.row) at--;
    this.items.splice(at, 0, node);
    if (at + 1 < this.items.length && this.items[at + 1].isConnected) this.items[at + 1].before(node);
    else this.items[at - 1]?.isConnected && this.items[at - 1].after(node);
  }
}

function draw(node, frame, mend) {
  const focused = node.contains(document.activeElement);
  const quiet = !frame.seq || frame.status === "note";
  node.className = `${frame.from} ${frame.status} ${quiet ? "quiet" : ""}`;
  node.dataset.row = frame.row;
  node.replaceChildren(
    make("p", { class: "by" },
      make("span", { class: "name", dir: "auto" }, frame.name || WHO[frame.from] || frame.from),
      make("time", { datetime: frame.at }, clock(frame.at))),
    make("div", { class: "words", dir: "auto" }, frame.text || "(no words)"),
    ...buttons(frame.buttons),
    ...said(frame),
    ...choices(frame, mend),
  );
  // The button that was pressed is gone: whoever works by keyboard stays where they are.
  if (focused) node.closest("ol")?.focus();
}

function choices(frame, mend) {
  if (!frame.choices?.length) return [];
  const buttons = frame.choices.map((choice) => {
    const button = make("button", { type: "button", "data-choice": choice }, CHOICES[choice] ?? choice);
    button.addEventListener("click", () => mend(choice, frame));
    return button;
  });
  return [make("p", { class: "choices" }, ...buttons)];
}

function buttons(rows) {
  if (!rows?.length) return [];
  const names = rows.flat().map((button) => make("span", { class: "offered", dir: "auto" }, button.text));
  return [make("p", { class: "buttons", "aria-label": "Buttons" }, ...names)];
}

function said({ status, error, unknowns }) {
  const wrong = WRONG[status];
  const text = wrong ? `${wrong}${error ? `: ${error}` : ""}` : SAID[status];
  if (!text) return [];
  const twice = status === "sent" && unknowns ? ", and may have arrived more than once" : "";
  const more = twice + (!wrong && error ? ` (${error})` : "");
  return [make("p", { class: "status", "data-status": status, dir: "auto" }, text + more)];
}
