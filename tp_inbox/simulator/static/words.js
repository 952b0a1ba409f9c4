// How numbers, names and times are said.

const languages = new Intl.DisplayNames(["en"], { type: "language", fallback: "none" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", month: "long", day: "numeric" });

export function spokenNumber(number) {
  const parts = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(number);
  return parts ? `(${parts[1]}) ${parts[2]}-${parts[3]}` : number;
}

export function languageName(code) {
  try {
    return (code && languages.of(code)) || "";
  } catch {
    return code;
  }
}

// A label like "Rosa Lopez · mother of Mia": who it is, and what about them.
export function partsOf(label) {
  const [name, ...about] = label.split("·").map((part) => part.trim());
  return { name, about: about.join(" · ") };
}

export function initials(label) {
  const words = partsOf(label).name.replace(/[^\p{L}\s]/gu, " ").trim().split(/\s+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => [...word][0].toLocaleUpperCase()).join("") || "☏";
}

export function hue(number) {
  return `hue-${[...number].reduce((sum, digit) => (sum * 7 + digit.charCodeAt(0)) % 6, 0)}`;
}

export function clockTime(seconds) {
  return clock.format(seconds * 1000);
}

export function listTime(seconds) {
  return isSameDay(seconds, Date.now() / 1000) ? clockTime(seconds) : date.format(seconds * 1000);
}

export function dayName(seconds) {
  return isSameDay(seconds, Date.now() / 1000) ? "Today" : weekday.format(seconds * 1000);
}

export function isSameDay(one, other) {
  return new Date(one * 1000).toDateString() === new Date(other * 1000).toDateString();
}

// A new element: its class, its text (never markup), its attributes.
export function make(tag, className = "", text = "", attributes = {}) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
