// Whoever looks elsewhere is told: in the title, by a sound, by the browser. The last two only where they were asked for.

import { keep, kept } from "./console_dom.js";

const SHELF = "switchboard-console-notify";
const TITLE = document.title;
const QUIET = 2000; // milliseconds after the page was opened or the line came back

export class Notify {
  #switches;
  #on = kept(SHELF, { sound: false, notify: false });
  #audio = null;
  #quietUntil = 0;

  /** `switches`: two buttons, for the sound and for the browser's notifications. */
  constructor(switches) {
    this.#switches = switches;
    switches.sound.addEventListener("click", () => this.#turn("sound", !this.#on.sound) && this.#beep());
    switches.notify.addEventListener("click", () => this.#ask());
    if (!("Notification" in globalThis)) switches.notify.hidden = true;
    else if (Notification.permission !== "granted") this.#on.notify = false;
    this.#show();
    this.hush();
  }

  hush() {
    this.#quietUntil = Date.now() + QUIET;
  }

  title(number) {
    document.title = number ? `(${number}) ${TITLE}` : TITLE;
  }

  /** Somebody waits, or has answered the operator. No words of the talk: a screen may be seen by others. */
  tell(conversation, text, open) {
    if (Date.now() < this.#quietUntil) return;
    if (this.#on.sound) this.#beep();
    if (!this.#on.notify || document.visibilityState === "visible") return;
    const shown = new Notification("Switchboard", { body: text, tag: conversation });
    shown.addEventListener("click", () => (globalThis.focus(), open(conversation), shown.close()));
  }

  async #ask() {
    const wanted = !this.#on.notify;
    if (wanted && (await Notification.requestPermission()) !== "granted") {
      this.#switches.notify.title = "The browser does not allow notifications of this page.";
      return;
    }
    this.#turn("notify", wanted);
  }

  #turn(name, on) {
    this.#on[name] = on;
    keep(SHELF, this.#on);
    this.#show();
    return on;
  }

  #show() {
    for (const name of ["sound", "notify"]) this.#switches[name].setAttribute("aria-pressed", String(this.#on[name]));
  }

  // Two short tones, made here: nothing to load.
  #beep() {
    this.#audio ??= new AudioContext();
    const { currentTime: now, destination } = this.#audio;
    const gain = this.#audio.createGain();
    gain.gain.setValueAtTime(0.0001, now);
    gain.gain.exponentialRampToValueAtTime(0.08, now + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.0001, now + 0.35);
    gain.connect(destination);
    for (const [tone, at] of [[660, 0], [880, 0.12]]) {
      const source = this.#audio.createOscillator();
      source.frequency.value = tone;
      source.connect(gain);
      source.start(now + at);
      source.stop(now + at + 0.2);
    }
  }
}
