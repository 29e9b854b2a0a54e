// The list on the left: a page of conversations at a time, newest first, each row changed in place as it changes.

import { clock, fill, keep, kept, make, since } from "./console_dom.js";
import { initial, nameOf } from "./console_names.js";

const STATES = { bot: "bot", waiting: "waiting", held: "held", ended: "ended" };
const MARKS = 5000;
const ROWS = 1000;
const SHELF = "switchboard-console-read";
const LOADED = Date.now();

/** What this browser's operator has read: conversation → seq. */
class ReadMarks {
  constructor() {
    this.marks = new Map(kept(SHELF, []));
    this.firstVisit = this.marks.size === 0;
  }

  unread({ conversation, seq, at }) {
    const mark = this.marks.get(conversation);
    // On the first visit all that is there already is no news.
    if (mark === undefined && this.firstVisit && Date.parse(at) < LOADED) return 0;
    return Math.max(0, seq - (mark ?? 0));
  }

  mark({ conversation, seq }) {
    if (this.marks.get(conversation) === seq) return;
    this.marks.delete(conversation);
    this.marks.set(conversation, seq);
    keep(SHELF, [...this.marks].slice(-MARKS));
  }
}

export class List {
  #items = new Map();
  #marks = new ReadMarks();
  #on;
  #list;
  #me;
  #more = false;
  current = null;

  /** `on.open(uuid)`: one is chosen. `on.fits(frame)`: it belongs in the list as it is filtered now. */
  constructor(list, me, on) {
    this.#list = list;
    this.#me = me;
    this.#on = on;
    list.addEventListener("keydown", (event) => this.#arrows(event));
    setInterval(() => this.#items.forEach((item) => item.frame.waiting_since && this.#draw(item)), 30_000);
  }

  get(conversation) {
    return this.#items.get(conversation)?.frame;
  }

  get last() {
    return this.#list.lastElementChild?.item.frame.conversation ?? "";
  }

  /** The first page, or with `after` one that goes on where the last one ended. */
  page(frames, more, after) {
    this.#more = more;
    if (!after) {
      const kept = new Set(frames.map((frame) => frame.conversation));
      for (const uuid of this.#items.keys()) if (!kept.has(uuid)) this.#remove(uuid);
    }
    for (const frame of frames) this.#put(frame);
  }

  /** A conversation frame: new, or changed. Gives what was known of it before. */
  show(frame) {
    const before = this.#items.get(frame.conversation)?.frame;
    if (before && before.rev > frame.rev) return before;
    const isCurrent = frame.conversation === this.current;
    if (!isCurrent && !this.#on.fits(frame)) this.#remove(frame.conversation);
    else if (before || isCurrent || !this.#more || this.#isAboveLast(frame)) this.#put(frame);
    return before;
  }

  unread(conversation) {
    const item = this.#items.get(conversation);
    return item ? this.#marks.unread(item.frame) : 0;
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

  /** Opens the next conversation downwards (1) or upwards (-1). */
  walk(step) {
    const here = this.#items.get(this.current)?.node;
    const next = here ? (step > 0 ? here.nextElementSibling : here.previousElementSibling) : this.#list.firstElementChild;
    next?.item.button.click();
    return next;
  }

  #put(frame) {
    const known = this.#items.get(frame.conversation);
    if (known && known.frame.rev > frame.rev) return;
    const item = known ?? this.#enter(frame.conversation);
    const moved = !known || item.frame.at !== frame.at;
    item.frame = frame;
    if (frame.conversation === this.current && document.visibilityState === "visible") this.#marks.mark(frame);
    this.#draw(item);
    if (moved) this.#place(item);
    if (this.#items.size > ROWS && !known) this.#remove(this.last);
  }

  #enter(conversation) {
    const button = make("button", { type: "button", tabindex: "-1" });
    button.addEventListener("click", () => this.#on.open(conversation));
    button.addEventListener("focus", () => this.#makeTabStop(button));
    const item = { button, node: make("li", {}, button) };
    item.node.item = item;
    this.#items.set(conversation, item);
    return item;
  }

  #remove(conversation) {
    const item = this.#items.get(conversation);
    if (!item || conversation === this.current) return;
    this.#items.delete(conversation);
    item.node.remove();
    this.#makeTabStop(this.#list.querySelector("[aria-current]") ?? this.#list.firstElementChild?.item.button);
  }

  #draw({ button, frame }) {
    const isCurrent = frame.conversation === this.current;
    const unread = isCurrent ? 0 : this.#marks.unread(frame);
    button.className = unread ? "unread" : "";
    if (isCurrent) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    if (isCurrent) this.#makeTabStop(button);
    fill(button,
      initial(frame),
      make("span", { class: "person", dir: "auto" }, nameOf(frame)),
      make("time", { datetime: frame.at }, clock(frame.at)),
      make("span", { class: "last", dir: "auto" }, frame.last || "no words yet"),
      unread ? make("span", { class: "dot", title: `${unread} unread` }, unread > 99 ? "99+" : String(unread), make("span", { class: "unseen" }, " unread")) : null,
      make("span", { class: "tags" },
        make("span", { class: `chip ${frame.state}` }, chipText(frame, this.#me)),
        frame.banned ? make("span", { class: "chip banned" }, "banned") : null,
        make("span", { class: "from" }, `${frame.protocol} · ${frame.bot}`),
        ...(frame.tags ?? []).map((tag) => make("span", { class: "tag", dir: "auto" }, tag))),
    );
  }

  #place({ node, frame }) {
    const focused = node.contains(document.activeElement);
    let next = this.#list.firstElementChild;
    while (next && (next === node || isBefore(next.item.frame, frame))) next = next.nextElementSibling;
    this.#list.insertBefore(node, next);
    if (focused) node.firstElementChild.focus();
    if (!this.#list.querySelector('[tabindex="0"]')) this.#makeTabStop(node.item.button);
  }

  #isAboveLast(frame) {
    const last = this.#list.lastElementChild;
    return !last || isBefore(frame, last.item.frame);
  }

  // One tab stop for the whole list: arrows go on from there.
  #makeTabStop(button) {
    if (!button) return;
    for (const other of this.#list.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
    button.tabIndex = 0;
  }

  #arrows(event) {
    const steps = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" };
    const next = document.activeElement.closest("li")?.[steps[event.key]];
    if (!steps[event.key]) return;
    event.preventDefault();
    next?.firstElementChild.focus();
    next?.firstElementChild.click();
  }
}

function isBefore(one, other) {
  return Date.parse(one.at) > Date.parse(other.at);
}

/** A conversation's state in words; `me` is the operator who reads them. */
export function chipText({ state, holder, waiting_since: waiting }, me) {
  if (state === "held" && holder) return holder === me ? "held by you" : `held by ${holder}`;
  if (state === "waiting" && waiting) return `waiting ${since(waiting)}`;
  return STATES[state] ?? state;
}
