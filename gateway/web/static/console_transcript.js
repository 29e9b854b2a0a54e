// The transcript: one row of the table, one item; a newer revision of a row replaces it, older rows come in above.

import { button, clock, make } from "./console_dom.js";
import { files, words } from "./console_rich.js";

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
const TOLD = { disconnect: "The bot was told that this is over.", resume: "The bot was told what was said.", result: "result" };
const TOGETHER = 5 * 60_000; // milliseconds between words of one sender that stand under one name

/** The rows of one conversation, whether it is on screen or not. `mend(choice, frame)` is what somebody chose to do about
 * a row that did not arrive. `rev` and `seen` are the highest `rev` and `seq` that are known here. */
export class Transcript {
  #nodes = new Map();
  #mend;
  rev = 0;
  seen = 0;
  more = false;
  loaded = false;

  constructor(mend) {
    this.#mend = mend;
    this.items = [];
  }

  get oldest() {
    return this.items[0]?.frame.row ?? 0;
  }

  /** The newest rows, or those above the oldest one. */
  history({ messages, more, rev }) {
    this.more = more;
    this.loaded = true;
    for (const frame of messages) this.#take(frame);
    if (rev) this.rev = Math.max(this.rev, rev);
  }

  /** Takes a message frame in; true if it is news. */
  add(frame) {
    // An older row that has changed comes with its neighbours, once somebody goes up so far.
    if (this.more && frame.row < this.oldest) {
      this.rev = Math.max(this.rev, frame.rev);
      return false;
    }
    return this.#take(frame);
  }

  #take(frame) {
    this.rev = Math.max(this.rev, frame.rev);
    this.seen = Math.max(this.seen, frame.seq ?? 0);
    const known = this.#nodes.get(frame.row);
    if (known && known.frame.rev >= frame.rev) return false;
    const node = known ?? make("li");
    node.frame = frame;
    this.#nodes.set(frame.row, node);
    draw(node, frame, this.#mend);
    if (!known) this.#insert(node);
    this.#group(this.items.indexOf(node));
    return true;
  }

  #insert(node) {
    let at = this.items.length;
    while (at && this.items[at - 1].frame.row > node.frame.row) at--;
    this.items.splice(at, 0, node);
    if (at + 1 < this.items.length && this.items[at + 1].isConnected) this.items[at + 1].before(node);
    else this.items[at - 1]?.isConnected && this.items[at - 1].after(node);
  }

  // Words of one sender stand under one name; a new day says so.
  #group(at) {
    for (const place of [at, at + 1]) {
      const node = this.items[place];
      if (!node) continue;
      const before = this.items[place - 1]?.frame;
      const { frame } = node;
      const sameDay = before && new Date(before.at).toDateString() === new Date(frame.at).toDateString();
      node.classList.toggle("joined", Boolean(sameDay && isOneTurn(before, frame)));
      if (sameDay) delete node.dataset.day;
      else node.dataset.day = dayOf(frame.at);
    }
  }
}

function isOneTurn(before, frame) {
  const alike = before.from === frame.from && before.name === frame.name && isQuiet(before) === isQuiet(frame) && before.kind === frame.kind;
  return alike && Date.parse(frame.at) - Date.parse(before.at) < TOGETHER;
}

function dayOf(at) {
  const date = new Date(at);
  return Number.isNaN(+date) ? "" : date.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
}

const isQuiet = ({ seq, status }) => !seq || status === "note";
const isEvent = ({ kind, from }) => kind === "note" && from === "system";
const isOperatorsNote = ({ kind, from }) => kind === "note" && from === "operator";

function draw(node, frame, mend) {
  const focused = node.contains(document.activeElement);
  const kind = isEvent(frame) ? "event" : isOperatorsNote(frame) ? "private" : "";
  node.className = `${frame.from} ${frame.status} ${kind} ${isQuiet(frame) ? "quiet" : ""}`;
  node.dataset.row = frame.row;
  node.replaceChildren(...(isEvent(frame) ? event(frame) : [
    make("p", { class: "by" },
      make("span", { class: "name", dir: "auto" }, frame.name || WHO[frame.from] || frame.from),
      ...(isOperatorsNote(frame) ? [make("span", { class: "chip" }, "private note")] : []),
      make("time", { datetime: frame.at }, clock(frame.at))),
    make("div", { class: "words", dir: "auto" }, ...(frame.text || frame.nodes?.length ? words(told(frame)) : frame.files?.length ? [] : ["(no words)"])),
    ...files(frame.files),
    ...buttons(frame.buttons),
    ...said(frame),
    ...choices(frame, mend),
  ]));
  // The button that was pressed is gone: whoever works by keyboard stays where they are.
  if (focused) node.closest("[role=log]")?.focus();
}

function event({ text, at }) {
  return [make("p", { class: "happened" }, make("span", { dir: "auto" }, text), " ", make("time", { datetime: at }, clock(at)))];
}

function told(frame) {
  return frame.seq === null && TOLD[frame.text] ? { ...frame, text: TOLD[frame.text] } : frame;
}

function choices(frame, mend) {
  if (!frame.choices?.length) return [];
  const all = frame.choices.map((choice) => button(CHOICES[choice] ?? choice, () => mend(choice, frame), { "data-choice": choice }));
  return [make("p", { class: "choices" }, ...all)];
}

function buttons(rows) {
  if (!rows?.length) return [];
  const names = rows.flat().map((offered) => make("span", { class: "offered", dir: "auto" }, offered.text));
  return [make("p", { class: "buttons" }, make("span", { class: "unseen" }, "Buttons:"), ...names)];
}

function said({ status, error, unknowns, kind }) {
  const wrong = WRONG[status];
  const text = wrong ? `${wrong}${error ? `: ${error}` : ""}` : kind === "note" ? "" : SAID[status];
  if (!text) return error ? [statusLine(status, error)] : [];
  const twice = status === "sent" && unknowns ? ", and may have arrived more than once" : "";
  return [statusLine(status, text + twice + (!wrong && error ? ` (${error})` : ""))];
}

function statusLine(status, text) {
  return make("p", { class: "status", "data-status": status, dir: "auto" }, text);
}
