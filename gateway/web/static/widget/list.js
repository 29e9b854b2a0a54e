import { button, linked, make } from "./dom.js";

const PAUSE_SHOWN = 300_000;
const UNSENT = Infinity; // the seq of what has none yet

/** The messages, by `seq`, each replaced by its newer `rev`; what is not stored yet stands at the end. */
export class List {
  #say;
  #bySeq = new Map();
  #byId = new Map();
  #parts = {};
  #calls;
  floor = UNSENT; // the lowest seq of the run that is whole down from the newest
  room = false;

  /** `calls`: press(button), again(words), change(words), drawn(). */
  constructor(node, say, calls) {
    Object.assign(this, { node });
    this.#say = say;
    this.#calls = calls;
  }

  get entries() {
    return [...this.#bySeq.values()];
  }

  newest() {
    return Math.max(0, ...this.#bySeq.keys());
  }

  empty() {
    this.#bySeq.clear();
    this.#byId.clear();
    this.floor = UNSENT;
    this.node.replaceChildren();
    this.#calls.drawn();
  }

  redraw() {
    for (const { entry } of this.node.children) this.#draw(entry);
  }

  // What is on its way

  pending(words) {
    const entry = this.#byId.get(words.id) ?? this.#enter({ id: words.id, seq: UNSENT, rev: -1, from: "visitor" });
    if (entry.seq !== UNSENT) return;
    const { problem } = words;
    Object.assign(entry, words.shown, { words, problem, state: problem ? "failed" : "sending" });
    this.#draw(entry);
  }

  acknowledged(id, seq) {
    const entry = this.#byId.get(id);
    if (entry?.seq !== UNSENT) return;
    const known = this.#bySeq.get(seq);
    if (known) {
      entry.node.remove();
      this.#byId.set(id, known);
      return;
    }
    Object.assign(entry, { seq, state: "sent", at: new Date().toISOString() });
    this.#bySeq.set(seq, entry);
    this.#draw(entry);
  }

  remove(id) {
    this.#byId.get(id)?.node.remove();
    this.#byId.delete(id);
    this.#calls.drawn();
  }

  // What was said

  /** The entry, or nothing where it is known already or lies above what is loaded. */
  message(message, isNews) {
    if (isNews && message.seq < this.floor && this.floor !== UNSENT) return undefined;
    const known = this.#bySeq.get(message.seq) ?? this.#byId.get(message.id);
    const entry = known ?? this.#enter({ rev: -1 });
    if (entry.rev >= message.rev) return undefined;
    Object.assign(entry, { id: undefined, words: undefined, problem: undefined, state: "sent" }, message);
    if (entry.id) this.#byId.set(entry.id, entry);
    this.#bySeq.set(entry.seq, entry);
    this.#draw(entry);
    return known ? undefined : entry;
  }

  /** A line of the moment, such as who has joined: after what is there, and not there any more after a reload. */
  note(text) {
    const seq = Math.floor(this.newest()) + 0.5 + (this.newest() % 1) / 2;
    return this.message({ seq, rev: 0, from: "system", text, at: new Date().toISOString() });
  }

  /** Everything missed has come. What is above a hole, such as an old message edited lately, waits for its neighbours. */
  caughtUp() {
    const seqs = [...this.#bySeq.keys()].filter(Number.isInteger).sort((one, other) => other - one);
    const hole = seqs.findIndex((seq, at) => at && seq !== seqs[at - 1] - 1);
    for (const seq of hole < 0 ? [] : seqs.splice(hole)) {
      this.#bySeq.get(seq).node.remove();
      this.#bySeq.delete(seq);
    }
    this.floor = Math.min(this.floor, seqs.at(-1) ?? UNSENT);
  }

  /** A page of older messages, and whether there are more above it. */
  history(messages, more) {
    for (const message of messages) this.message(message);
    this.floor = more ? Math.min(this.floor, ...messages.map(({ seq }) => seq)) : 1;
  }

  get hasEarlier() {
    return this.floor > 1 && this.floor !== UNSENT;
  }

  /** Only the newest message of the bot can be answered by its chips. */
  activate() {
    const newest = Math.max(...this.entries.filter(({ from }) => from === "bot").map(({ seq }) => seq));
    for (const chip of this.node.querySelectorAll(".chip")) {
      chip.disabled = chip.closest(".message").entry.seq !== newest;
    }
  }

  /** Who speaks: "visitor" is oneself, "other" somebody else in the room. */
  kind({ from, id }) {
    return from === "visitor" && this.room && !id ? "other" : from;
  }

  #enter(entry) {
    entry.node = make("article", { tabindex: "-1" });
    entry.node.entry = entry;
    if (entry.id) this.#byId.set(entry.id, entry);
    return entry;
  }

  #draw(entry) {
    const { node, state, seq } = entry;
    node.className = `message ${this.kind(entry)}`;
    node.dataset.state = state;
    if (seq !== UNSENT) node.dataset.seq = seq;
    const name = entry.name || this.#say(this.kind(entry));
    node.dataset.mark = entry.from === "bot" ? "✦" : [...name][0].toUpperCase();
    node.replaceChildren(make("span", { class: "name", dir: "auto" }, name), ...this.#content(entry), this.#meta(entry));
    this.#place(node);
    this.#calls.drawn(seq === UNSENT);
  }

  #content(entry) {
    const { text, nodes, files, buttons } = entry;
    const rich = nodes && this.#part("rich", entry);
    const shown = files?.length && this.#part("files", entry);
    const words = rich ? rich.show(nodes) : linked(text ?? "");
    return [
      ...(text?.trim() || !files?.length ? [make("div", { class: "bubble", dir: "auto" }, ...words)] : []),
      ...(shown ? [shown.show(files, this.#calls.home)] : []),
      ...(buttons?.length ? [this.#chips(buttons)] : []),
    ];
  }

  /** A part that not every conversation needs; `entry` is drawn again when it has come. */
  #part(name, entry) {
    const known = this.#parts[name];
    if (known && !known.then) return known;
    this.#parts[name] ??= import(`./${name}.js`).then((part) => {
      part.dress(this.node.getRootNode());
      this.#parts[name] = part;
    });
    this.#parts[name].then(() => entry.node.isConnected && this.#draw(entry), () => delete this.#parts[name]);
    return undefined;
  }

  #chips(rows) {
    const chip = (choice) => {
      const element = button("chip", choice.text, null, () => this.#calls.press(choice));
      element.dir = "auto";
      return element;
    };
    return make("div", { class: "chips" }, ...rows.map((row) => make("div", { class: "row" }, ...row.map(chip))));
  }

  #meta({ problem, state, at, words, from }) {
    const said = problem ? this.#problem(problem, words) : state === "sending" ? this.#say("sending") : clock(at, this.#calls.language());
    const meta = make("span", { class: "meta" }, said);
    if (from === "visitor" && state === "sent") meta.title = this.#say("sent");
    if (problem && (!words.hopeless || words.text)) meta.append(" ", this.#mend(words));
    return meta;
  }

  #problem(problem, { detail }) {
    const said = this.#say(problem);
    return said === problem ? detail || this.#say("unsent") : said;
  }

  // What is refused as it stands goes back into the field, to be changed.
  #mend(words) {
    const does = words.hopeless ? "change" : "again";
    return button("mend", this.#say(does), null, () => this.#calls[does](words));
  }

  #place(node) {
    const neighbour = node.nextElementSibling;
    const before = node.previousElementSibling?.entry.seq ?? -1;
    const after = node.nextElementSibling?.entry.seq ?? UNSENT;
    if (!node.isConnected || before > node.entry.seq || after < node.entry.seq) {
      let next = null;
      let last = this.node.lastElementChild;
      for (; last && (last === node || last.entry.seq > node.entry.seq); last = last.previousElementSibling) next = last;
      if (next !== node) this.node.insertBefore(node, next);
    }
    for (const each of [node, node.nextElementSibling, neighbour]) if (each) this.#group(each);
  }

  // The name is written once over a run of messages of one person, the time before a pause, the day where it changes.
  #group({ entry, classList, dataset, previousElementSibling: above }) {
    const last = above?.entry;
    const isOtherDay = entry.at && new Date(last?.at).toDateString() !== new Date(entry.at).toDateString();
    const begins = !last || isOtherDay || this.kind(last) !== this.kind(entry) || last.name !== entry.name;
    classList.toggle("first", begins);
    classList.toggle("later", new Date(entry.at) - new Date(last?.at) > PAUSE_SHOWN);
    above?.classList.toggle("last", begins);
    classList.toggle("last", entry.node.nextElementSibling?.classList.contains("first") ?? true);
    if (isOtherDay) dataset.day = day(entry.at, this.#calls.language());
    else delete dataset.day;
  }
}

function clock(at, language) {
  const date = new Date(at);
  return Number.isNaN(+date) ? "" : date.toLocaleTimeString(language, { hour: "numeric", minute: "2-digit" });
}

function day(at, language) {
  const date = new Date(at);
  if (Number.isNaN(+date)) return "";
  const ago = Math.round((new Date(at).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 86_400_000);
  if (ago >= -1) return capital(new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(ago, "day"), language);
  const year = date.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
  return date.toLocaleDateString(language, { weekday: "long", day: "numeric", month: "long", ...year });
}

function capital(text, language) {
  return text.charAt(0).toLocaleUpperCase(language) + text.slice(1);
}
