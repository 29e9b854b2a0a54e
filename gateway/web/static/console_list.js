// The list on the left: every conversation, newest first.

import { clock, make } from "./console_dom.js";

const STATES = { bot: "bot", waiting: "waiting", held: "held", ended: "ended" };
const KEPT = 500;
const SHELF = "switchboard-console-read";
const LOADED = Date.now();

/** What this browser's operator has read: conversation → seq. */
class ReadMarks {
  constructor() {
    try {
      this.marks = new Map(JSON.parse(localStorage.getItem(SHELF)) ?? []);
    } catch {
      this.marks = new Map();
    }
    this.firstVisit = this.marks.size === 0;
  }

  isUnread({ conversation, seq, at }) {
    const mark = this.marks.get(conversation);
    // On the first visit all that is there already is no news.
    if (mark === undefined && this.firstVisit && Date.parse(at) < LOADED) return false;
    return seq > (mark ?? 0);
  }

  mark({ conversation, seq }) {
    if (this.marks.get(conversation) === seq) return;
    this.marks.delete(conversation);
    this.marks.set(conversation, seq);
    try {
      localStorage.setItem(SHELF, JSON.stringify([...this.marks].slice(-KEPT)));
    } catch {
      // Then it is known as long as the page lasts.
    }
  }
}

export class List {
  #items = new Map();
  #marks = new ReadMarks();
  #open;
  #parts;
  current = null;

  /** `open(conversation)` is called when one is chosen. */
  constructor(parts, open) {
    this.#parts = parts;
    this.#open = open;
    parts.list.addEventListener("keydown", (event) => this.#walk(event));
  }

  get(conversation) {
    return this.#items.get(conversation)?.frame;
  }

  /** A conversation frame: new, or changed. */
  show(frame) {
    const known = this.#items.get(frame.conversation);
    if (known && known.frame.rev > frame.rev) return;
    const item = known ?? this.#enter(frame.conversation);
    const moved = item.frame?.at !== frame.at || !known;
    item.frame = frame;
    if (frame.conversation === this.current && document.visibilityState === "visible") this.#marks.mark(frame);
    this.#draw(item);
    if (moved) this.#place(item);
    this.#sum();
  }

  choose(conversation) {
    const before = this.#items.get(this.current);
    this.current = conversation;
    const item = this.#items.get(conversation);
    if (before) this.#draw(before);
    if (!item) return;
    this.#marks.mark(item.frame);
    this.#draw(item);
    item.button.scrollIntoView({ block: "nearest" });
  }

  #enter(conversation) {
    const button = make("button", { type: "button" });
    button.addEventListener("click", () => this.#open(conversation));
    const item = { button, node: make("li", {}, button) };
    item.node.item = item;
    this.#items.set(conversation, item);
    return item;
  }

  #draw({ button, frame }) {
    const isCurrent = frame.conversation === this.current;
    const unread = !isCurrent && this.#marks.isUnread(frame);
    button.className = unread ? "unread" : "";
    if (isCurrent) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    button.replaceChildren(
      make("span", { class: "person", dir: "auto" }, frame.name || "Visitor"),
      make("time", { datetime: frame.at }, clock(frame.at)),
      make("span", { class: "last", dir: "auto" }, frame.last || "no words yet"),
      make("span", { class: "tags" },
        make("span", { class: `chip ${frame.state}` }, chipText(frame, this.#parts.me)),
        make("span", { class: "from" }, `${frame.protocol} · ${frame.bot}`),
        ...(unread ? [make("span", { class: "dot", role: "img", "aria-label": "unread" })] : [])),
    );
  }

  #place({ node, frame }) {
    const { list } = this.#parts;
    const focused = node.contains(document.activeElement);
    let next = list.firstElementChild;
    while (next && (next === node || Date.parse(next.item.frame.at) > Date.parse(frame.at))) next = next.nextElementSibling;
    list.insertBefore(node, next);
    if (focused) node.firstElementChild.focus();
  }

  #sum() {
    const frames = [...this.#items.values()].map((item) => item.frame);
    const waiting = frames.filter((frame) => frame.state === "waiting").length;
    this.#parts.count.textContent = waiting ? `${waiting} waiting` : "";
    this.#parts.empty.hidden = frames.length > 0;
    document.title = `${waiting ? `(${waiting}) ` : ""}Console · Switchboard`;
  }

  #walk(event) {
    const steps = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" };
    const next = document.activeElement.closest("li")?.[steps[event.key]];
    if (!steps[event.key]) return;
    event.preventDefault();
    next?.firstElementChild.focus();
    next?.firstElementChild.click();
  }
}

/** A conversation's state in words; `me` is the operator who reads them. */
export function chipText({ state, holder }, me) {
  if (state === "held" && holder) return holder === me ? "held by you" : `held by ${holder}`;
  return STATES[state] ?? state;
}
