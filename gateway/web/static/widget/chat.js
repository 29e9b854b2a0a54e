import { Composer } from "./composer.js";
import { List } from "./list.js";
import { Panel } from "./panel.js";
import { Talk } from "./talk.js";
import { speaker } from "./words.js";
// What those import in turn is asked for with them: on a slow network another round is half a second.
import "./dom.js";
import "./keys.js";
import "./line.js";
import "./shelf.js";
import "./style.js";

const TYPING_SHOWN = 6_000;
const PAGE = 50;

/** The conversation of one element: brings together what is said (Talk) and what is seen (Panel, List, Composer). */
export class Chat {
  #state = "connecting";
  #operator = null;
  #options = {};
  #asked = false;
  #refreshing = 0;
  #typingTimer = 0;

  /** `place`: the element. It gives its attributes and language, and takes `tell` and `news`. */
  constructor(place) {
    this.place = place;
    this.say = speaker(place);
    this.panel = new Panel(place, this.say);
    this.list = new List(this.panel.list, this.say, this.#calls());
    this.talk = new Talk(place, this);
    this.list.room = Boolean(this.talk.room);
    this.composer = new Composer(this.panel, this.talk.drafts, {
      send: (text, files) => this.#send(text, files),
      typing: () => this.talk.typing(),
    });
    const name = place.getAttribute("name");
    if (name && !this.talk.shelf.get().name) this.talk.shelf.put({ name });
    this.panel.earlier.addEventListener("click", () => this.#earlier());
    new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && this.#earlier()).observe(this.panel.earlier);
    for (const words of this.talk.unsent.values()) if (words.shown) this.pending(words);
  }

  // Life

  start() {
    addEventListener("storage", this.#follow);
    document.addEventListener("visibilitychange", this.#refresh);
    this.talk.line.start();
  }

  stop() {
    removeEventListener("storage", this.#follow);
    document.removeEventListener("visibilitychange", this.#refresh);
    this.talk.line.stop();
  }

  /** With another identity, told by a new hello; without any, who was known is forgotten on this machine. */
  again(isKnown) {
    if (isKnown) this.talk.restart();
    else this.talk.anew();
  }

  show(focus) {
    this.talk.drafts.put({ open: true });
    this.start();
    this.panel.show(focus);
    this.composer.grow();
    this.#refresh();
  }

  hide() {
    this.panel.panel.hidden = true;
    this.talk.drafts.put({ open: false });
    this.#refresh();
  }

  relabel() {
    this.panel.label();
    this.list.redraw();
    this.state(this.#state);
  }

  #follow = (event) => {
    if (event.key === this.talk.shelf.key) this.talk.follow();
  };

  #calls() {
    return {
      home: this.place.home,
      language: () => this.place.language,
      press: (choice) => this.talk.press(choice),
      again: (words) => this.talk.again(words),
      change: (words) => this.#change(words),
      drawn: (own) => this.#drawn(own),
    };
  }

  #send(text, files) {
    const name = this.talk.room && /^\/name\s+(.+)/s.exec(text)?.[1].trim();
    this.card?.remove();
    if (name) this.talk.tell({ type: "name", name });
    else this.talk.say(text, files);
  }

  #change(words) {
    this.talk.withdraw(words);
    this.list.remove(words.id);
    this.composer.put(words.text);
  }

  // What Talk tells

  welcome({ options, seq }) {
    this.#operator = null;
    this.#options = options ?? {};
    this.state("online");
    // What cannot be loaded now is offered after the next welcome.
    if (options) import("./options.js").then((part) => part.apply(this, { ...options, isNew: !seq })).catch(() => {});
  }

  /** `state`: a key of the words. Trouble with the line is told here, never as a message. */
  state(state) {
    const { status, text } = this.panel;
    this.#state = state;
    this.#asked = false;
    const who = this.#operator && this.say("joined", { name: this.#operator });
    // A bot is always there; who asks for a form while no human is says that a human is needed.
    const away = this.#options.online === false && this.#options.form?.when === "offline";
    status.textContent = state !== "online" ? this.say(state) : away ? this.say("away") : (who ?? this.say("online"));
    status.dataset.state = state === "online" && away ? "away" : state;
    text.disabled = state === "refused";
    this.place.tell("state", state);
  }

  empty() {
    this.#operator = null;
    this.list.empty();
  }

  newest() {
    return this.list.newest();
  }

  pending(words) {
    this.list.pending(words);
    if (words.problem) this.panel.announce(this.say(words.problem) || this.say("unsent"), true);
  }

  acknowledged(id, seq) {
    this.list.acknowledged(id, seq);
  }

  message(message, isNews) {
    const entry = this.list.message(message, isNews);
    if (!entry || !isNews) return;
    const kind = this.list.kind(entry);
    this.place.tell("message", message);
    if (kind === "visitor") return;
    this.#typingOver();
    const who = entry.name || this.say(kind);
    if (this.panel.isVisible) this.panel.announce(`${who}: ${entry.text}`);
    if (!this.panel.atBottom) this.panel.newer.hidden = false;
    this.#refresh({ who, text: entry.text });
  }

  caughtUp() {
    this.list.caughtUp();
    this.#refresh();
    const last = this.list.entries.filter((entry) => this.#isUnread(entry)).at(-1);
    if (last) this.place.news(this.#unread(), { who: last.name || this.say(last.from), text: last.text });
  }

  history({ messages, more }) {
    const { scroll } = this.panel;
    const below = scroll.scrollHeight - scroll.scrollTop;
    this.list.history(messages, more);
    this.panel.earlier.hidden = !this.list.hasEarlier;
    scroll.scrollTop = scroll.scrollHeight - below;
    this.#asked = false;
  }

  #earlier() {
    if (this.#asked || !this.list.hasEarlier) return;
    this.#asked = this.talk.tell({ type: "history", before: this.list.floor, limit: PAGE });
  }

  typing({ from, name }) {
    if (from === "visitor" && !this.talk.room) return;
    clearTimeout(this.#typingTimer);
    const { typing } = this.panel;
    typing.lastChild.textContent = this.say("typing", { name: name || this.#operator || this.say(from) });
    typing.hidden = false;
    this.#typingTimer = setTimeout(() => this.#typingOver(), TYPING_SHOWN);
  }

  #typingOver() {
    this.panel.typing.hidden = true;
  }

  operator(name, isNews) {
    const was = this.#operator;
    if (name === was) return;
    this.#operator = name;
    this.state("online");
    // Who was there before us has not just come.
    if (!isNews && !was) return;
    const note = name ? this.say("joined", { name }) : this.say("left", { name: was });
    this.list.note(note);
    this.panel.announce(note);
  }

  ended(rate) {
    this.place.tell("ended");
    import("./ending.js").then((part) => part.ended(this, rate), () => {});
  }

  /** An error that is about no message. */
  refused(code, detail) {
    this.#asked = false;
    this.place.tell("error", { code, detail });
    if (code !== "bad_name") return;
    this.list.note(detail);
    this.panel.announce(detail, true);
  }

  renamed(name) {
    const note = this.say("renamed", { name });
    this.list.note(note);
    this.panel.announce(note);
  }

  // What is seen

  #drawn(own) {
    if (own) this.panel.bottom();
    this.#refresh();
  }

  #isUnread(entry) {
    return this.list.kind(entry) !== "visitor" && Number.isInteger(entry.seq) && entry.seq > (this.talk.shelf.get().read ?? 0);
  }

  #unread() {
    return this.list.entries.filter((entry) => this.#isUnread(entry)).length;
  }

  // Once for a whole batch of frames.
  #refresh = (newest) => {
    this.#newest = newest?.text ? newest : this.#newest;
    this.#refreshing ||= setTimeout(() => {
      this.#refreshing = 0;
      this.list.activate();
      this.panel.earlier.hidden = !this.list.hasEarlier;
      const read = Math.floor(this.list.newest());
      if (this.panel.isVisible && read > (this.talk.shelf.get().read ?? 0)) this.talk.shelf.put({ read });
      this.place.news(this.#unread(), this.#newest);
      this.#newest = undefined;
    }, 16);
  };

  #newest;
}
