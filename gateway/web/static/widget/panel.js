import { button, icon, make } from "./dom.js";
import { steer } from "./keys.js";
import { sheet } from "./style.js";

const NEAR = 60; // pixels from the end that count as being there
const FULL_SCREEN = "(max-width: 480px), (max-height: 440px)"; // a phone, either way up

/** The panel's frame: its parts by name, their labels, where it is scrolled, and its place on a phone. */
export class Panel {
  #from = 0; // where it was scrolled to last
  atBottom = true;
  labels = { close: "close", list: "messages", text: "message", send: "send" };

  constructor(place, say) {
    Object.assign(this, { place, say, full: place.hasAttribute("full") });
    Object.assign(this, build(() => place.close(), () => this.bottom()));
    place.shadowRoot.adoptedStyleSheets = [...place.shadowRoot.adoptedStyleSheets, sheet()];
    place.shadowRoot.prepend(this.panel);
    this.label();
    steer(this);
    this.panel.addEventListener("keydown", (event) => event.key === "Escape" && !this.full && place.close());
    this.scroll.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    // Whoever reads the newest words stays with them when pictures come, the keyboard opens or a card is shown.
    const stay = new ResizeObserver(() => this.atBottom && this.bottom());
    for (const part of [this.scroll, this.list, this.typing]) stay.observe(part);
    for (const change of ["resize", "scroll"]) visualViewport?.addEventListener(change, () => this.#fit());
  }

  label() {
    const { place, say } = this;
    for (const [part, key] of Object.entries(this.labels)) this[part].setAttribute("aria-label", say(key));
    this.heading.textContent = place.getAttribute("heading") || say("heading");
    this.panel.setAttribute("aria-label", this.heading.textContent);
    this.text.placeholder = say("write");
    this.keys.textContent = say("keys");
    this.hint.textContent = say(place.hasAttribute("room") ? "roomHint" : "hint");
    this.earlier.textContent = say("earlier");
    this.newer.textContent = say("newer");
    this.inside.lang = place.language;
    this.inside.dir = place.language === "ar" ? "rtl" : "ltr";
  }

  /** A part that came later, with the key of its label. */
  add(name, part, key) {
    this[name] = part;
    this.labels[name] = key;
    part.setAttribute("aria-label", this.say(key));
    return part;
  }

  show(focus) {
    const { panel, text } = this;
    panel.hidden = false;
    panel.setAttribute("aria-modal", String(this.coversAll));
    this.#fit();
    this.bottom();
    if (!focus) return;
    // On a phone the field would bring the keyboard before anything could be read.
    (matchMedia("(pointer: fine)").matches && !text.disabled ? text : panel).focus();
  }

  get isVisible() {
    return !this.panel.hidden && document.visibilityState === "visible";
  }

  get coversAll() {
    return !this.full && matchMedia(FULL_SCREEN).matches;
  }

  // A keyboard on the screen covers what stands at the bottom; only the visual viewport tells. Whoever has zoomed in moves
  // about in the whole of it.
  #fit() {
    const whole = document.documentElement.clientHeight;
    const { height, offsetTop } = visualViewport?.scale < 1.01 ? visualViewport : { height: whole, offsetTop: 0 };
    const box = this.full ? this.place.getBoundingClientRect() : { top: 0, bottom: whole };
    const seen = { height, top: offsetTop - Math.max(0, box.top), below: Math.min(box.bottom, whole) - offsetTop - height };
    for (const name in seen) this.panel.style.setProperty(`--${name}`, `${Math.max(0, seen[name])}px`);
  }

  // Away from the end is who went up, not who was left behind by what came meanwhile.
  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroll;
    const isNear = scrollHeight - scrollTop - clientHeight < NEAR;
    this.atBottom = isNear || (this.atBottom && scrollTop >= this.#from);
    if (isNear) this.newer.hidden = true;
    this.#from = scrollTop;
  }

  bottom() {
    this.atBottom = true;
    this.newer.hidden = true;
    this.scroll.scrollTop = this.scroll.scrollHeight;
  }

  /** Says it to those who listen instead of looking; `urgent` words interrupt. */
  announce(text, urgent) {
    const node = urgent ? this.alert : this.news;
    node.textContent = "";
    node.append(make("p", {}, text));
  }
}

/** The panel's parts, by name. */
function build(close, down) {
  const quiet = (role) => make("div", { class: "quiet", role });
  const part = {
    heading: make("h2"),
    status: make("p", { class: "status", role: "status" }),
    actions: make("div", { class: "actions" }, button("close", "", "M6 6l12 12M18 6L6 18", close)),
    // What is said aloud comes by `news`: a log that announced itself would read the whole past.
    list: make("div", { class: "list", role: "log", "aria-live": "off", "aria-describedby": "keys" }),
    keys: make("p", { id: "keys", hidden: "" }),
    hint: make("p", { class: "hint" }),
    earlier: make("button", { type: "button", class: "earlier", hidden: "" }),
    typing: make("div", { class: "typing", hidden: "" }, make("i"), make("i"), make("i"), make("span")),
    newer: button("newer", "", null, down),
    text: make("textarea", { rows: "1" }),
    send: make("button", { type: "submit", class: "send" }, icon("M12 19V5M6 11l6-6 6 6")),
    news: quiet("status"),
    alert: quiet("alert"),
  };
  part.newer.hidden = true;
  part.close = part.actions.lastChild;
  part.scroll = make("div", { class: "scroll" }, part.earlier, part.list, part.hint, part.typing, part.keys);
  part.form = make("form", {}, part.text, part.send);
  part.foot = make("div", { class: "foot" }, part.newer, part.form);
  const head = make("header", {}, make("div", {}, part.heading, part.status), part.actions);
  part.inside = make("div", { class: "inside" }, head, part.scroll, part.foot, part.news, part.alert);
  part.panel = make("section", { class: "panel", role: "dialog", tabindex: "-1", hidden: "" }, part.inside);
  return part;
}
