// The scrolling part of a thread. It opens at the end and stays there when a text arrives, unless one has
// scrolled up: then what one reads does not move, whatever comes above or below it, and a button leads down.
import { useEffect, useLayoutEffect, useRef, useState } from "react";

const NEAR_PX = 80;

// The first bubble on the screen and how far it is from the top edge.
function anchorIn(el) {
  const top = el.getBoundingClientRect().top;
  for (const message of el.querySelectorAll("[data-id]")) {
    const box = message.getBoundingClientRect();
    if (box.bottom > top) return { id: message.dataset.id, from: box.top - top };
  }
  return null;
}

function restore(el, anchor) {
  const message = anchor && el.querySelector(`[data-id="${anchor.id}"]`);
  if (message) el.scrollTop += message.getBoundingClientRect().top - el.getBoundingClientRect().top - anchor.from;
}

export function Timeline({ thread, newest, oldest, newer, onNewest, onSeen, children }) {
  const box = useRef(null);
  const was = useRef({ thread: null, newest: 0, atEnd: true, anchor: null });
  const seen = useRef(onSeen);
  const [away, setAway] = useState(false);
  const [below, setBelow] = useState(false);
  const [said, setSaid] = useState("");
  seen.current = onSeen;

  const toEnd = () => { if (box.current) box.current.scrollTop = box.current.scrollHeight; };
  const down = () => {
    if (newer) was.current.atEnd = true; // the newest page comes in place of this one
    if (newer) onNewest();
    else toEnd();
  };
  const tellSeen = () => {
    if (newest && !newer && document.visibilityState === "visible" && was.current.atEnd) seen.current?.();
  };

  useLayoutEffect(() => {
    const el = box.current;
    const before = was.current;
    const another = before.thread !== thread;
    const came = !another && newest > before.newest;
    if (another) {
      setAway(false);
      setBelow(false);
      setSaid("");
    }
    if (another || before.atEnd) toEnd();
    else restore(el, before.anchor);
    if (came && !before.atEnd) setBelow(true);
    if (came) setSaid(incoming(el, newest));
    was.current = { thread, newest, atEnd: another || before.atEnd, anchor: anchorIn(el) };
  }, [thread, newest, oldest, newer]);

  useEffect(() => { tellSeen(); }, [thread, newest, newer]);

  useEffect(() => {
    const el = box.current;
    const onScroll = () => {
      const end = !newer && el.scrollHeight - el.scrollTop - el.clientHeight < NEAR_PX;
      const arrived = end && !was.current.atEnd;
      was.current.atEnd = end;
      was.current.anchor = anchorIn(el);
      setAway(!end);
      if (end) setBelow(false);
      if (arrived) tellSeen();
    };
    const grown = new ResizeObserver(() => { if (was.current.atEnd) toEnd(); });
    grown.observe(el);
    grown.observe(el.firstElementChild);
    const onSent = () => { was.current.atEnd = true; requestAnimationFrame(toEnd); };
    const onVisible = () => tellSeen();
    el.addEventListener("scroll", onScroll, { passive: true });
    window.addEventListener("tp-inbox:sent", onSent);
    document.addEventListener("visibilitychange", onVisible);
    return () => {
      grown.disconnect();
      el.removeEventListener("scroll", onScroll);
      window.removeEventListener("tp-inbox:sent", onSent);
      document.removeEventListener("visibilitychange", onVisible);
    };
  }, [thread, newest, newer]);

  return (
    <div className="timeline-frame">
      <div className="timeline" ref={box} tabIndex={0} role="log" aria-label="Messages" aria-live="off">
        <div className="timeline-inner">{children}</div>
      </div>
      <div className="visually-hidden" aria-live="polite">{said}</div>
      {(away || newer) && (
        <button type="button" className={below ? "to-end new" : "to-end"} aria-label={below ? undefined : "To the newest message"} onClick={down}>
          {below && "New message "}<span aria-hidden="true">↓</span>
        </button>
      )}
    </div>
  );
}

// What a screen reader says of a text that has just come; nothing of one's own.
function incoming(el, id) {
  const text = el.querySelector(`.message.in[data-id="${id}"] .bubble`)?.innerText;
  return text ? `New message: ${text}` : "";
}
