// The console's socket: JSON frames of /ws/chat/admin/, and a line that comes back by itself.

const SOCKET = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/ws/chat/admin/`;
const FIRST = 500; // milliseconds
const MOST = 15_000;
const GOING_AWAY = 4012;
const NOT_ALLOWED = 4001;

/** Calls `on.open()`, `on.frame(frame)` and `on.state("connecting" | "online" | "waiting")`. */
export class Line {
  #on;
  #socket = null;
  #timer = 0;
  #failures = 0;

  constructor(on) {
    this.#on = on;
    addEventListener("online", () => this.#wake());
    addEventListener("offline", () => this.#socket && this.#closed(0));
    document.addEventListener("visibilitychange", () => this.#wake());
    this.#connect();
  }

  /** False where there is no line to send it on. */
  send(frame) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  #connect() {
    clearTimeout(this.#timer);
    if (!this.#failures) this.#on.state("connecting");
    const socket = (this.#socket = new WebSocket(SOCKET));
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.#failures = 0;
      this.#on.state("online");
      this.#on.open();
    };
    socket.onmessage = (event) => this.#on.frame(JSON.parse(event.data));
    socket.onclose = (event) => {
      // Signed out, or something on this page is not theirs to see any more: the page anew says which.
      if (event.code === NOT_ALLOWED) return location.reload();
      if (!opened) askWhetherSignedIn();
      this.#closed(event.code);
    };
  }

  #closed(code) {
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = null;
    this.#on.state("waiting");
    const longest = Math.min(MOST, FIRST * 2 ** this.#failures++);
    const atOnce = code === GOING_AWAY && this.#failures === 1;
    this.#timer = setTimeout(() => this.#connect(), atOnce ? 0 : longest * (0.5 + Math.random() / 2));
  }

  #wake() {
    if (document.visibilityState === "visible" && navigator.onLine && !this.#socket) this.#connect();
  }
}

// A refused socket tells a page nothing but that it was refused: the page itself knows whether we may still be here.
async function askWhetherSignedIn() {
  try {
    const answer = await fetch(location.pathname, { method: "HEAD", redirect: "manual" });
    if (answer.type === "opaqueredirect" || answer.status === 403) location.reload();
  } catch {
    // No network: the line tries again by itself.
  }
}
