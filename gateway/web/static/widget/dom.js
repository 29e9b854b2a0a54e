// Elements made of text nodes and attributes: nothing here, or anywhere in the widget, makes markup of text.

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS(svg.namespaceURI, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

/** A button with a text, or with a picture (and, sooner or later, an `aria-label`). */
export function button(name, text, path, press) {
  const element = make("button", { type: "button", class: name }, path ? icon(path) : text);
  element.addEventListener("click", press);
  return element;
}

/** A name for a message that no other message has. `randomUUID` exists only on secure pages. */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The address without the punctuation of the sentence around it. */
function trimmed(address) {
  for (;;) {
    const last = address.at(-1);
    const closes = last === ")" && address.split(")").length > address.split("(").length;
    if (!closes && !".,!?;:'\"”’»]}>*".includes(last)) return address;
    address = address.slice(0, -1);
  }
}

/** Text with its http(s) addresses as links: nodes to append. */
export function linked(text) {
  const nodes = [];
  let from = 0;
  for (const found of text.matchAll(/https?:\/\/[^\s<>"]+/gi)) {
    const address = trimmed(found[0]);
    if (!URL.canParse?.(address)) continue;
    nodes.push(text.slice(from, found.index), link(address, address));
    from = found.index + address.length;
  }
  return [...nodes, text.slice(from)];
}

export function link(address, ...children) {
  return make("a", { href: address, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}
