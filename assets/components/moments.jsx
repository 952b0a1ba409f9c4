import { useEffect, useState } from "react";

// Times as their reader's clock and calendar say them.
const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "short" });
const longDay = new Intl.DateTimeFormat(undefined, { weekday: "long", month: "long", day: "numeric" });
const shortDay = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const withYear = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", year: "numeric" });
const shortMinute = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" });
const minuteWithYear = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

const dayOf = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
const daysAgo = (date) => Math.round((dayOf(new Date()) - dayOf(date)) / 86400000);
const thisYear = (date) => date.getFullYear() === new Date().getFullYear();

function inList(date) {
  const ago = daysAgo(date);
  if (ago <= 0) return clock.format(date);
  if (ago === 1) return "Yesterday";
  if (ago < 7) return weekday.format(date);
  return (thisYear(date) ? shortDay : withYear).format(date);
}

function asDay(date) {
  const ago = daysAgo(date);
  if (ago <= 0) return "Today";
  if (ago === 1) return "Yesterday";
  return (thisYear(date) ? longDay : withYear).format(date);
}

const onDay = (date) => (daysAgo(date) <= 0 ? "Today" : inList(date));
const minute = (date) => (thisYear(date) ? shortMinute : minuteWithYear).format(date);
const since = (date) => (daysAgo(date) <= 1 ? asDay(date).toLowerCase() : asDay(date));

export function Moment({ at, form }) {
  if (!at) return null;
  const date = new Date(at);
  const said = { list: inList, day: onDay, since, minute, full: (day) => exact.format(day) }[form] || ((day) => clock.format(day));
  return <time className="moment" dateTime={at} title={full.format(date)}>{said(date)}</time>;
}

// A line between two bubbles of different days.
export function DayLine({ at, before }) {
  if (!at) return null;
  const date = new Date(at);
  if (before && dayOf(new Date(before)).getTime() === dayOf(date).getTime()) return null;
  return <div className="day-line"><span>{asDay(date)}</span></div>;
}

function clockIn(zone) {
  try {
    return new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit", timeZone: zone });
  } catch {
    return null; // a zone that this browser does not know
  }
}

// What the clock says in a time zone, kept true while it is looked at.
export function ZoneClock({ zone }) {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const ticking = setInterval(() => setNow(new Date()), 5000);
    return () => clearInterval(ticking);
  }, []);
  const clock = zone && clockIn(zone);
  return clock ? <time className="moment zone-clock">{clock.format(now)}</time> : null;
}
