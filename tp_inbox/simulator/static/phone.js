// The open phone: its conversations, its texts, and the answer one writes.

import { Refused, ask } from "./api.js";
import { placeCall } from "./call.js";
import { drawTexts } from "./texts.js";
import { hue, initials, languageName, make, partsOf, spokenNumber } from "./words.js";

const QUICK = ["Thank you!", "Call me", "STOP", "START", "HELP"];
const element = (id) => document.getElementById(id);
const [phoneBox, nothing, box, body, send] = ["phone", "nothing", "texts-box", "body", "send"].map(element);

let open = null; // {phone, texts}
let talk = ""; // the number of the district one is texting with
let numbers = []; // all numbers of the district
let picture = null; // {name, title, url}
let unsent = {}; // phone|talk → what is being written

export const openNumber = () => open?.phone.number ?? "";

export async function openPhone(number) {
  const [answer, all] = await readPhone(number);
  const isOther = openNumber() !== answer.phone.number;
  keepDraft();
  open = answer;
  numbers = all;
  if (isOther) {
    talk = "";
    attach(null);
    outcome("");
  }
  phoneBox.hidden = false; // before it is drawn: what is hidden has no height to measure
  nothing.hidden = true;
  chooseTalk(talk || partners().at(-1)?.ours || numbers[0]?.number || "");
}

export function closePhone() {
  keepDraft();
  open = null;
  phoneBox.hidden = true;
  nothing.hidden = false;
}

// Texts arrived or left while the phone was open.
export async function refresh() {
  const number = openNumber();
  const [answer, all] = await readPhone(number);
  if (openNumber() !== number) return;
  const known = new Set(open.texts.map((text) => text.sid));
  const fresh = answer.texts.filter((text) => !known.has(text.sid));
  open = answer;
  numbers = all;
  if (!talk) talk = partners().at(-1)?.ours ?? numbers[0]?.number ?? "";
  draw(new Set(fresh.map((text) => text.sid)));
}

const readPhone = (number) =>
  Promise.all([ask(`/simulator/phones/${encodeURIComponent(number)}/texts`), ask("/simulator/numbers")]);

export function ring() {
  phoneBox.classList.remove("ringing");
  void phoneBox.offsetWidth; // starts the animation anew
  phoneBox.classList.add("ringing");
}

export function focusComposer() {
  (send.disabled ? element("phone-name") : body).focus();
}

// Esc: closes what is open inside the phone; false when there was nothing to close.
export function closeInner() {
  if (element("pictures").hidden) return false;
  showPictures(false);
  element("picture").focus();
  return true;
}

function draw(fresh = new Set()) {
  const { phone } = open;
  const { name, about } = partsOf(phone.label);
  const words = [spokenNumber(phone.number), languageName(phone.language), about].filter(Boolean);
  element("phone-name").textContent = name || spokenNumber(phone.number);
  element("phone-number").textContent = phone.label ? words.join(" · ") : languageName(phone.language) || "Family phone";
  element("phone-avatar").className = `avatar ${hue(phone.number)}`;
  element("phone-avatar").textContent = initials(phone.label);
  element("fate").textContent = phone.fate;
  element("fate").hidden = !phone.fate;
  drawTalks(fresh);
  const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
  const isOwn = open.texts.some((text) => text.own && fresh.has(text.sid));
  drawTexts(element("texts"), open.texts.filter((text) => text.ours === talk), fresh, quietWords());
  if (isAtEnd || isOwn || !fresh.size) box.scrollTop = box.scrollHeight;
  const [call, ...others] = [element("call"), send, element("picture"), ...element("quick").children];
  for (const button of [call, ...others]) button.disabled = !talk;
  call.setAttribute("aria-label", talk ? `Call ${nameOf(talk)}` : "Call");
  call.title = call.getAttribute("aria-label");
}

function quietWords() {
  if (!talk) return "The district has no number yet, so there is nobody to text. It gets one with its first text.";
  return `No texts with ${nameOf(talk)} yet. Write the first one.`;
}

// The numbers this phone has texts with, by their latest text.
function partners() {
  const latest = new Map();
  for (const text of open.texts) {
    latest.delete(text.ours);
    latest.set(text.ours, text);
  }
  return [...latest.values()];
}

function drawTalks(fresh) {
  const rung = new Set(open.texts.filter((text) => fresh.has(text.sid) && !text.own).map((text) => text.ours));
  const known = partners().reverse().map((text) => text.ours);
  if (talk && !known.includes(talk)) known.unshift(talk);
  const waiting = new Set([...element("talks").querySelectorAll(".chip-dot")].map((dot) => dot.dataset.ours));
  element("talks").replaceChildren(...known.map((ours) => drawTalk(ours, rung.has(ours) || waiting.has(ours))));
  const others = numbers.filter(({ number }) => !known.includes(number));
  const options = others.map(({ number }) => make("option", "", nameOf(number), { value: number }));
  element("others").replaceChildren(make("option", "", "Other…", { value: "" }), ...options);
  element("others").hidden = !others.length;
}

function drawTalk(ours, isNew) {
  const chip = make("button", "chip", "", { type: "button", "aria-pressed": String(ours === talk) });
  if (isNew && ours !== talk) {
    const dot = make("span", "chip-dot", "", { "data-ours": ours });
    dot.append(make("span", "unseen", "New: "));
    chip.append(dot);
  }
  chip.append(make("span", "", nameOf(ours)));
  chip.title = spokenNumber(ours);
  chip.addEventListener("click", () => {
    chooseTalk(ours);
    element("talks").querySelector('[aria-pressed="true"]')?.focus();
  });
  const item = make("li");
  item.append(chip);
  return item;
}

function nameOf(ours) {
  const name = numbers.find(({ number }) => number === ours)?.name;
  return name || spokenNumber(ours);
}

function chooseTalk(ours) {
  keepDraft();
  talk = ours;
  body.value = unsent[draftKey()] ?? "";
  grow();
  draw();
  box.scrollTop = box.scrollHeight;
}

const draftKey = () => `${openNumber()}|${talk}`;

function keepDraft() {
  if (open && talk) unsent[draftKey()] = body.value;
}

function grow() {
  body.style.height = "auto";
  body.style.height = `${Math.min(body.scrollHeight, 132)}px`;
}

async function sendText(words, withPicture) {
  if (!talk || (!words.trim() && !withPicture)) return;
  const media = withPicture ? [withPicture.name] : [];
  outcome("Sending…");
  try {
    const sent = await ask("/simulator/inbound", "POST", { from: openNumber(), to: talk, body: words, media });
    outcome(...describe(sent.webhook));
  } catch (error) {
    outcome(error instanceof Refused ? error.message : "The simulator is away. Nothing was sent.", true);
    if (!body.value) body.value = words;
    if (withPicture) attach(withPicture);
  }
}

function describe(webhook) {
  if (webhook.ok) return ["The inbox has it"];
  if (webhook.status) return [`Sent, but the inbox answered ${webhook.status}`, true];
  const reasons = {
    ct: "Sent, but the inbox could not be reached", rt: "Sent, but the inbox did not answer in time",
    "no webhook": "Sent, but this number has no webhook",
    lost: "Sent, and lost on its way to the inbox (Trouble)", late: "Sent, and late on its way to the inbox (Trouble)",
    reordered: "Sent, and overtaken on its way to the inbox (Trouble)",
  };
  return [reasons[webhook.problem] ?? "Sent, but the inbox did not take it", true];
}

function outcome(words, isBad = false) {
  element("outcome").textContent = words;
  element("outcome").classList.toggle("bad", isBad);
}

function attach(chosen) {
  picture = chosen;
  element("attached").hidden = !chosen;
  element("attached-title").textContent = chosen?.title ?? "";
  if (chosen) element("attached-picture").src = chosen.url;
  else element("attached-picture").removeAttribute("src");
}

async function showPictures(isOpen) {
  const panel = element("pictures");
  if (isOpen && !panel.children.length) panel.replaceChildren(...(await ask("/simulator/samples")).map(drawSample));
  panel.hidden = !isOpen;
  element("picture").setAttribute("aria-expanded", String(isOpen));
  if (isOpen) panel.firstElementChild?.focus();
}

function drawSample(sample) {
  const button = make("button", "", "", { type: "button" });
  button.append(make("img", "", "", { src: sample.url, alt: "" }), sample.title);
  button.addEventListener("click", () => {
    attach(sample);
    showPictures(false);
    body.focus();
  });
  return button;
}

element("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const [words, chosen] = [body.value, picture];
  if (!words.trim() && !chosen) return;
  body.value = "";
  keepDraft();
  grow();
  attach(null);
  sendText(words, chosen);
});

body.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  element("composer").requestSubmit();
});
body.addEventListener("input", grow);
element("picture").addEventListener("click", () => {
  showPictures(element("pictures").hidden).catch((error) => outcome(error.message, true));
});
element("call").addEventListener("click", () => placeCall(openNumber(), talk, nameOf(talk)));
element("detach").addEventListener("click", () => {
  attach(null);
  body.focus();
});
element("others").addEventListener("change", (event) => event.target.value && chooseTalk(event.target.value));
element("quick").replaceChildren(
  ...QUICK.map((words) => {
    const button = make("button", /^[A-Z]+$/.test(words) ? "keyword" : "", words, { type: "button" });
    button.addEventListener("click", () => sendText(words, null));
    return button;
  }),
);
