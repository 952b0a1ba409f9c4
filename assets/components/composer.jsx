// What is typed lives here, in the browser: a slow line never swallows a letter. The server is told of the
// draft a moment after the last key, and of a send at once. Until the server shows the text, its bubble hangs
// at the end of the timeline.
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";

const DRAFT_MS = 250;
const MOST_LINES_PX = 200;

export function Composer({ thread, draftKey, initial, sentKeys, seen, closed, refused, refusedKey, offline, label, onDraft, onSend }) {
  const [text, setText] = useState(initial || "");
  const [pending, setPending] = useState([]);
  const key = useRef(draftKey);
  const timer = useRef(null);
  const box = useRef(null);
  const unsaved = useRef(null);

  const saveNow = () => {
    clearTimeout(timer.current);
    if (unsaved.current) onDraft(...unsaved.current);
    unsaved.current = null;
  };

  useEffect(() => {
    saveNow();
    setPending([]);
    setText(initial || "");
    key.current = draftKey;
  }, [thread, draftKey]);

  useEffect(() => () => saveNow(), []);

  useEffect(() => {
    setPending((waiting) => waiting.filter((p) => !sentKeys.includes(p.key)));
  }, [sentKeys.join()]);

  useEffect(() => {
    if (!refusedKey) return;
    setPending((waiting) => {
      const back = waiting.find((p) => p.key === refusedKey);
      if (back) {
        setText((now) => (now.trim() ? back.text + "\n" + now : back.text));
        key.current = refusedKey;
      }
      return waiting.filter((p) => p.key !== refusedKey);
    });
  }, [refusedKey, refused]);

  useLayoutEffect(() => {
    if (!box.current) return;
    box.current.style.height = "auto";
    box.current.style.height = Math.min(box.current.scrollHeight, MOST_LINES_PX) + "px";
  }, [text, closed]);

  const type = (value) => {
    setText(value);
    unsaved.current = [thread, key.current, value];
    clearTimeout(timer.current);
    timer.current = setTimeout(saveNow, DRAFT_MS);
  };

  const send = () => {
    if (!text.trim() || closed) return;
    clearTimeout(timer.current);
    unsaved.current = null;
    const one = { key: key.current, text: text.trim(), at: new Date() };
    setPending((waiting) => [...waiting, one]);
    setText("");
    key.current = crypto.randomUUID();
    onSend(thread, one.key, text, seen);
    window.dispatchEvent(new CustomEvent("tp-inbox:sent"));
  };

  const onKeyDown = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };

  const place = typeof document === "undefined" ? null : document.getElementById("outgoing");
  return (
    <>
      <form className="composer-form" onSubmit={(event) => { event.preventDefault(); send(); }}>
        <textarea ref={box} id="composer" rows={1} value={text} aria-label={label} placeholder={label}
          maxLength={3200} disabled={Boolean(closed)} enterKeyHint="send" autoComplete="off"
          onChange={(event) => type(event.target.value)} onKeyDown={onKeyDown} onBlur={saveNow} />
        <button type="submit" className="send" aria-label="Send" disabled={!text.trim() || Boolean(closed)}>
          <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true"><path fill="none" stroke="currentColor"
            strokeWidth="2.2" strokeLinecap="round" strokeLinejoin="round" d="M12 19V5M5.5 11.5 12 5l6.5 6.5" /></svg>
        </button>
      </form>
      {place && pending.length > 0 && createPortal(
        pending.map((p) => (
          <div className="message out pending" key={p.key}>
            <div className="bubble">{p.text}</div>
            <div className="status">{offline ? "Waiting for the connection…" : "Sending…"}</div>
          </div>
        )), place)}
    </>
  );
}
