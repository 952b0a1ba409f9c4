// The Trouble panel: what goes wrong, how often it has, and everything off again.

import { Refused, ask } from "./api.js";
import { make } from "./words.js";

const PATH = "/simulator/faults";
const LOOK_SECONDS = 2;
const REQUESTS = {
  lost_before: "Connection lost, nothing done", lost_after: "Done, then connection lost", cut_off: "Done, answer cut off in the middle",
  failed_after: "Done, answered 500", too_many: "429 Too many requests", unavailable: "503 Unavailable", slow: "Done, answered slowly",
};
const WEBHOOKS = { lost: "Lost", doubled: "Comes twice", late: "Comes late", reordered: "Comes after the next one" };
const SHARES = [
  ["sends", "Sending a text", { ...REQUESTS, queue_full: "Queue of the number full (21611)" }],
  ["carrier", "How texts end", {
    30001: "Queue overflow (30001)", 30003: "Phone unreachable (30003)", 30007: "Filtered (30007)", 30008: "Unknown error (30008)",
    30022: "Rate limit of the campaign (30022)", 30034: "Not registered (30034)",
  }],
  ["callbacks", "Status callbacks", WEBHOOKS],
  ["inbound", "Webhooks of families’ texts", WEBHOOKS],
  ["messages", "Listing and reading texts", REQUESTS],
  ["numbers", "Numbers", REQUESTS],
  ["services", "Messaging Services", REQUESTS],
];
const ACCOUNTS = { active: "Fine", refused: "Password refused (20003)", suspended: "Suspended (30002)", trial: "Trial account (21608)" };
const BUYING = { 0: "Allowed", 22300: "Not allowed (22300)", 21422: "Somebody was faster (21422)", 21452: "Sold out (21452)", 21404: "Trial account (21404)" };
const ENDS = { undelivered: "undelivered", failed: "failed", refused: "refused at once" };
const SECONDS = { retry_after: ["Retry-After", 3600, 1], slow_seconds: ["Slow answers take", 600, 0.5], late_seconds: ["Late webhooks take", 600, 0.5] };

const element = (id) => document.getElementById(id);
const [panel, groups] = [element("trouble"), element("trouble-groups")];
let state = null; // {on, faults, struck}

export async function refresh() {
  show(await ask(PATH));
}

function show(answer) {
  const isOther = !groups.children.length || JSON.stringify(state?.faults) !== JSON.stringify(answer.faults);
  state = answer;
  element("trouble-open").classList.toggle("on", state.on);
  element("trouble-state").textContent = state.on ? "Trouble: on" : "Trouble: off";
  element("trouble-off").disabled = !state.on;
  if (panel.open && isOther) draw();
  count();
}

function count() {
  let sum = 0;
  for (const number of groups.querySelectorAll("[data-struck]")) {
    const times = state.struck[number.dataset.group]?.[number.dataset.struck] ?? 0;
    number.textContent = times ? `${times.toLocaleString()}×` : "";
    number.title = times ? "How often it has struck" : "";
  }
  for (const counts of Object.values(state.struck)) for (const times of Object.values(counts)) sum += times;
  const struck = sum ? `It has struck ${sum.toLocaleString()} ${sum === 1 ? "time" : "times"}.` : "It has not struck yet.";
  element("trouble-sum").textContent = state.on ? struck : "Everything is off: the carrier works as it should.";
}

function draw() {
  const focused = document.activeElement?.id;
  const open = new Set([...panel.querySelectorAll("details[open]")].map((group) => group.dataset.group));
  groups.replaceChildren(drawAccount(), drawAilments(), ...SHARES.map((group) => drawShares(group, open)), drawTimes());
  if (focused) element(focused)?.focus();
}

function drawShares([group, title, kinds], open) {
  const shares = state.faults[group];
  const used = Object.values(shares).filter(Boolean).length;
  const box = make("details", "group", "", { "data-group": group });
  box.open = open.has(group) || used > 0 || group === "sends";
  box.append(make("summary", "", title));
  for (const [kind, name] of Object.entries(kinds)) box.append(drawShare(group, kind, name, shares[kind] ?? 0));
  return box;
}

function drawShare(group, kind, name, share) {
  const row = make("label", "share", "", { for: `${group}-${kind}` });
  const slider = make("input", "", "", { type: "range", min: 0, max: 100, step: 1, id: `${group}-${kind}` });
  const percent = make("output", "", "", { for: slider.id });
  const say = () => {
    percent.textContent = slider.value === "0" ? "off" : `${slider.value} %`;
    slider.setAttribute("aria-valuetext", percent.textContent);
    row.classList.toggle("on", slider.value !== "0");
  };
  slider.value = Math.round(share * 100);
  slider.addEventListener("input", say);
  slider.addEventListener("change", () => change((faults) => { faults[group][kind] = Number(slider.value) / 100; }));
  say();
  row.append(make("span", "", name), make("span", "struck", "", { "data-group": group, "data-struck": kind }), slider, percent);
  return row;
}

function drawAccount() {
  const box = make("fieldset", "group");
  box.append(make("legend", "", "The account"));
  box.append(drawChoice("account", "Twilio says", ACCOUNTS, state.faults.account, (faults, value) => { faults.account = value; }));
  box.append(drawChoice("buying", "Buying numbers", BUYING, state.faults.buying, (faults, value) => { faults.buying = Number(value); }));
  return box;
}

function drawChoice(id, name, options, value, set) {
  const row = make("label", "choice");
  const select = make("select", "", "", { id });
  // A number as a key would come first whatever the order.
  for (const [key, words] of Object.entries(options)) select.append(make("option", "", words, { value: key }));
  select.value = String(value);
  select.addEventListener("change", () => change((faults) => set(faults, select.value)));
  row.classList.toggle("on", select.selectedIndex > 0);
  row.append(make("span", "", name), select);
  return row;
}

function drawAilments() {
  const box = make("fieldset", "group");
  box.append(make("legend", "", "Numbers that fail"));
  const list = make("ul", "ailments");
  list.append(...state.faults.ailments.map(drawAilment));
  box.append(list, drawNewAilment());
  return box;
}

function drawAilment(ailment, place) {
  const item = make("li");
  const number = ailment.to ?? ailment.from;
  const words = `Texts ${ailment.to ? "to" : "from"} ${number.startsWith("+") ? number : `…${number}`}: ${ENDS[ailment.end]}, ${ailment.code}`;
  const times = ailment.times ? `, ${ailment.times} for each number` : "";
  const remove = make("button", "plain-button", "Remove", { type: "button", "aria-label": `Remove: ${words}` });
  remove.addEventListener("click", () => change((faults) => faults.ailments.splice(place, 1)));
  item.append(make("span", "", words + times), make("span", "struck", "", { "data-group": "ailments", "data-struck": number }), remove);
  return item;
}

function drawNewAilment() {
  const row = make("div", "new-ailment");
  const side = select("Texts to or from", { to: "Texts to", from: "Texts from" });
  const number = make("input", "", "", { id: "ailment-number", "aria-label": "Number or its last digits", placeholder: "0187 or +1…", inputmode: "tel", autocomplete: "off" });
  const code = make("input", "", "", { id: "ailment-code", "aria-label": "Twilio’s error code", value: "30005", inputmode: "numeric", maxlength: 5, autocomplete: "off" });
  const end = select("How they end", ENDS);
  const add = make("button", "plain-button", "Add", { type: "button", id: "ailment-add" });
  const put = () => change((faults) => faults.ailments.push({ [side.value]: number.value, code: Number(code.value), end: end.value, times: 0 }));
  add.addEventListener("click", put);
  row.append(side, number, end, code, add);
  return row;
}

function select(label, options) {
  const box = make("select", "", "", { "aria-label": label });
  for (const [value, words] of Object.entries(options)) box.append(make("option", "", words, { value }));
  return box;
}

function drawTimes() {
  const box = make("fieldset", "group");
  box.append(make("legend", "", "How long, and which run"));
  for (const [name, [words, most, step]] of Object.entries(SECONDS)) box.append(drawNumber(name, words, "seconds", most, step));
  box.append(drawNumber("seed", "Seed: the same one strikes the same texts", "", 2 ** 31 - 1, 1));
  return box;
}

function drawNumber(name, words, unit, max, step) {
  const row = make("label", "choice");
  const input = make("input", "", "", { type: "number", id: name, min: 0, max, step, inputmode: "decimal" });
  input.value = state.faults[name];
  input.addEventListener("change", () => input.value && change((faults) => { faults[name] = Number(input.value); }));
  row.append(make("span", "", words), input, make("span", "unit", unit));
  return row;
}

// Everything that is switched goes at once; what the simulator refuses is shown, and stays as it was.
async function change(edit) {
  const faults = structuredClone(state.faults);
  edit(faults);
  await attempt(() => ask(PATH, "PUT", faults));
}

async function attempt(work) {
  const problem = element("trouble-problem");
  problem.hidden = true;
  try {
    show(await work());
  } catch (error) {
    problem.textContent = error instanceof Refused ? error.message : "The simulator is away. Nothing was changed.";
    problem.hidden = false;
    draw();
    count();
  }
}

element("trouble-open").addEventListener("click", async () => {
  panel.showModal();
  await attempt(() => ask(PATH));
});
element("trouble-close").addEventListener("click", () => panel.close());
panel.addEventListener("close", () => groups.replaceChildren()); // drawn while it is open
element("trouble-off").addEventListener("click", () => attempt(() => ask(PATH, "DELETE")));
element("trouble-form").addEventListener("submit", (event) => event.preventDefault());
element("trouble-form").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.closest(".new-ailment") && event.target.tagName === "INPUT") element("ailment-add").click();
});
setInterval(() => {
  if (panel.open && !document.hidden && !panel.querySelector("input:focus:not([type=range])")) refresh().catch(() => {});
}, LOOK_SECONDS * 1000);
