// What people are called where they have no name, and the initial by which they are told apart at a glance.

import { make } from "./console_dom.js";

const TONES = 6;

/** `{name, conversation}`: who has no name is told apart by the beginning of their conversation's id. */
export function nameOf({ name, conversation }) {
  return name || `Visitor ${conversation.slice(0, 4)}`;
}

/** The first letter of the name in a disc, always of the same colour. It says nothing that the name does not. */
export function initial(frame) {
  const letter = nameOf(frame).match(/[\p{L}\p{N}]/u)?.[0] ?? "?";
  const tone = Number.parseInt(frame.conversation.slice(0, 4), 16) % TONES;
  return make("span", { class: `initial tone-${tone}`, "aria-hidden": "true" }, letter.toUpperCase());
}
