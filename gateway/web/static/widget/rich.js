import { link, linked, make } from "./dom.js";
export { dress } from "./more_style.js";

const TAGS = { b: "strong", i: "em", u: "u", s: "s", code: "code", pre: "pre", quote: "blockquote", list: "ul", item: "li" };
const LITERAL = ["a", "code", "pre"]; // addresses in these are no links
const DEEPEST = 20;
const SCHEMES = ["http:", "https:", "mailto:", "tel:"];

/** Rich text as the gateway gives it, a list of texts and `{t, c, href}`: elements of a few known kinds, the rest as text. */
export function show(nodes, depth = 0, asItIs = false) {
  if (!Array.isArray(nodes) || depth > DEEPEST) return [];
  const text = (words) => (asItIs ? [words] : linked(words));
  return nodes.flatMap((node) => (typeof node === "string" ? text(node) : [element(node ?? {}, depth, asItIs)]));
}

function element({ t, c, href }, depth, asItIs) {
  if (t === "br") return make("br");
  const inside = show(c, depth + 1, asItIs || LITERAL.includes(t));
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
