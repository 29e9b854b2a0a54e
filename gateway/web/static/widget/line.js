const BACK_OFF = { first: 500, most: 30_000 }; // milliseconds
const LOOK_EVERY = 15_000;
const SLEPT = 90_000; // a hidden page's clock may be held for a minute
const BLOCKED_AFTER = 2; // sockets that never opened, before the other way is tried
const CLOSED = { badOrigin: 4003, flooding: 4008, goingAway: 4012 };

/** A line that comes back by itself. Calls `on.open()`, `on.frame(frame)` and `on.state(name)`; asks `on.hello()`. */
export class Line {
  #on;
  #home;
  #room;
  #socket = null;
  #timers = {};
  #failures = 0;
  #unopened = 0;
  #Poll = null;
  #stopped = true;
  #refused = false;
  #looked = 0;

  constructor(home, room, on) {
    this.#on = on;
    this.#home = home;
    this.#room = room;
    this.wake = () => this.#wake();
    this.drop = () => this.#drop();
  }

  start() {
    if (!this.#stopped || this.#refused) return;
    this.#stopped = false;
    this.#listen(addEventListener, document.addEventListener);
    this.#looked = Date.now();
    this.#timers.look = setInterval(() => this.#look(), LOOK_EVERY);
    this.#connect();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timers.again);
    clearInterval(this.#timers.look);
    this.#listen(removeEventListener, document.removeEventListener);
    this.#forget();
  }

  #listen(page, seen) {
    page("online", this.wake);
    page("pageshow", this.wake);
    page("offline", this.drop);
    seen.call(document, "visibilitychange", this.wake);
  }

  get isRunning() {
    return !this.#stopped;
  }

  /** For good: asking again would give the same answer. */
  refuse() {
    this.#refused = true;
    this.stop();
    this.#on.state("refused");
  }

  /** The other side has welcomed us: the next failure is a first one again. */
  settled() {
    this.#failures = this.#unopened = 0;
  }

  send(frame) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(frame));
  }

  #connect() {
    clearTimeout(this.#timers.again);
    this.#forget();
    if (!this.#failures) this.#on.state("connecting");
    const socket = (this.#socket = this.#Poll ? new this.#Poll(this.#home, this.#room, this.#on.hello) : this.#open());
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.#on.open();
    };
    socket.onmessage = (event) => this.#on.frame(JSON.parse(event.data));
    socket.onclose = (event) => this.#closed(event.code, opened);
  }

  #open() {
    const path = this.#room ? `room/${encodeURIComponent(this.#room)}/` : "";
    return new WebSocket(`${this.#home.protocol.replace("http", "ws")}//${this.#home.host}/ws/chat/${path}`);
  }

  #forget() {
    if (!this.#socket) return;
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = null;
  }

  #closed(code, opened = true) {
    this.#forget();
    if (code === CLOSED.badOrigin) return this.refuse();
    if (!opened && navigator.onLine && ++this.#unopened >= BLOCKED_AFTER) this.#otherWay();
    this.#on.state(code === CLOSED.flooding ? "flooding" : navigator.onLine ? "waiting" : "offline");
    clearTimeout(this.#timers.again);
    this.#timers.again = setTimeout(() => this.#connect(), this.#delay(code));
  }

  // Some networks let no WebSocket through. Each way is tried in turn, since the gateway may be what is away.
  async #otherWay() {
    this.#unopened = 0;
    this.#failures = Math.max(0, this.#failures - 1); // The other way has not failed yet: it need not wait longer than this one did.
    if (this.#Poll) this.#Poll = null;
    else this.#Poll = await import("./poll.js").then((part) => part.Poll, () => null);
  }

  #delay(code) {
    if (code === CLOSED.goingAway && !this.#failures++) return 0;
    const longest = Math.min(BACK_OFF.most, BACK_OFF.first * 2 ** this.#failures++);
    return (code === CLOSED.flooding ? BACK_OFF.most / 2 : longest / 2) + (Math.random() * longest) / 2;
  }

  // A page that is seen again, or a network that is back, need not wait for the clock.
  #wake() {
    this.#look();
    if (document.visibilityState === "visible" && navigator.onLine && !this.#socket && !this.#stopped) this.#connect();
  }

  // After a lost network, or a sleep, a socket may look open for minutes.
  #drop() {
    if (!this.#stopped && this.#socket) this.#closed(0);
  }

  #look() {
    const slept = Date.now() - this.#looked > SLEPT;
    this.#looked = Date.now();
    if (!slept || this.#stopped) return;
    this.#failures = 0;
    this.#connect();
  }
}
