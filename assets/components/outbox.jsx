// Texts that the server has not shown yet. They outlive the composer: a page that lost its line sends them again
// when it is back, with the same key, which makes them one.
import { useSyncExternalStore } from "react";

let waiting = [];
const listeners = new Set();

function keep(texts) {
  waiting = texts;
  listeners.forEach((listener) => listener());
}

const subscribe = (listener) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export const outbox = {
  add: (text) => keep([...waiting, text]),
  has: (key) => waiting.some((text) => text.key === key),
  all: () => waiting,
  take(key) {
    const text = waiting.find((each) => each.key === key);
    if (text) keep(waiting.filter((each) => each !== text));
    return text;
  },
  forget(keys) {
    if (waiting.some((text) => keys.includes(text.key))) keep(waiting.filter((text) => !keys.includes(text.key)));
  },
};

export const useOutbox = () => useSyncExternalStore(subscribe, outbox.all, outbox.all);
