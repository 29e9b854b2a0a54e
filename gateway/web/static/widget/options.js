// What a bot may offer beside words: files, a form, an end. Each comes when the welcome says so.

const NOTHING = { offerFiles: () => {}, askFirst: () => {} };

/** Brings `chat` in step with the welcome's options; `isNew`: nothing was said yet. */
export async function apply(chat, { uploads = null, form = null, online, isNew }) {
  const wanted = form && !chat.talk.shelf.get().form && (form.when === "before" ? isNew : online === false);
  const [{ offerFiles }, { askFirst }, { offerEnd }] = await Promise.all([
    uploads || chat.composer.extra ? import("./uploads.js") : NOTHING,
    wanted || chat.form ? import("./forms.js") : NOTHING,
    import("./ending.js"),
  ]);
  offerFiles(chat, uploads);
  askFirst(chat, wanted ? form : null);
  if (!chat.talk.room) offerEnd(chat);
}
