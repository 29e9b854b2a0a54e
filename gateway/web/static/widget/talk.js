import { newId } from "./dom.js";
import { Line } from "./line.js";
import { Shelf } from "./shelf.js";

const RECENT = 50; // messages of a conversation that is not on the page yet; older ones when they are looked for
const ACK_WITHIN = 15_000;
const PAUSE = 1_500; // before asking again what is not ready
const TYPING_EVERY = 3_000;
const QUIET = 250; // without a frame: what was missed has come
const CAUGHT_UP_WITHIN = 4_000;
const FRAME_LIMIT = 60_000; // bytes; the gateway's is 65,536

/** What was said and what is still to be sent: speaks the frames of /ws/chat/, tells `view` what to show. */
export class Talk {
  #place;
  #view;
  #welcomed = false;
  #since = 0;
  #conversation = null;
  #typed = 0;
  #timers = {};

  /** `place`: the element, for its bot, room, key, language and identity. */
  constructor(place, view) {
    this.#place = place;
    this.#view = view;
    this.room = place.getAttribute("room");
    this.shelf = new Shelf("localStorage", place.key);
    this.drafts = new Shelf("sessionStorage", place.key);
    this.unsent = new Map((this.drafts.get().unsent ?? []).map((words) => [words.id, words]));
    this.line = new Line(place.home, this.room, {
      open: () => this.line.send(this.#hello()),
      hello: () => this.#hello(),
      frame: (frame) => this.#hears[frame.type]?.(frame),
      state: (state) => this.#changed(state),
    });
  }

  say(text, files = []) {
    const carried = files.length ? { files: files.map(({ id }) => id) } : {};
    this.#queue({ type: "message", id: newId(), text, ...carried, shown: { text, files } });
  }

  press({ data, text }) {
    this.#queue({ type: "button", id: newId(), data, shown: { text } });
  }

  /** A frame that asks for an ack but is no message: `shown` is null. Kept and sent like one. */
  ask(frame, done) {
    this.#queue({ id: newId(), ...frame, shown: null, done });
  }

  /** A frame that is worth nothing later. */
  tell(frame) {
    if (this.#welcomed) this.line.send(frame);
    return this.#welcomed;
  }

  again(words) {
    delete words.problem;
    delete words.detail;
    this.#queue(words);
  }

  withdraw(words) {
    this.#done(words.id);
  }

  typing() {
    if (Date.now() - this.#typed >= TYPING_EVERY && this.tell({ type: "typing" })) this.#typed = Date.now();
  }

  /** Another tab has begun another conversation: follow it. */
  follow() {
    const { conversation } = this.shelf.get();
    if (this.#conversation && conversation && conversation !== this.#conversation) this.restart();
  }

  restart() {
    if (!this.line.isRunning) return;
    this.line.stop();
    this.line.start();
  }

  /** Leaves this conversation and begins another. */
  anew() {
    this.#forget();
    this.restart();
  }

  #queue(words) {
    this.unsent.set(words.id, words);
    this.#keep();
    this.#send(words);
    this.line.start();
  }

  #send(words) {
    if (words.shown) this.#view.pending(words);
    this.#typed = 0; // Words end the typing where it is shown: the next is told at once.
    const { shown, problem, detail, hopeless, done, ...frame } = words;
    if (!this.#welcomed || problem) return;
    if (new TextEncoder().encode(JSON.stringify(frame)).length > FRAME_LIMIT) {
      this.#failed(words, "too_long");
      return;
    }
    this.line.send(frame);
    this.#timers.ack ??= setTimeout(this.line.drop, ACK_WITHIN);
  }

  #failed(words, problem, detail) {
    Object.assign(words, { problem, detail, hopeless: problem !== "rate_limited" });
    this.#keep();
    if (words.shown) this.#view.pending(words);
    else this.#done(words.id, { problem, detail });
  }

  #keep() {
    this.drafts.put({ unsent: [...this.unsent.values()] });
  }

  #done(id, outcome) {
    const words = this.unsent.get(id);
    if (!this.unsent.delete(id)) return;
    this.#keep();
    clearTimeout(this.#timers.ack);
    const waiting = [...this.unsent.values()].some((each) => !each.problem);
    this.#timers.ack = waiting ? setTimeout(this.line.drop, ACK_WITHIN) : undefined;
    words.done?.(outcome);
  }

  #hello() {
    const { token, conversation, name } = this.shelf.get();
    // Another tab may have begun another conversation: its revisions are not ours.
    if (this.#conversation && conversation !== this.#conversation) this.#empty();
    const { bot, language, identity } = this.#place;
    const recent = this.#since ? {} : { recent: RECENT };
    const called = this.room && name ? { name } : {};
    return { type: "hello", token: token ?? null, since: this.#since, bot, language, ...recent, ...identity, ...called };
  }

  #forget() {
    this.shelf.put({ token: null, conversation: null, read: 0, form: null });
    this.#empty();
  }

  #empty() {
    this.#since = 0;
    this.#conversation = null;
    this.#view.empty();
    for (const words of this.unsent.values()) if (words.shown) this.#view.pending(words);
  }

  #changed(state) {
    this.#welcomed = false;
    for (const name of ["ack", "pause", "quiet"]) clearTimeout(this.#timers[name]);
    this.#timers = {};
    this.#view.state(state);
  }

  #flush() {
    for (const words of this.unsent.values()) this.#send(words);
  }

  #later() {
    clearTimeout(this.#timers.pause);
    const ask = () => (this.#welcomed ? this.#flush() : this.line.send(this.#hello()));
    this.#timers.pause = setTimeout(ask, PAUSE * (1 + Math.random()));
  }

  // The gateway does not say where the past ends: some quiet does.
  #settle(within) {
    clearTimeout(this.#timers.quiet);
    this.#timers.quiet = setTimeout(() => {
      this.#timers.quiet = undefined;
      this.#view.caughtUp();
    }, within);
  }

  #hears = {
    welcome: (frame) => {
      const { token, conversation, seq } = frame;
      if (this.#conversation && conversation !== this.#conversation) this.#empty();
      this.#conversation = conversation;
      this.shelf.put({ token, conversation });
      this.line.settled();
      this.#welcomed = true;
      this.#view.welcome(frame);
      this.#settle(seq > this.#view.newest() ? CAUGHT_UP_WITHIN : 0);
      this.#flush();
    },
    ack: ({ id, seq }) => {
      this.#done(id);
      this.#view.acknowledged(id, seq);
    },
    message: (message) => {
      this.#since = Math.max(this.#since, message.rev);
      if (message.id) this.#done(message.id);
      if (this.#timers.quiet) this.#settle(QUIET);
      this.#view.message(message, !this.#timers.quiet);
    },
    history: (frame) => this.#view.history(frame),
    typing: (frame) => this.#view.typing(frame),
    operator: ({ name }) => this.#view.operator(name, !this.#timers.quiet),
    name: ({ name }) => {
      this.shelf.put({ name });
      this.#view.renamed(name);
    },
    ended: ({ rate }) => this.#view.ended(rate),
    error: ({ code, detail, id }) => this.#error(code, detail, id),
  };

  #error(code, detail, id) {
    if (code === "bad_token") {
      this.#forget();
    } else if (code === "not_ready") {
      if (!this.#welcomed) this.#view.state("starting");
      this.#later();
    } else if (code === "unknown_bot" || code === "bad_origin") {
      this.line.refuse();
    } else if (this.unsent.has(id)) {
      this.#failed(this.unsent.get(id), code, detail);
    } else {
      this.#view.refused(code, detail);
    }
  }
}
