const WAIT = 25; // seconds that the gateway may hold a question
const PAUSE = 1_500; // before who was not ready is asked again
const MOST = 60; // frames of a request
const GATHER = 20; // milliseconds: what is said at once goes in one request

/** A WebSocket's four handlers, `send` and `close` over plain requests, for networks that let no WebSocket through. */
export class Poll {
  readyState = 0;
  onopen = this.onmessage = this.onclose = null;
  #url;
  #room;
  #hello;
  #out = [];
  #sending = null;
  #gone = new AbortController();
  #welcomed = false;

  /** `hello` gives the frame that every request begins with: the gateway keeps nothing between them. */
  constructor(home, room, hello) {
    this.#url = new URL("/chat/poll/", home);
    this.#room = room ? { room } : {};
    this.#hello = hello;
    queueMicrotask(() => this.#begin());
  }

  send(text) {
    const frame = JSON.parse(text);
    if (frame.type === "hello") return;
    this.#out.push(frame);
    this.#sending ??= setTimeout(() => this.#flush(), GATHER);
  }

  close() {
    this.readyState = 3;
    clearTimeout(this.#sending);
    this.#gone.abort();
  }

  async #begin() {
    if (!(await this.#ask([], 0))) return;
    while (this.readyState === 1 && (await this.#ask([], WAIT)));
  }

  // One at a time: what was said first arrives first.
  async #flush() {
    while (this.#out.length && (await this.#ask(this.#out.splice(0, MOST), 0)));
    this.#sending = null;
  }

  /** False where it failed; the line is closed then. */
  async #ask(frames, wait) {
    const body = JSON.stringify({ hello: this.#hello(), ...this.#room, frames, wait });
    try {
      const answer = await fetch(this.#url, { method: "POST", body, signal: this.#gone.signal, credentials: "omit" });
      if (!answer.ok) return this.#end({ 403: 4003, 429: 4008 }[answer.status]);
      const { frames: heard, code } = await answer.json();
      this.#open();
      this.#hear(heard);
      if (code) return this.#end(code);
      if (!heard.some(({ type }) => type === "welcome")) await new Promise((done) => setTimeout(done, PAUSE));
      return this.readyState === 1;
    } catch {
      return this.#end();
    }
  }

  #open() {
    if (this.readyState) return;
    this.readyState = 1;
    this.onopen?.();
  }

  // Every answer is welcomed anew; after the first it says only who has taken the conversation over, or that nobody has.
  #hear(frames) {
    const operator = frames.find(({ type }) => type === "operator") ?? { type: "operator", name: null };
    const repeats = this.#welcomed && frames[0]?.type === "welcome";
    for (const frame of repeats ? [operator, ...frames.slice(1)] : frames) {
      if (this.readyState === 1) this.onmessage?.({ data: JSON.stringify(frame) });
    }
    this.#welcomed ||= frames[0]?.type === "welcome";
  }

  #end(code = 1006) {
    if (this.readyState !== 3) {
      this.readyState = 3;
      this.onclose?.({ code });
    }
    return false;
  }
}
