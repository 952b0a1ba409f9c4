// What has been typed and has not yet gone to the server, kept in this tab: a reload loses no letter. It is one
// person's: once the page for signing in has been open, in whatever tab, it is nobody's any more.
const PREFIX = "tp-inbox:unsaved:";
const SINCE = "tp-inbox:since";

function quietly(work) {
  try {
    return work();
  } catch {
    return null; // a browser that keeps nothing
  }
}

export const unsaved = {
  // left: told to the server when the composer went; it may have come too late.
  keep: (thread, key, words, left = false) =>
    quietly(() => sessionStorage.setItem(PREFIX + thread, JSON.stringify({ key, words, left, at: Date.now() }))),
  find: (thread) =>
    quietly(() => {
      const kept = JSON.parse(sessionStorage.getItem(PREFIX + thread));
      return kept && kept.at > Number(localStorage.getItem(SINCE)) ? kept : null;
    }),
  forget: (thread) => quietly(() => sessionStorage.removeItem(PREFIX + thread)),
  forgetAll: () =>
    quietly(() => {
      localStorage.setItem(SINCE, String(Date.now()));
      const all = Object.keys(sessionStorage).filter((name) => name.startsWith(PREFIX));
      all.forEach((name) => sessionStorage.removeItem(name));
    }),
};
