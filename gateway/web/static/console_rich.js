// Rich text and files of a message, as elements of a few known kinds; whatever else it is, it is text.

import { make } from "./console_dom.js";

const TAGS = { b: "strong", i: "em", u: "u", s: "s", code: "code", pre: "pre", quote: "blockquote", list: "ul", item: "li" };
const DEEPEST = 20;
const SCHEMES = ["http:", "https:", "mailto:", "tel:"];
const SIZES = ["B", "kB", "MB", "GB"];

/** The message's words: its `nodes` (texts and `{t, c, href}`), or its plain text. */
export function words({ nodes, text }) {
  return Array.isArray(nodes) && nodes.length ? show(nodes, 0) : [text];
}

function show(nodes, depth) {
  if (!Array.isArray(nodes) || depth > DEEPEST) return [];
  return nodes.map((node) => (typeof node === "string" ? node : element(node ?? {}, depth)));
}

function element({ t, c, href }, depth) {
  if (t === "br") return make("br");
  const inside = show(c, depth + 1);
  if (t === "a" && isSafe(href)) return link(href, ...inside);
  return make(Object.hasOwn(TAGS, t) ? TAGS[t] : "span", {}, ...inside);
}

function isSafe(href) {
  try {
    return SCHEMES.includes(new URL(href).protocol);
  } catch {
    return false;
  }
}

function link(href, ...children) {
  return make("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}

/** Pictures are shown from the gateway itself alone: no other site learns that an operator looks. */
export function files(list) {
  if (!Array.isArray(list) || !list.length) return [];
  return [make("div", { class: "files" }, ...list.map((file) => one(file ?? {})))];
}

function one(file) {
  const name = String(file.name || "a file");
  const about = [make("bdi", {}, name), make("small", {}, file.size ? bytes(file.size) : "")];
  const url = typeof file.url === "string" && URL.canParse(file.url, location.origin) ? new URL(file.url, location.origin) : null;
  if (url?.origin !== location.origin) return make("span", { class: "file" }, ...about);
  if (file.image) return make("a", { href: url.pathname + url.search, target: "_blank", rel: "noopener" },
    make("img", { src: url.pathname + url.search, alt: name, loading: "lazy", decoding: "async" }));
  return make("a", { class: "file", href: url.pathname + url.search, download: name }, ...about);
}

function bytes(size) {
  const step = Math.min(3, Math.floor(Math.log10(Math.max(size, 1)) / 3));
  return `${(size / 1000 ** step).toFixed(step > 1 ? 1 : 0)} ${SIZES[step]}`;
}
