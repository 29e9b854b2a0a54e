import { link, make } from "./dom.js";
export { dress } from "./more_style.js";

const TAGS = { b: "strong", i: "em", u: "u", s: "s", code: "code", pre: "pre", quote: "blockquote", list: "ul", item: "li" };
const DEEPEST = 20;
const SCHEMES = ["http:", "https:", "mailto:", "tel:"];

/** Rich text as the gateway gives it, a list of texts and `{t, c, href}`: elements of a few known kinds, the rest as text. */
export function show(nodes, depth = 0) {
  if (!Array.isArray(nodes) || depth > DEEPEST) return [];
  return nodes.map((node) => (typeof node === "string" ? node : element(node ?? {}, depth)));
}

function element({ t, c, href }, depth) {
  if (t === "br") return make("br");
  const inside = show(c, depth + 1);
  if (t === "a" && isSafe(href)) return link(href, ...inside);
  const tag = Object.hasOwn(TAGS, t) ? TAGS[t] : "span";
  return make(tag, {}, ...inside);
}

function isSafe(href) {
  try {
    return SCHEMES.includes(new URL(href).protocol);
  } catch {
    return false;
  }
}
