// What is typed lives here, in the browser: a slow line never swallows a letter. The server is told of the
// draft a moment after the last key, and of a send at once. Until the server shows the text, its bubble hangs
// at the end of the timeline, in the shape and place of the one that will replace it.
import { useEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";
import { Bubble } from "$/public/components/bubble.jsx";
import { DayLine } from "$/public/components/moments.jsx";
import { outbox, useOutbox } from "$/public/components/outbox.jsx";
import { unsaved } from "$/public/components/unsaved.jsx";

const DRAFT_MS = 250;
const LONGEST_MOVE_MS = 4000;
const SLOW_MS = 10000;
const AGAIN_MS = 1000;
const ONE_GROUP_MS = 5 * 60 * 1000;
const WITH_A_KEYBOARD = "(min-width: 720px) and (hover: hover)";

// What stands above the next bubble: its time, and whether both make one group.
function above(place, now) {
  const last = place?.previousElementSibling?.matches(".message") ? place.previousElementSibling : null;
  const at = last?.dataset.at || "";
  return { before: at, joined: Boolean(last?.dataset.mine === "true" && now - new Date(at) <= ONE_GROUP_MS) };
}

// Where the composer begins: with what a reload interrupted, else with the draft, unless just that is on its way already.
function begin(thread, draftKey, initial, sentKeys) {
  const gone = (key) => outbox.has(key) || sentKeys.includes(key);
  const kept = unsaved.find(thread);
  const outrun = kept?.left && initial && !kept.words.startsWith(initial); // written on in another window
  if (kept && !outrun && !gone(kept.key) && (kept.key === draftKey || !initial || gone(draftKey))) return { ...kept, late: true };
  return gone(draftKey) ? { key: crypto.randomUUID(), words: "" } : { key: draftKey, words: initial || "" };
}

export function Composer(props) {
  const { thread, draftKey, initial, sentKeys, seen, named, refused, refusedKey, refusals, offline, label, onDraft, onSend } = props;
  const [first] = useState(() => begin(thread, draftKey, initial, sentKeys));
  const [text, setText] = useState(first.words);
  const [moving, setMoving] = useState(false);
  const [, setSlow] = useState(0);
  const pending = useOutbox();
  const written = useRef(first.words);
  const key = useRef(first.key);
  const shown = useRef(thread);
  const timer = useRef(null);
  const box = useRef(null);
  const untold = useRef(null);
  const tell = useRef({});
  tell.current = { onDraft, onSend, offline };

  const write = (value) => { written.current = value; setText(value); };
  const saveNow = (leaving = false) => {
    clearTimeout(timer.current);
    if (!untold.current) return;
    tell.current.onDraft(...untold.current);
    if (!leaving && !tell.current.offline) unsaved.forget(untold.current[0]);
    untold.current = null;
  };

  // Another thread begins with its own draft. The same one, read again, keeps what is typed here.
  useEffect(() => {
    const another = shown.current !== thread;
    shown.current = thread;
    setMoving(false);
    if (!another && written.current.trim()) return;
    saveNow();
    const begun = begin(thread, draftKey, initial, sentKeys);
    key.current = begun.key;
    if (begun.late) type(begun.words);
    else write(begun.words);
  }, [thread, draftKey]);

  useEffect(() => {
    if (!window.matchMedia(WITH_A_KEYBOARD).matches) return;
    box.current?.focus({ preventScroll: true });
    // One goes on where the draft ends.
    box.current?.setSelectionRange(written.current.length, written.current.length);
  }, [thread]);

  useEffect(() => {
    if (first.late) type(first.words);
    const onHide = () => saveNow(true);
    // From was changed: the draft goes along, and nothing leaves until its thread is on the screen.
    const onChange = (event) => { if (event.target.id === "from") { saveNow(); setMoving(true); } };
    document.addEventListener("change", onChange, true);
    window.addEventListener("pagehide", onHide);
    return () => {
      document.removeEventListener("change", onChange, true);
      window.removeEventListener("pagehide", onHide);
      // The thread may have closed because access went: then the server takes no draft of it, until access is back.
      const last = untold.current;
      saveNow();
      if (last) unsaved.keep(...last, true);
    };
  }, []);

  useEffect(() => {
    const late = moving && setTimeout(() => setMoving(false), LONGEST_MOVE_MS);
    return () => clearTimeout(late);
  }, [moving]);

  useEffect(() => {
    outbox.forget(sentKeys);
    // The same draft was sent from another window: what is typed here from now on is another text.
    if (!sentKeys.includes(key.current)) return;
    key.current = crypto.randomUUID();
    if (untold.current) untold.current[1] = key.current;
  }, [sentKeys.join()]);

  // The line is back: what it may have lost goes out once more, after what is here has been read again.
  useEffect(() => {
    if (offline) return;
    const again = setTimeout(() => {
      const late = outbox.all().filter((p) => Date.now() - new Date(p.at) >= AGAIN_MS);
      late.forEach((p) => tell.current.onSend(p.thread, p.key, p.text, p.seen));
    }, AGAIN_MS);
    return () => clearTimeout(again);
  }, [offline]);

  // A refused text comes back to where it was written, before what has been typed since.
  useEffect(() => {
    const back = refusedKey && outbox.take(refusedKey);
    if (!back) return;
    if (back.thread !== thread) {
      tell.current.onDraft(back.thread, back.key, back.text);
      return;
    }
    write(written.current.trim() ? back.text + "\n" + written.current : back.text);
    key.current = back.key;
    const elsewhere = document.activeElement && document.activeElement !== document.body;
    if (!elsewhere) box.current?.focus({ preventScroll: true });
  }, [refusedKey, refused, refusals]);

  const type = (value) => {
    write(value);
    untold.current = [thread, key.current, value];
    unsaved.keep(...untold.current);
    clearTimeout(timer.current);
    timer.current = setTimeout(saveNow, DRAFT_MS);
  };

  const send = () => {
    const words = written.current;
    if (!words.trim() || moving) return;
    clearTimeout(timer.current);
    untold.current = null;
    unsaved.forget(thread);
    const now = new Date();
    const one = { key: key.current, thread, text: words.trim(), seen, at: now.toISOString(), ...above(document.getElementById("outgoing"), now) };
    outbox.add({ ...one, joined: one.joined || pending.some((p) => p.thread === thread) });
    write("");
    key.current = crypto.randomUUID();
    onSend(thread, one.key, words, seen);
    setTimeout(() => setSlow((n) => n + 1), SLOW_MS);
    window.dispatchEvent(new CustomEvent("tp-inbox:sent"));
    box.current?.focus({ preventScroll: true });
  };

  const onKeyDown = (event) => {
    const composing = event.nativeEvent.isComposing || event.keyCode === 229;
    if (event.key !== "Enter" || event.shiftKey || composing) return;
    event.preventDefault();
    if (!event.repeat) send();
  };

  const place = document.getElementById("outgoing");
  const waiting = pending.filter((p) => p.thread === thread && !sentKeys.includes(p.key));
  return (
    <>
      <form className="composer-form" onSubmit={(event) => { event.preventDefault(); send(); }}>
        <div className="grows" data-text={text}>
          <textarea ref={box} id="composer" rows={1} value={text} aria-label={label} placeholder={label} dir="auto"
            maxLength={3200} enterKeyHint="send" autoComplete="off" aria-describedby="composer-said"
            onChange={(event) => type(event.target.value)} onKeyDown={onKeyDown} onBlur={() => saveNow()} />
        </div>
        <button type="submit" className="send" aria-label="Send" disabled={!text.trim() || moving}
          onMouseDown={(event) => event.preventDefault() /* the box keeps the focus, and a phone its keyboard */}>
          <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true"><path fill="none" stroke="currentColor"
            strokeWidth="2.2" strokeLinecap="round" strokeLinejoin="round" d="M12 19V5M5.5 11.5 12 5l6.5 6.5" /></svg>
        </button>
      </form>
      {place && waiting.length > 0 && createPortal(
        waiting.map((p) => (
          <div key={p.key}>
            <DayLine at={p.at} before={p.before} />
            <article className={"message out pending" + (p.joined ? " joined" : "")}>
              {named && !p.joined && <div className="author">You</div>}
              <Bubble text={p.text} at={p.at} />
              <Waiting offline={offline} slow={Date.now() - new Date(p.at) >= SLOW_MS}
                again={() => onSend(p.thread, p.key, p.text, p.seen)} />
            </article>
          </div>
        )), place)}
    </>
  );
}

// The same text may be sent again: its key makes it one.
function Waiting({ offline, slow, again }) {
  if (offline) return <div className="status">Waiting for the connection…</div>;
  if (slow) return <div className="status">Not sent yet. <button type="button" className="again" onClick={again}>Try again</button></div>;
  return (
    <div className="status">
      <svg viewBox="0 0 24 24" width="13" height="13" aria-hidden="true" className="lucide"><g fill="none" stroke="currentColor" strokeLinecap="round"
        strokeLinejoin="round"><circle cx="12" cy="12" r="10" /><path d="M12 6v6l4 2" /></g></svg>
      Queued
    </div>
  );
}
