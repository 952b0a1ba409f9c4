// The bubbles of one conversation.

import { clockTime, dayName, isSameDay, make } from "./words.js";

const GROUP_SECONDS = 5 * 60;

// fresh: SIDs that have just arrived; quiet: what to say where there is no text.
export function drawTexts(list, texts, fresh, quiet) {
  const items = [];
  texts.forEach((text, place) => {
    const before = texts[place - 1];
    if (!before || !isSameDay(before.at, text.at)) items.push(make("li", "day", dayName(text.at)));
    items.push(drawText(text, before, texts[place + 1], fresh.has(text.sid)));
  });
  list.replaceChildren(...(items.length ? items : [make("li", "quiet", quiet)]));
}

function drawText(text, before, after, isFresh) {
  const item = make("li", "text");
  item.classList.toggle("own", text.own);
  item.classList.toggle("automatic", text.automatic);
  item.classList.toggle("after", Boolean(before) && before.own !== text.own);
  item.classList.toggle("fresh", isFresh);
  item.append(make("span", "unseen", text.own ? "This phone: " : "District: "));
  for (const picture of text.pictures) item.append(drawPicture(picture));
  if (text.body) item.append(make("p", "bubble-body", text.body, { dir: "auto" }));
  if (text.automatic) item.append(make("span", "unseen", "Answered by the carrier. "));
  if (endsGroup(text, after)) {
    const words = text.automatic ? `Automatic · ${clockTime(text.at)}` : clockTime(text.at);
    item.append(make("time", "", words, { datetime: new Date(text.at * 1000).toISOString() }));
  }
  return item;
}

function endsGroup(text, after) {
  return !after || after.own !== text.own || after.automatic !== text.automatic || after.at - text.at > GROUP_SECONDS;
}

function drawPicture({ url, link }) {
  if (url) return make("img", "", "", { src: url, alt: "Picture", loading: "lazy" });
  if (!/^https?:\/\//.test(link)) return make("span", "", "Picture");
  return make("a", "", "Picture from the district", { href: link, target: "_blank", rel: "noopener noreferrer" });
}
