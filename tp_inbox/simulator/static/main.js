// Brings list, phone and the stream of events together.

import { Refused, ask, listen } from "./api.js";
import * as list from "./list.js";
import * as phone from "./phone.js";
import * as trouble from "./trouble.js";
import { spokenNumber } from "./words.js";

const TITLE = "Simulator — family phones";
const VIBRATION = [90, 50, 90];
const layout = document.getElementById("layout");
const news = document.getElementById("news");
let isLoading = false;
let isStale = false;

// One request at a time; what happens meanwhile is covered by one more.
async function loadPhones() {
  isStale = true;
  if (isLoading) return;
  isLoading = true;
  try {
    while (isStale) {
      isStale = false;
      list.show(await ask("/simulator/phones"));
      countInTitle();
    }
  } finally {
    isLoading = false;
  }
}

function countInTitle() {
  const count = list.unread();
  document.title = count ? `(${count}) ${TITLE}` : TITLE;
}

async function markRead() {
  const number = phone.openNumber();
  if (number && !document.hidden) await ask(`/simulator/phones/${encodeURIComponent(number)}/read`, "POST");
}

async function follow() {
  const number = decodeURIComponent(location.hash.slice(1));
  list.choose(number);
  layout.classList.toggle("open", Boolean(number));
  if (!number) {
    phone.closePhone();
    return;
  }
  try {
    await phone.openPhone(number);
  } catch (error) {
    if (error instanceof Refused) location.hash = "";
    else sayAway(error);
    return;
  }
  phone.focusComposer();
  await markRead();
}

function back() {
  const number = phone.openNumber();
  location.hash = "";
  // After the hash has changed, and with it what can be focused.
  setTimeout(() => list.focus(number));
}

async function onText({ phone: number, own }) {
  const isOpen = number === phone.openNumber();
  if (isOpen) await phone.refresh();
  if (isOpen && !own) await markRead();
  await loadPhones();
  if (!own) announce(number, isOpen);
}

function announce(number, isOpen) {
  const name = list.find(number)?.label || spokenNumber(number);
  news.textContent = `New text on the phone of ${name}`;
  list.ring(number);
  if (isOpen) phone.ring();
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (!isCalm && navigator.userActivation?.hasBeenActive) navigator.vibrate?.(VIBRATION);
}

// When the simulator is away nothing is lost: everything is loaded again at the next hello.
function sayAway(error) {
  if (!(error instanceof TypeError)) throw error;
  setLive(false);
}

const unlessAway = (work) => (facts) => work(facts).catch(sayAway);

function setLive(isOn) {
  document.getElementById("live").classList.toggle("on", isOn);
  document.getElementById("live-words").textContent = isOn ? "Live" : "Reconnecting…";
}

window.addEventListener("hashchange", unlessAway(follow));
document.addEventListener("visibilitychange", unlessAway(markRead));
document.getElementById("back").addEventListener("click", back);
document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return; // it has the keyboard to itself
  const isWriting = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key === "Escape" && phone.openNumber() && !event.isComposing) {
    if (!phone.closeInner()) back();
  } else if (event.key === "/" && !isWriting && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    list.focusSearch();
  }
});

listen({
  hello: unlessAway(async () => {
    setLive(true);
    await Promise.all([loadPhones(), trouble.refresh()]);
    if (phone.openNumber()) await phone.refresh();
    else if (location.hash) await follow();
  }),
  text: unlessAway(onText),
  phones: unlessAway(loadPhones),
  read: unlessAway(loadPhones),
  trouble: unlessAway(trouble.refresh),
  lost: () => setLive(false),
});
