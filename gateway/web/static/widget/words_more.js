// The English of what comes later.

import { ENGLISH } from "./words.js";

Object.assign(ENGLISH, {
  attach: "Attach a file",
  remove: "Remove {name}",
  uploading: "{name} is being uploaded",
  uploaded: "{name} is ready to be sent",
  file_too_large: "{name} is too large: {size} at most",
  file_type: "Files such as {name} are not taken here",
  file_failed: "{name} could not be uploaded",
  formBefore: "Tell us who you are, and we begin.",
  formOffline: "Nobody is here just now. Leave a message, and we will come back to you.",
  begin: "Start the chat",
  submit: "Send",
  missing: "Please fill this in.",
  badEmail: "Please write a whole e-mail address.",
  thanks: "Thank you. We have got it.",
  end: "End the conversation",
  endAsk: "End this conversation?",
  yes: "End it",
  no: "Go on",
  ended: "This conversation has ended.",
  anew: "Start a new one",
  rate: "How was it?",
  stars: "{n} of 5",
  comment: "Anything to add?",
});
