// The list of phones: search, unread dots, ringing.

import { hue, initials, listTime, make, partsOf, spokenNumber } from "./words.js";

const PAGE = 100;
const rows = document.getElementById("phones");
const search = document.getElementById("search");
const empty = document.getElementById("no-phones");
const more = document.getElementById("more");

let phones = [];
let shown = PAGE;
let current = "";

export function show(list) {
  phones = list;
  draw();
}

export function choose(number) {
  current = number;
  for (const row of rows.querySelectorAll(".row")) mark(row);
}

export function ring(number) {
  const row = rowOf(number);
  if (!row) return;
  row.classList.remove("ringing");
  void row.offsetWidth; // starts the animation anew
  row.classList.add("ringing");
}

export function find(number) {
  return phones.find((phone) => phone.number === number);
}

export function unread() {
  return phones.reduce((sum, phone) => sum + phone.unread, 0);
}

export function focus(number) {
  (rowOf(number) ?? search).focus();
}

export function focusSearch() {
  search.focus();
  search.select();
}

function draw() {
  const focused = document.activeElement?.closest?.("#phones .row")?.dataset.number;
  const found = phones.filter(matcher(search.value));
  rows.replaceChildren(...found.slice(0, shown).map(drawRow));
  more.hidden = found.length <= shown;
  empty.hidden = found.length > 0;
  empty.textContent = phones.length
    ? "No phone has this name or number."
    : "No phones yet. They appear when the inbox sends its first text, or when a demonstration names them.";
  if (focused) rowOf(focused)?.focus();
}

function drawRow(phone) {
  const row = make("a", phone.unread ? "row unread" : "row", "", { href: `#${phone.number}`, "data-number": phone.number });
  const avatar = make("span", `avatar ${hue(phone.number)}`, initials(phone.label), { "aria-hidden": "true" });
  const parts = partsOf(phone.label);
  const name = make("span", "row-name", parts.name || spokenNumber(phone.number), { dir: "auto" });
  const time = make("span", "row-time", phone.last_at ? listTime(phone.last_at) : "");
  const last = make("span", "row-last", lastWords(phone), { dir: "auto" });
  row.append(avatar, name, time);
  if (parts.about) row.append(make("span", "row-about", parts.about, { dir: "auto" }));
  row.append(last);
  if (phone.unread) {
    const badge = make("span", "row-unread", String(phone.unread));
    badge.append(make("span", "unseen", phone.unread === 1 ? " new text" : " new texts"));
    row.append(badge);
  }
  mark(row);
  const item = make("li");
  item.append(row);
  return item;
}

function lastWords(phone) {
  if (!phone.last_at) return phone.label ? spokenNumber(phone.number) : "No texts yet";
  const body = phone.last_body || (phone.last_media ? "Picture" : "");
  return phone.last_own ? `You: ${body}` : body;
}

function mark(row) {
  if (row.dataset.number === current) row.setAttribute("aria-current", "true");
  else row.removeAttribute("aria-current");
}

function matcher(words) {
  const wanted = words.trim().toLocaleLowerCase();
  const digits = wanted.replace(/\D/g, "");
  return (phone) =>
    phone.label.toLocaleLowerCase().includes(wanted) || (digits.length > 1 && phone.number.includes(digits));
}

function rowOf(number) {
  return rows.querySelector(`.row[data-number="${CSS.escape(number)}"]`);
}

function step(by) {
  const all = [...rows.querySelectorAll(".row")];
  const at = all.indexOf(document.activeElement);
  const next = all[at + by];
  if (next) next.focus();
  else if (by < 0) search.focus();
}

search.addEventListener("input", () => {
  shown = PAGE;
  draw();
});

more.addEventListener("click", () => {
  const before = shown;
  shown += PAGE;
  draw();
  rows.querySelectorAll(".row")[before]?.focus();
});

document.querySelector(".list").addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  event.preventDefault();
  step(event.key === "ArrowDown" ? 1 : -1);
});
