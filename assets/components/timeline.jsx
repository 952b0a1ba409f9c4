// The scrolling part of a thread. It stays at the end when a text arrives, unless one has scrolled up: then it
// stays where one reads, and a button leads down. Older texts above never move what is on the screen.
import { useEffect, useLayoutEffect, useRef, useState } from "react";

const NEAR_PX = 80;

export function Timeline({ thread, newest, oldest, unread, onSeen, children }) {
  const box = useRef(null);
  const before = useRef({ thread: null, oldest: null, height: 0, atEnd: true });
  const [below, setBelow] = useState(false);

  const atEnd = () => {
    const el = box.current;
    return el.scrollHeight - el.scrollTop - el.clientHeight < NEAR_PX;
  };
  const toEnd = () => { box.current.scrollTop = box.current.scrollHeight; };
  const tellSeen = () => {
    if (newest && document.visibilityState === "visible" && before.current.atEnd) onSeen();
  };

  useLayoutEffect(() => {
    const el = box.current;
    const was = before.current;
    if (was.thread !== thread) {
      toEnd();
      was.atEnd = true;
      setBelow(false);
    } else if (was.oldest !== oldest) {
      el.scrollTop += el.scrollHeight - was.height;
    } else if (was.atEnd) {
      toEnd();
    } else {
      setBelow(true);
    }
    before.current = { ...was, thread, oldest, height: el.scrollHeight };
  }, [thread, newest, oldest]);

  useEffect(() => { tellSeen(); }, [thread, newest, unread]);

  useEffect(() => {
    const el = box.current;
    const onScroll = () => {
      const end = atEnd();
      if (end && !before.current.atEnd) { before.current.atEnd = true; setBelow(false); tellSeen(); }
      before.current.atEnd = end;
      before.current.height = el.scrollHeight;
    };
    const grown = new ResizeObserver(() => {
      if (before.current.atEnd) toEnd();
      before.current.height = el.scrollHeight;
    });
    grown.observe(el);
    grown.observe(el.firstElementChild);
    el.addEventListener("scroll", onScroll, { passive: true });
    const onSent = () => { before.current.atEnd = true; requestAnimationFrame(toEnd); };
    const onVisible = () => tellSeen();
    window.addEventListener("tp-inbox:sent", onSent);
    document.addEventListener("visibilitychange", onVisible);
    return () => {
      grown.disconnect();
      el.removeEventListener("scroll", onScroll);
      window.removeEventListener("tp-inbox:sent", onSent);
      document.removeEventListener("visibilitychange", onVisible);
    };
  }, [thread, newest]);

  return (
    <div className="timeline-frame">
      <div className="timeline" ref={box} tabIndex={0} role="log" aria-label="Messages" aria-live="polite">
        <div className="timeline-inner">{children}</div>
      </div>
      {below && (
        <button type="button" className="to-end" onClick={() => { toEnd(); setBelow(false); }}>New message ↓</button>
      )}
    </div>
  );
}
