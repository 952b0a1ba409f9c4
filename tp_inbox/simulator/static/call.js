// A call from the open phone: what the caller hears, one thing after the other.

import { Refused, ask } from "./api.js";
import { languageName, make, spokenNumber } from "./words.js";

const box = document.getElementById("call-box");
const heard = document.getElementById("heard");

export async function placeCall(caller, to, name) {
  document.getElementById("call-title").textContent = `Calling ${name}`;
  heard.replaceChildren(make("li", "quiet", "Ringing…"));
  box.showModal();
  try {
    show(await ask("/simulator/calls", "POST", { from: caller, to }));
  } catch (error) {
    showProblem(error instanceof Refused ? error.message : "The simulator is away. Nobody was called.");
  }
}

function show(call) {
  heard.replaceChildren(...call.heard.map(drawHeard));
  if (call.problem) showProblem(call.problem);
  else if (!call.heard.length) showProblem("The inbox answered, but the caller hears nothing.");
}

function showProblem(sentence) {
  heard.replaceChildren(make("li", "problem", sentence));
}

function drawHeard({ kind, words, language, seconds, number }) {
  const item = make("li", `heard-${kind.replace(" ", "-")}`);
  if (kind === "say") {
    const said = make("p", "bubble-body", words, { dir: "auto", ...(language && { lang: language }) });
    item.append(make("span", "unseen", "The caller hears: "), said);
    if (language) item.append(make("span", "heard-about", languageName(language)));
  } else {
    item.textContent = { pause: `${seconds} s of silence`, "put through": `Put through to ${spokenNumber(number ?? "")}`, "hang up": "The call ends" }[kind];
  }
  return item;
}

document.getElementById("call-close").addEventListener("click", () => box.close());
