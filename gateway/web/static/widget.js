// The Switchboard chat widget: one tag, one custom element, no build step. How to use it: docs/widget.md.
// This file is the button on the page; the conversation comes out of widget/ when it is asked for.

const HERE = new URL(import.meta.url);
const PARTS = new URL("widget/now/", HERE); // The gateway writes a version for "now": such files are kept for good.
const NAME = "switchboard-chat";
const OPTIONS = ["bot", "room", "name", "heading", "language", "theme", "open", "identity", "signature"];
const LANGUAGES = ["en", "ko", "ar", "de", "es", "fr", "ja", "pt", "ru", "zh"];
const BUTTON = { open: "Open the chat", close: "Close the chat", unread: "{n} unread", dismiss: "Dismiss" };
const PREVIEW_CHARACTERS = 140;

class SwitchboardChat extends HTMLElement {
  #chat = null;
  #tries = 0;
  #unread = 0;
  #parts = build();

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet()];
    const { launcher, preview, show, dismiss } = this.#parts;
    this.shadowRoot.append(preview, launcher);
    launcher.addEventListener("click", () => (this.isOpen ? this.close() : this.open()));
    // Whoever comes near will press it, and finds the conversation there.
    for (const near of ["pointerenter", "focus"]) launcher.addEventListener(near, () => this.#load().catch(() => {}));
    show.addEventListener("click", () => this.open());
    dismiss.addEventListener("click", () => (preview.hidden = true));
  }

  connectedCallback() {
    if (!this.key) this.#begin();
    const { open, unsent } = kept("sessionStorage", this.key);
    const known = kept("localStorage", this.key).token || unsent?.length;
    if (this.hasAttribute("full") || (open ?? this.hasAttribute("open"))) this.open({ focus: false });
    else if (known || this.#chat) this.#load().then((chat) => chat.start(), () => {});
  }

  disconnectedCallback() {
    this.#chat?.then((chat) => chat.stop());
  }

  #begin() {
    const room = this.getAttribute("room");
    this.home = HERE;
    this.bot = this.getAttribute("bot") || "bot";
    this.key = `switchboard:${HERE.origin}:${this.bot}${room ? `#${room}` : ""}`;
    const identity = this.getAttribute("identity");
    if (identity) this.identify(parsed(identity), this.getAttribute("signature"));
    this.setLanguage(this.getAttribute("language"));
    this.tell("ready");
  }

  /** The conversation, loaded once. */
  #load() {
    // What could not be loaded is remembered as such under its address: another try needs another one.
    const part = new URL(this.#tries ? `chat.js?${this.#tries}` : "chat.js", PARTS);
    this.#chat ??= import(part).then(
      ({ Chat }) => new Chat(this),
      (error) => {
        this.#chat = null;
        this.#tries += 1;
        throw error;
      },
    );
    return this.#chat;
  }

  // What a page may call

  get isOpen() {
    return this.#parts.launcher.getAttribute("aria-expanded") === "true";
  }

  /** Opens the panel. A first visit connects only now: nobody is counted who does not ask. */
  open({ focus = true } = {}) {
    const { launcher, preview } = this.#parts;
    if (!this.isOpen) this.#turn("true");
    preview.hidden = true;
    launcher.ariaBusy = "true";
    const shown = this.#load().then((chat) => this.isOpen && chat.show(focus), () => this.#turn("false"));
    shown.finally(() => (launcher.ariaBusy = null));
  }

  close() {
    if (!this.isOpen) return;
    this.#turn("false");
    this.#chat?.then((chat) => this.isOpen || chat.hide());
    this.#parts.launcher.focus();
  }

  #turn(open) {
    this.#parts.launcher.setAttribute("aria-expanded", open);
    this.#label();
    this.tell(this.isOpen ? "open" : "close");
  }

  /** `{id, name, email, …, expires}` and its signature by the site's own server; null, once the visitor has signed out. */
  identify(identity, signature) {
    this.identity = identity ? { identity, signature } : {};
    if (this.#chat) this.#chat.then((chat) => chat.again(Boolean(identity)));
    else if (!identity) forget(this.key);
  }

  /** One of `LANGUAGES`; where it is none of them, the page's, and then the browser's. */
  async setLanguage(language) {
    this.language = chosen([language, document.documentElement.lang, ...(navigator.languages ?? [])]);
    const part = new URL(`words_${this.language}.js`, PARTS);
    this.words = this.language === "en" ? {} : await import(part).then((words) => words.default, () => ({}));
    this.#label();
    (await this.#chat)?.relabel();
  }

  // What the conversation calls

  /** An event `switchboard:<name>` for the page. */
  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(`switchboard:${name}`, { detail, bubbles: true, composed: true }));
  }

  /** `count` words are unread; `newest`, if it is new, is shown beside the button: `{who, text}`. */
  news(count, newest) {
    const { preview, who, said } = this.#parts;
    if (count !== this.#unread) this.tell("unread", count);
    this.#unread = count;
    if (newest) {
      who.textContent = newest.who;
      said.textContent = newest.text.slice(0, PREVIEW_CHARACTERS);
    }
    preview.hidden = this.isOpen || !count || (preview.hidden && !newest);
    this.#label();
  }

  #label() {
    const { launcher, badge, dismiss } = this.#parts;
    const says = { ...BUTTON, ...this.words };
    const does = this.isOpen ? says.close : says.open;
    badge.hidden = !this.#unread || this.isOpen;
    badge.textContent = this.#unread > 99 ? "99+" : this.#unread;
    launcher.setAttribute("aria-label", badge.hidden ? does : `${does}, ${says.unread.replace("{n}", this.#unread)}`);
    dismiss.setAttribute("aria-label", says.dismiss);
  }
}

function parsed(identity) {
  try {
    return JSON.parse(identity);
  } catch {
    console.error("switchboard-chat: its identity is no JSON, so nobody is identified.");
    return null;
  }
}

/** JSON that was kept, `{}` where there is none or storage is forbidden. */
function kept(storage, key) {
  try {
    return JSON.parse(globalThis[storage].getItem(key)) ?? {};
  } catch {
    return {};
  }
}

/** Whose conversation it was is nobody's business any more. */
function forget(key) {
  try {
    localStorage.removeItem(key);
  } catch {
    // Then nothing was kept.
  }
}

/** The first of the `wanted` languages that the chat has. */
function chosen(wanted) {
  const codes = wanted.map((tag) => String(tag ?? "").toLowerCase().split("-")[0]);
  return codes.find((code) => LANGUAGES.includes(code)) ?? "en";
}

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS(svg.namespaceURI, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

function build() {
  const badge = make("span", { class: "badge", hidden: "" });
  const launcher = make("button", { type: "button", class: "launcher", "aria-label": BUTTON.open, "aria-expanded": "false" });
  launcher.append(icon("M4 5h16v11H11l-5 4v-4H4z"), icon("M6 9l6 6 6-6"), badge);
  const who = make("strong", { dir: "auto" });
  const said = make("span", { dir: "auto" });
  const show = make("button", { type: "button", class: "show" }, who, said);
  const dismiss = make("button", { type: "button", class: "dismiss", "aria-label": BUTTON.dismiss }, icon("M7 7l10 10M17 7L7 17"));
  const preview = make("div", { class: "preview", hidden: "" }, show, dismiss);
  return { badge, launcher, who, said, show, dismiss, preview };
}

const STYLE = `
:host {
  all: initial; position: fixed; inset-block-end: 20px; inset-inline-end: 20px; z-index: 2147483000; color-scheme: light dark;
  --accent: var(--switchboard-accent, light-dark(#3f5bd8, #93a6ff)); --accent-ink: var(--switchboard-accent-ink, light-dark(#fff, #10131f));
  --ground: var(--switchboard-ground, light-dark(#fff, #181b26)); --ink: var(--switchboard-ink, light-dark(#1b1f2d, #e8eaf2));
  --soft: light-dark(#5d6579, #a2aac0); --edge: light-dark(#e3e6ef, #2f3447);
  --font: 15px/1.45 var(--switchboard-font, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif);
}
/* A page's rules for everything, such as body > *, mean its own; only where we stand is for it to say. */
:host(:not([full])) {
  position: fixed !important; width: auto !important; height: auto !important; max-width: none !important; margin: 0 !important;
  padding: 0 !important; border: 0 !important; background: none !important; opacity: 1 !important; transform: none !important; filter: none !important;
}
:where(.launcher, .preview, .panel) { all: initial; color-scheme: inherit; visibility: inherit; }
.launcher, .preview, .panel { font: var(--font); }
:host([theme=light]) { color-scheme: light; }
:host([theme=dark]) { color-scheme: dark; }
:host([hidden]), [hidden] { display: none !important; }
*, ::before { box-sizing: border-box; }
button { font: inherit; color: inherit; margin: 0; padding: 0; border: 0; background: none; cursor: pointer; }
svg { width: 24px; height: 24px; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; display: block; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.launcher {
  position: relative; width: 58px; height: 58px; border-radius: 50%; display: grid; place-items: center;
  background: var(--accent); color: var(--accent-ink); box-shadow: 0 10px 28px -8px rgb(20 26 60 / .55); transition: transform .15s;
}
.launcher:hover { transform: scale(1.05); }
.launcher[aria-expanded=false] svg + svg, .launcher[aria-expanded=true] svg:first-child { display: none; }
.launcher[aria-busy] svg { animation: wait .7s infinite alternate; }
.badge {
  position: absolute; top: -3px; inset-inline-end: -3px; min-width: 22px; padding: 0 6px; border-radius: 11px;
  background: #c8203a; color: #fff; font-size: 12px; font-weight: 650; line-height: 22px; text-align: center;
}
.preview {
  position: absolute; bottom: 72px; inset-inline-end: 0; width: min(300px, calc(100vw - 40px)); background: var(--ground); color: var(--ink);
  border: 1px solid var(--edge); border-radius: 16px; box-shadow: 0 16px 40px -16px rgb(15 20 50 / .5); animation: rise .2s ease-out;
}
.show { display: block; width: 100%; padding: 12px 44px 13px 16px; text-align: start; border-radius: inherit; }
.show:dir(rtl) { padding: 12px 16px 13px 44px; }
.show strong, .show span { display: block; overflow-wrap: anywhere; }
.show strong { font-size: 12.5px; color: var(--soft); }
.dismiss { position: absolute; top: 6px; inset-inline-end: 6px; padding: 6px; border-radius: 10px; color: var(--soft); }
.dismiss svg { width: 20px; height: 20px; }
@keyframes wait { to { opacity: .2; } }
@keyframes rise { from { opacity: 0; transform: translateY(10px); } }
@media print { :host { display: none !important; } }
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

/** The tag that brought us. `document.currentScript` is null in a module. */
function ownTag() {
  const ours = [...document.querySelectorAll("script[type=module][src]")].filter((tag) => tag.src === HERE.href);
  return ours.find((tag) => !tag.switchboardUsed);
}

/** Adds the element, unless the page has put one where it wants it. */
function settle(tag) {
  tag.switchboardUsed = true;
  if (document.querySelector(NAME)) return;
  const given = OPTIONS.filter((option) => option in tag.dataset).map((option) => [option, tag.dataset[option]]);
  document.body.append(make(NAME, Object.fromEntries(given)));
}

const tag = ownTag();
if (!customElements.get(NAME)) customElements.define(NAME, SwitchboardChat);
if (tag && document.body) settle(tag);
else if (tag) addEventListener("DOMContentLoaded", () => settle(tag), { once: true });
