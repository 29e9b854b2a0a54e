// What the chat says in English. Other languages: words_<code>.js, with everything in one file.

export const ENGLISH = {
  heading: "Chat",
  open: "Open the chat",
  close: "Close the chat",
  unread: "{n} unread",
  connecting: "Connecting…",
  online: "Online",
  away: "We are away. Write to us: we will answer here.",
  waiting: "No connection. Trying again…",
  offline: "You are offline. What you write is kept and sent later.",
  starting: "The chat is starting. One moment…",
  refused: "The chat is not available on this page.",
  flooding: "That was too fast. The chat goes on in a moment.",
  visitor: "You",
  other: "Guest",
  bot: "Bot",
  operator: "Operator",
  system: "Notice",
  hint: "Write a message to start. The conversation will still be here when you come back.",
  roomHint: "Everybody in this room reads what you write. /name and a name changes what you are called.",
  messages: "Messages",
  keys: "Up and down move among messages, left and right among what is in one.",
  message: "Your message",
  write: "Write a message…",
  send: "Send",
  sending: "Sending…",
  sent: "Sent",
  again: "Try again",
  change: "Change it",
  earlier: "Earlier messages",
  newer: "New messages",
  typing: "{name} is writing…",
  joined: "{name} has joined",
  left: "{name} has left",
  renamed: "You are called {name} now",
  too_long: "This is too long: 4096 characters at most.",
  rate_limited: "That was too fast, and was not sent.",
  unsent: "This could not be sent.",
};

/** `say("key", {name: …})` in the language of `place`, where a word is missing there, in English. */
export function speaker(place) {
  return (key, values = {}) =>
    (place.words?.[key] ?? ENGLISH[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}
