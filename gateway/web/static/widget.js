// The Switchboard chat widget: one tag, one custom element, no build step. How to use it: docs/widget.md.

const HERE = new URL(import.meta.url);
const SOCKET = `${HERE.protocol === "https:" ? "wss:" : "ws:"}//${HERE.host}/ws/chat/`;
const NAME = "switchboard-chat";

const BACK_OFF = { first: 500, most: 30_000 }; // milliseconds
const ACK_WITHIN = 15_000;
const PAUSE = 1_500; // before asking again what is not ready
const TYPING_EVERY = 3_000;
const TYPING_SHOWN = 6_000;
const PAUSE_SHOWN = 300_000;
const FRAME_LIMIT = 60_000; // bytes; the server's is 65,536
const CLOSED = { badOrigin: 4003, flooding: 4008, goingAway: 4012 };

const SAYS = {
  connecting: "Connecting…",
  online: "Online",
  waiting: "No connection. Trying again…",
  offline: "You are offline. What you write is kept and sent later.",
  starting: "The chat is starting. One moment…",
  refused: "The chat is not available on this page.",
  flooding: "That was too fast. The chat goes on in a moment.",
};
const WHO = { visitor: "You", bot: "Bot", operator: "Operator", system: "Notice" };

// ---------------------------------------------------------------- small things

/** An element with attributes and children; text goes in as text nodes, never as markup. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(svg.namespaceURI, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

/** A name for a message that no other message has. `randomUUID` exists only on secure pages. */
function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function count(text, letter) {
  return text.split(letter).length - 1;
}

/** The address without the punctuation of the sentence around it. */
function trimmed(address) {
  for (;;) {
    const last = address.at(-1);
    const closes = last === ")" && count(address, ")") > count(address, "(");
    if (!closes && !".,!?;:'\"”’»]}>*".includes(last)) return address;
    address = address.slice(0, -1);
  }
}

/** Text with its http(s) addresses as links: nodes to append. */
function linked(text) {
  const nodes = [];
  let from = 0;
  for (const found of text.matchAll(/https?:\/\/[^\s<>"]+/gi)) {
    const address = trimmed(found[0]);
    if (!URL.canParse?.(address)) continue;
    nodes.push(text.slice(from, found.index), link(address));
    from = found.index + address.length;
  }
  return [...nodes, text.slice(from)];
}

function link(address) {
  return make("a", { href: address, target: "_blank", rel: "noopener noreferrer nofollow" }, address);
}

function clock(at) {
  const date = new Date(at);
  if (Number.isNaN(+date)) return "";
  const today = date.toDateString() === new Date().toDateString();
  const day = today ? {} : { day: "numeric", month: "short" };
  return date.toLocaleString([], { ...day, hour: "2-digit", minute: "2-digit" });
}

/** JSON under one key. Storage may be forbidden, full or broken: then it remembers as long as the page lasts. */
class Shelf {
  #memory = {};

  constructor(kind, key) {
    Object.assign(this, { kind, key });
  }

  get() {
    try {
      return { ...this.#memory, ...JSON.parse(globalThis[this.kind].getItem(this.key)) };
    } catch {
      return this.#memory;
    }
  }

  put(changes) {
    this.#memory = { ...this.get(), ...changes };
    try {
      globalThis[this.kind].setItem(this.key, JSON.stringify(this.#memory));
    } catch {
      // The memory has it.
    }
  }
}

// ---------------------------------------------------------------- the line

/** A socket that comes back by itself. Calls `on.open()`, `on.frame(frame)` and `on.state(name)`. */
class Line {
  #on;
  #socket = null;
  #timer = 0;
  #failures = 0;
  #stopped = true;
  #refused = false;

  constructor(on) {
    this.#on = on;
    this.wake = () => this.#wake();
    this.drop = () => this.#drop();
  }

  start() {
    if (!this.#stopped || this.#refused) return;
    this.#stopped = false;
    addEventListener("online", this.wake);
    addEventListener("offline", this.drop);
    document.addEventListener("visibilitychange", this.wake);
    this.#connect();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    removeEventListener("online", this.wake);
    removeEventListener("offline", this.drop);
    document.removeEventListener("visibilitychange", this.wake);
    this.#forget();
  }

  /** For good: asking again would give the same answer. */
  refuse() {
    this.#refused = true;
    this.stop();
    this.#on.state("refused");
  }

  /** The other side has welcomed us: the next failure is a first one again. */
  settled() {
    this.#failures = 0;
  }

  send(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#forget();
    if (!this.#failures) this.#on.state("connecting");
    const socket = (this.#socket = new WebSocket(SOCKET));
    socket.onopen = () => this.#on.open();
    socket.onmessage = (event) => this.#on.frame(JSON.parse(event.data));
    socket.onclose = (event) => this.#closed(event.code);
  }

  #forget() {
    if (!this.#socket) return;
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = null;
  }

  #closed(code) {
    this.#forget();
    if (code === CLOSED.badOrigin) return this.refuse();
    this.#on.state(code === CLOSED.flooding ? "flooding" : navigator.onLine ? "waiting" : "offline");
    this.#timer = setTimeout(() => this.#connect(), this.#delay(code));
  }

  #delay(code) {
    if (code === CLOSED.goingAway && !this.#failures++) return 0;
    const longest = Math.min(BACK_OFF.most, BACK_OFF.first * 2 ** this.#failures++);
    return (code === CLOSED.flooding ? BACK_OFF.most / 2 : longest / 2) + (Math.random() * longest) / 2;
  }

  // A page that is seen again, or a network that is back, need not wait for the clock.
  #wake() {
    if (document.visibilityState === "visible" && navigator.onLine && !this.#socket && !this.#stopped) this.#connect();
  }

  // After a lost network a socket may look open for minutes.
  #drop() {
    if (!this.#stopped && this.#socket) this.#closed(0);
  }
}

// ---------------------------------------------------------------- the conversation

/** What was said and what is still to be sent: speaks the frames of /ws/chat/, tells `view` what to show. */
class Talk {
  #view;
  #bot;
  #welcomed = false;
  #since = 0;
  #conversation = null;
  #typed = 0;
  #timers = {};

  constructor(bot, view) {
    this.#bot = bot;
    this.#view = view;
    this.shelf = new Shelf("localStorage", `switchboard:${HERE.origin}:${bot}`);
    this.drafts = new Shelf("sessionStorage", `switchboard:${HERE.origin}:${bot}`);
    this.unsent = new Map((this.drafts.get().unsent ?? []).map((words) => [words.id, words]));
    this.line = new Line({
      open: () => this.#hello(),
      frame: (frame) => this.#hears[frame.type]?.(frame),
      state: (state) => this.#changed(state),
    });
  }

  get known() {
    return Boolean(this.shelf.get().token);
  }

  say(text) {
    this.#queue({ type: "message", id: newId(), text, shown: text });
  }

  press(button) {
    this.#queue({ type: "button", id: newId(), data: button.data, shown: button.text });
  }

  again(words) {
    delete words.problem;
    this.#queue(words);
  }

  withdraw(words) {
    this.#done(words.id);
  }

  typing() {
    if (!this.#welcomed || Date.now() - this.#typed < TYPING_EVERY) return;
    this.#typed = Date.now();
    this.line.send({ type: "typing" });
  }

  /** Another tab has begun another conversation: follow it. */
  follow() {
    const { conversation } = this.shelf.get();
    if (!this.#conversation || !conversation || conversation === this.#conversation) return;
    this.line.stop();
    this.line.start();
  }

  #queue(words) {
    this.unsent.set(words.id, words);
    this.#keep();
    this.#send(words);
    this.line.start();
  }

  #send(words) {
    this.#view.pending(words);
    const { shown, problem, hopeless, ...frame } = words;
    if (!this.#welcomed || problem) return;
    if (new TextEncoder().encode(JSON.stringify(frame)).length > FRAME_LIMIT) {
      this.#failed(words, "This is too long to send.", true);
      return;
    }
    this.line.send(frame);
    this.#timers.ack ??= setTimeout(this.line.drop, ACK_WITHIN);
  }

  #failed(words, problem, hopeless) {
    Object.assign(words, { problem, hopeless });
    this.#keep();
    this.#view.pending(words);
  }

  #keep() {
    this.drafts.put({ unsent: [...this.unsent.values()] });
  }

  #done(id) {
    if (!this.unsent.delete(id)) return;
    this.#keep();
    clearTimeout(this.#timers.ack);
    const waiting = [...this.unsent.values()].some((words) => !words.problem);
    this.#timers.ack = waiting ? setTimeout(this.line.drop, ACK_WITHIN) : undefined;
  }

  #hello() {
    const { token, conversation } = this.shelf.get();
    // Another tab may have begun another conversation: its revisions are not ours.
    if (this.#conversation && conversation !== this.#conversation) this.#empty();
    this.line.send({ type: "hello", token: token ?? null, since: this.#since, bot: this.#bot });
  }

  #empty() {
    this.#since = 0;
    this.#conversation = null;
    this.#view.empty();
    for (const words of this.unsent.values()) this.#view.pending(words);
  }

  #changed(state) {
    this.#welcomed = false;
    clearTimeout(this.#timers.ack);
    clearTimeout(this.#timers.pause);
    this.#timers.ack = undefined;
    this.#view.state(state);
  }

  #flush() {
    for (const words of this.unsent.values()) this.#send(words);
  }

  #later() {
    clearTimeout(this.#timers.pause);
    this.#timers.pause = setTimeout(() => (this.#welcomed ? this.#flush() : this.#hello()), PAUSE * (1 + Math.random()));
  }

  #hears = {
    welcome: ({ token, conversation }) => {
      if (this.#conversation && conversation !== this.#conversation) this.#empty();
      this.#conversation = conversation;
      this.shelf.put({ token, conversation });
      this.line.settled();
      this.#welcomed = true;
      this.#view.state("online");
      this.#flush();
    },
    ack: ({ id, seq }) => {
      this.#done(id);
      this.#view.acknowledged(id, seq);
    },
    message: (message) => {
      this.#since = Math.max(this.#since, message.rev);
      if (message.id) this.#done(message.id);
      this.#view.message(message);
    },
    typing: ({ from }) => from !== "visitor" && this.#view.typing(from),
    error: ({ code, detail, id }) => this.#error(code, detail, id),
  };

  #error(code, detail, id) {
    if (code === "bad_token") {
      this.shelf.put({ token: null, conversation: null, read: 0 });
      this.#empty();
    } else if (code === "not_ready") {
      if (!this.#welcomed) this.#view.state("starting");
      this.#later();
    } else if (code === "unknown_bot" || code === "bad_origin") {
      this.line.refuse();
    } else if (this.unsent.has(id)) {
      this.#failed(this.unsent.get(id), detail || "This could not be sent.", code !== "rate_limited");
    }
  }
}

// ---------------------------------------------------------------- what people see

class SwitchboardChat extends HTMLElement {
  #talk;
  #parts;
  #bySeq = new Map();
  #byId = new Map();
  #refreshing = 0;
  #typingTimer = 0;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet()];
    this.#parts = build();
    root.append(this.#parts.launcher, this.#parts.panel);
    this.#listen();
  }

  connectedCallback() {
    this.#talk ??= this.#begin();
    addEventListener("storage", this.#follow);
    document.addEventListener("visibilitychange", this.#refresh);
    if (this.hasAttribute("open") || this.#talk.drafts.get().open) this.show(false);
    else if (this.#talk.known || this.#talk.unsent.size) this.#talk.line.start();
  }

  disconnectedCallback() {
    removeEventListener("storage", this.#follow);
    document.removeEventListener("visibilitychange", this.#refresh);
    this.#talk.line.stop();
  }

  get isOpen() {
    return !this.#parts.panel.hidden;
  }

  /** Opens the panel. A first visit connects only now: nobody is counted who does not ask. */
  show(focus = true) {
    const { panel, launcher, text } = this.#parts;
    panel.hidden = false;
    launcher.setAttribute("aria-expanded", "true");
    this.#talk.drafts.put({ open: true });
    this.#talk.line.start();
    this.#bottom();
    this.#refresh();
    if (focus && matchMedia("(pointer: fine)").matches) text.focus();
  }

  hide() {
    const { panel, launcher } = this.#parts;
    panel.hidden = true;
    launcher.setAttribute("aria-expanded", "false");
    this.#talk.drafts.put({ open: false });
    this.#refresh();
    launcher.focus();
  }

  #begin() {
    const { heading, list } = this.#parts;
    heading.textContent = this.getAttribute("heading") ?? heading.textContent;
    const talk = new Talk(this.getAttribute("bot") || "bot", {
      state: (state) => this.#state(state),
      empty: () => this.#empty(),
      pending: (words) => this.#pending(words),
      acknowledged: (id, seq) => this.#acknowledged(id, seq),
      message: (message) => this.#message(message),
      typing: () => this.#typing(),
    });
    list.replaceChildren();
    for (const words of talk.unsent.values()) this.#pending(words);
    return talk;
  }

  #listen() {
    const { launcher, close, panel, form, text } = this.#parts;
    launcher.addEventListener("click", () => (this.isOpen ? this.hide() : this.show()));
    close.addEventListener("click", () => this.hide());
    panel.addEventListener("keydown", (event) => event.key === "Escape" && this.hide());
    form.addEventListener("submit", (event) => this.#submit(event));
    text.addEventListener("input", () => this.#typed());
    text.addEventListener("keydown", (event) => {
      // 229: Safari ends a composition before it tells of the Enter that ended it.
      const composing = event.isComposing || event.keyCode === 229;
      if (event.key === "Enter" && !event.shiftKey && !composing) this.#submit(event);
    });
  }

  #typed() {
    const { text } = this.#parts;
    this.#grow();
    if (text.value) this.#talk.typing();
  }

  #grow() {
    const { text } = this.#parts;
    text.style.height = "auto";
    text.style.height = `${text.scrollHeight + 2}px`;
  }

  #submit(event) {
    event.preventDefault();
    const { text } = this.#parts;
    const words = text.value.trim();
    if (!words) return;
    text.value = "";
    this.#grow();
    this.#talk.say(words);
    this.#bottom();
    text.focus();
  }

  #follow = (event) => {
    if (event.key === this.#talk.shelf.key) this.#talk.follow();
  };

  #state(state) {
    const { status, list } = this.#parts;
    status.textContent = SAYS[state];
    status.dataset.state = state;
    this.#parts.text.disabled = state === "refused";
    if (state !== "online") return;
    // What is already known is not read aloud again.
    list.setAttribute("aria-busy", "true");
    setTimeout(() => list.setAttribute("aria-busy", "false"), 700);
  }

  #empty() {
    this.#bySeq.clear();
    this.#byId.clear();
    this.#parts.list.replaceChildren();
    this.#refresh();
  }

  #pending(words) {
    const entry = this.#byId.get(words.id) ?? this.#enter({ id: words.id, seq: Infinity, rev: -1, from: "visitor" });
    if (entry.seq !== Infinity) return;
    entry.text = words.shown;
    entry.state = words.problem ? "failed" : "sending";
    entry.problem = words.problem;
    this.#draw(entry);
    if (words.problem && (!words.hopeless || words.text)) entry.node.append(this.#mend(words));
  }

  // What is refused as it stands goes back into the field, to be changed.
  #mend(words) {
    const button = make("button", { type: "button", class: "mend" }, words.hopeless ? "Change it" : "Try again");
    button.addEventListener("click", () => (words.hopeless ? this.#change(words) : this.#talk.again(words)));
    return button;
  }

  #change(words) {
    const { text } = this.#parts;
    this.#talk.withdraw(words);
    this.#byId.get(words.id).node.remove();
    this.#byId.delete(words.id);
    text.value = [words.text, text.value].filter(Boolean).join("\n");
    this.#grow();
    text.focus();
  }

  #acknowledged(id, seq) {
    const entry = this.#byId.get(id);
    if (!entry || entry.seq !== Infinity) return;
    const known = this.#bySeq.get(seq);
    if (known) {
      entry.node.remove();
      this.#byId.set(id, known);
      return;
    }
    entry.seq = seq;
    entry.state = "sent";
    this.#bySeq.set(seq, entry);
    this.#draw(entry);
  }

  #message(message) {
    const entry = this.#bySeq.get(message.seq) ?? this.#byId.get(message.id) ?? this.#enter({ rev: -1 });
    if (entry.rev >= message.rev) return;
    Object.assign(entry, { id: undefined, problem: undefined, state: "sent" }, message);
    if (entry.id) this.#byId.set(entry.id, entry);
    this.#bySeq.set(entry.seq, entry);
    if (entry.from !== "visitor") this.#typingOver();
    this.#draw(entry);
  }

  #enter(entry) {
    entry.node = make("div");
    entry.node.entry = entry;
    if (entry.id) this.#byId.set(entry.id, entry);
    return entry;
  }

  #draw(entry) {
    const { node } = entry;
    const stays = this.#atBottom();
    node.className = `message ${entry.from}`;
    node.dataset.state = entry.state;
    if (entry.seq !== Infinity) node.dataset.seq = entry.seq;
    node.replaceChildren(
      make("span", { class: "name", dir: "auto" }, entry.name || WHO[entry.from] || entry.from),
      make("div", { class: "bubble", dir: "auto" }, ...linked(entry.text ?? "")),
      ...(entry.buttons?.length ? [this.#chips(entry.buttons)] : []),
      make("span", { class: "meta" }, entry.problem ?? (entry.state === "sending" ? "sending…" : clock(entry.at))),
    );
    this.#place(node);
    if (stays || entry.seq === Infinity) this.#bottom();
    this.#refresh();
  }

  #chips(rows) {
    const chip = (button) => {
      const element = make("button", { type: "button", class: "chip", dir: "auto" }, button.text);
      element.addEventListener("click", () => this.#talk.press(button));
      return element;
    };
    return make("div", { class: "chips" }, ...rows.map((row) => make("div", { class: "row" }, ...row.map(chip))));
  }

  #place(node) {
    const { list } = this.#parts;
    const neighbour = node.nextElementSibling;
    const before = node.previousElementSibling?.entry.seq ?? -1;
    const after = node.nextElementSibling?.entry.seq ?? Infinity;
    if (!node.isConnected || before > node.entry.seq || after < node.entry.seq) {
      let next = null;
      let last = list.lastElementChild;
      for (; last && (last === node || last.entry.seq > node.entry.seq); last = last.previousElementSibling) next = last;
      if (next !== node) list.insertBefore(node, next);
    }
    for (const each of [node, node.nextElementSibling, neighbour]) if (each) this.#group(each);
  }

  // The name is written once over a run of messages of one person, the time only before a pause.
  #group({ entry, classList, previousElementSibling: above }) {
    const last = above?.entry;
    classList.toggle("first", last?.from !== entry.from || last?.name !== entry.name);
    classList.toggle("later", new Date(entry.at) - new Date(last?.at) > PAUSE_SHOWN);
  }

  #typing() {
    clearTimeout(this.#typingTimer);
    const stays = this.#atBottom();
    this.#parts.typing.hidden = false;
    if (stays) this.#bottom();
    this.#typingTimer = setTimeout(() => this.#typingOver(), TYPING_SHOWN);
  }

  #typingOver() {
    this.#parts.typing.hidden = true;
  }

  #atBottom() {
    const { scroll } = this.#parts;
    return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
  }

  #bottom() {
    const { scroll } = this.#parts;
    scroll.scrollTop = scroll.scrollHeight;
  }

  // Once for a whole batch of frames.
  #refresh = () => {
    this.#refreshing ||= setTimeout(() => {
      this.#refreshing = 0;
      this.#activate();
      this.#count();
    }, 16);
  };

  #activate() {
    const entries = [...this.#bySeq.values()];
    const newest = Math.max(...entries.filter(({ from }) => from === "bot").map(({ seq }) => seq));
    for (const chip of this.#parts.list.querySelectorAll(".chip")) {
      chip.disabled = chip.closest(".message").entry.seq !== newest;
    }
  }

  #count() {
    const heard = [...this.#bySeq.values()].filter(({ from }) => from !== "visitor").map(({ seq }) => seq);
    const { read = 0 } = this.#talk.shelf.get();
    const seen = this.isOpen && document.visibilityState === "visible";
    const latest = Math.max(read, ...heard);
    if (seen && latest > read) this.#talk.shelf.put({ read: latest });
    this.#badge(seen ? 0 : heard.filter((seq) => seq > read).length);
  }

  #badge(unread) {
    const { badge, launcher } = this.#parts;
    badge.hidden = !unread;
    badge.textContent = unread > 99 ? "99+" : unread;
    const does = this.isOpen ? "Close the chat" : "Open the chat";
    launcher.setAttribute("aria-label", unread ? `${does}, ${unread} unread` : does);
  }
}

/** The element's inside, by name. */
function build() {
  const badge = make("span", { class: "badge", hidden: "" });
  const launcher = make("button", { type: "button", class: "launcher", "aria-label": "Open the chat", "aria-expanded": "false" });
  launcher.append(icon("M4 5h16v11H11l-5 4v-4H4z"), icon("M6 9l6 6 6-6"), badge);
  const heading = make("h2", {}, "Chat");
  const status = make("p", { class: "status", role: "status" });
  const close = make("button", { type: "button", class: "close", "aria-label": "Close the chat" });
  close.append(icon("M6 6l12 12M18 6L6 18"));
  const list = make("div", { class: "list", role: "log", "aria-live": "polite", "aria-label": "Messages" });
  const hint = make("p", { class: "hint" }, "Write a message to start. The conversation will still be here when you come back.");
  const typing = make("div", { class: "typing", hidden: "", "aria-label": "An answer is being written" });
  typing.append(make("i"), make("i"), make("i"));
  const scroll = make("div", { class: "scroll", tabindex: "0" }, list, hint, typing);
  const text = make("textarea", { rows: "1", dir: "auto", "aria-label": "Your message", placeholder: "Write a message…" });
  const send = make("button", { type: "submit", class: "send", "aria-label": "Send" });
  send.append(icon("M12 19V5M6 11l6-6 6 6"));
  const form = make("form", {}, text, send);
  const head = make("header", {}, make("div", {}, heading, status), close);
  const panel = make("section", { class: "panel", role: "dialog", "aria-label": "Chat", hidden: "" }, head, scroll, form);
  return { badge, launcher, heading, status, close, list, typing, scroll, text, form, panel };
}

const STYLE = `
:host {
  all: initial; position: fixed; inset-block-end: 20px; inset-inline-end: 20px; z-index: 2147483000; color-scheme: light dark;
  --accent: var(--switchboard-accent, #3f5bd8); --accent-ink: var(--switchboard-accent-ink, #fff);
  --ground: #fff; --sunken: #f1f3f9; --ink: #1b1f2d; --soft: #626a7e; --edge: #e3e6ef;
  --human: #e0f4ec; --human-ink: #0d6a4b; --bad: #bb2d3b; --good: #1f9d72; --warm: #c47a10;
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
:host([hidden]) { display: none; }
@media (prefers-color-scheme: dark) {
  :host {
    --accent: var(--switchboard-accent, #8ea2ff); --accent-ink: var(--switchboard-accent-ink, #10131f);
    --ground: #1a1d28; --sunken: #262a3a; --ink: #e8eaf2; --soft: #9aa2b8; --edge: #2f3447;
    --human: #17382d; --human-ink: #6fdcb1; --bad: #ff8b96; --good: #58d3a5; --warm: #f0b45c;
  }
}
*, *::before { box-sizing: border-box; }
[hidden] { display: none !important; }
button, textarea { font: inherit; color: inherit; margin: 0; }
button { cursor: pointer; }
svg { width: 24px; height: 24px; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; display: block; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.launcher {
  position: relative; width: 58px; height: 58px; border: 0; border-radius: 50%; display: grid; place-items: center;
  background: var(--accent); color: var(--accent-ink); box-shadow: 0 10px 28px -8px rgb(20 26 60 / .55); transition: transform .15s;
}
.launcher:hover { transform: scale(1.05); }
.launcher[aria-expanded=false] svg + svg, .launcher[aria-expanded=true] svg:first-child { display: none; }
.badge {
  position: absolute; top: -3px; right: -3px; min-width: 22px; height: 22px; padding: 0 6px; border-radius: 11px;
  background: #d6293e; color: #fff; font-size: 12px; font-weight: 650; line-height: 22px; text-align: center;
}
.panel {
  position: absolute; bottom: 74px; inset-inline-end: 0; width: 384px; height: min(620px, calc(100dvh - 116px)); display: flex; flex-direction: column;
  overflow: hidden; background: var(--ground); color: var(--ink); border: 1px solid var(--edge); border-radius: 20px;
  box-shadow: 0 28px 70px -24px rgb(15 20 50 / .5); animation: rise .18s ease-out;
}
@keyframes rise { from { opacity: 0; transform: translateY(10px); } }
header { display: flex; align-items: center; gap: 12px; padding: 16px 14px 14px 20px; border-bottom: 1px solid var(--edge); }
header div { flex: 1; min-width: 0; }
h2 { margin: 0; font-size: 17px; font-weight: 650; letter-spacing: -.01em; line-height: 1.3; }
.status { margin: 1px 0 0; font-size: 13px; line-height: 1.35; color: var(--soft); }
.status::before { content: ""; display: inline-block; width: 8px; height: 8px; margin-inline-end: 7px; border-radius: 50%; background: var(--warm); }
.status[data-state=online]::before { background: var(--good); }
.status[data-state=refused]::before { background: var(--bad); }
.status:empty { display: none; }
.close { flex: none; width: 40px; height: 40px; padding: 8px; border: 0; border-radius: 12px; background: none; color: var(--soft); }
.close:hover { background: var(--sunken); color: var(--ink); }
.scroll { flex: 1; min-height: 0; overflow-y: auto; overscroll-behavior: contain; padding: 18px 16px 12px; display: flex; flex-direction: column; }
.scroll:focus-visible { outline-offset: -2px; }
.list { display: flex; flex-direction: column; gap: 3px; }
.hint { display: none; margin: auto; max-width: 26ch; text-align: center; color: var(--soft); text-wrap: balance; }
.list:empty + .hint { display: block; }
.message { position: relative; display: flex; flex-direction: column; align-items: flex-start; max-width: 86%; }
.message.first:not(:first-child) { margin-top: 14px; }
.name { display: none; margin: 0 12px 3px; font-size: 12px; font-weight: 600; color: var(--soft); }
.first > .name { display: block; }
.bubble {
  max-width: 100%; padding: 9px 14px; border-radius: 6px 18px 18px 6px; background: var(--sunken); white-space: pre-wrap; overflow-wrap: anywhere;
}
.first > .bubble { border-start-start-radius: 18px; }
.bubble a { color: inherit; text-underline-offset: 2px; }
.meta { margin: 2px 12px 0; font-size: 11.5px; color: var(--soft); display: none; }
.message:last-child > .meta, .message:has(+ .later) > .meta, [data-state=sending] > .meta, [data-state=failed] > .meta { display: block; }
.visitor { align-self: flex-end; align-items: flex-end; }
.visitor > .name, .system > .name { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; white-space: nowrap; }
.visitor > .bubble { background: var(--accent); color: var(--accent-ink); border-radius: 18px 6px 6px 18px; }
.visitor.first > .bubble { border-start-start-radius: 18px; border-start-end-radius: 18px; }
.operator > .bubble { background: var(--human); }
.operator > .name { color: var(--human-ink); }
.operator > .name::before { content: ""; display: inline-block; width: 7px; height: 7px; margin-inline-end: 6px; border-radius: 50%; background: currentColor; vertical-align: 1px; }
.system { align-self: center; align-items: center; text-align: center; margin-block: 8px; }
.system > .bubble { background: none; padding: 2px 12px; font-size: 13px; color: var(--soft); }
[data-state=sending] > .bubble { opacity: .62; }
[data-state=failed] > .bubble { background: none; color: var(--ink); box-shadow: inset 0 0 0 1.5px var(--bad); }
[data-state=failed] > .meta { color: var(--bad); }
.mend { border: 0; background: none; padding: 2px 12px; font-size: 12.5px; font-weight: 600; color: var(--accent); }
.chips { display: flex; flex-direction: column; gap: 6px; margin-top: 7px; max-width: 100%; }
.row { display: flex; flex-wrap: wrap; gap: 6px; }
.chip { padding: 6px 14px; border: 1.5px solid var(--accent); border-radius: 17px; background: none; color: var(--accent); font-size: 14px; font-weight: 550; text-align: start; overflow-wrap: anywhere; }
.chip:hover:enabled { background: var(--accent); color: var(--accent-ink); }
.chip:disabled { border-color: var(--edge); color: var(--soft); cursor: default; }
.typing { display: flex; gap: 5px; width: max-content; margin-top: 10px; padding: 14px 16px; border-radius: 18px; background: var(--sunken); }
.typing i { width: 7px; height: 7px; border-radius: 50%; background: var(--soft); animation: blink 1.2s infinite both; }
.typing i:nth-child(2) { animation-delay: .2s; }
.typing i:nth-child(3) { animation-delay: .4s; }
@keyframes blink { 0%, 80%, 100% { opacity: .3; } 40% { opacity: 1; } }
form { display: flex; align-items: flex-end; gap: 8px; margin: 0; padding: 10px 12px max(12px, env(safe-area-inset-bottom)); }
textarea {
  flex: 1; min-width: 0; max-height: 132px; padding: 10px 14px; border: 1px solid var(--edge); border-radius: 21px; background: var(--sunken);
  resize: none; overflow-y: auto; font-size: 16px; line-height: 20px;
}
textarea:focus { border-color: var(--accent); outline: 1px solid var(--accent); outline-offset: -2px; }
textarea::placeholder { color: var(--soft); opacity: 1; }
.send { flex: none; width: 42px; height: 42px; padding: 9px; border: 0; border-radius: 50%; background: var(--accent); color: var(--accent-ink); }
.send:hover { filter: brightness(1.08); }
@media (max-width: 480px) {
  .panel { position: fixed; inset: 0; width: auto; height: 100dvh; border: 0; border-radius: 0; }
  .launcher[aria-expanded=true] { display: none; }
}
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
`;

let shared;
/** One style sheet for all. A constructed sheet is no inline style: a host's policy lets it be. */
function sheet() {
  if (!shared) {
    shared = new CSSStyleSheet();
    shared.replaceSync(STYLE);
  }
  return shared;
}

// ---------------------------------------------------------------- the tag

/** The tag that brought us. `document.currentScript` is null in a module. */
function ownTag() {
  const ours = [...document.querySelectorAll("script[type=module][src]")].filter((tag) => tag.src === HERE.href);
  return ours.find((tag) => !tag.switchboardUsed);
}

/** Adds the element, unless the page has put one where it wants it. */
function settle(tag) {
  tag.switchboardUsed = true;
  if (document.querySelector(NAME)) return;
  const chat = make(NAME, { bot: tag.dataset.bot || "bot" });
  if (tag.dataset.heading) chat.setAttribute("heading", tag.dataset.heading);
  if ("open" in tag.dataset) chat.setAttribute("open", "");
  document.body.append(chat);
}

const tag = ownTag();
if (!customElements.get(NAME)) customElements.define(NAME, SwitchboardChat);
if (tag && document.body) settle(tag);
else if (tag) addEventListener("DOMContentLoaded", () => settle(tag), { once: true });
