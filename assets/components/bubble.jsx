// The inside of a bubble. What was added to the words when they were sent is one click away.
import { useId, useState } from "react";
import { Moment } from "$/public/components/moments.jsx";

const EMOJI_ALONE = /^(?:\p{Extended_Pictographic}|\p{Emoji_Component}|\s)+$/u;
const MOST_LARGE = 3;

function isEmojiAlone(text) {
  if (text.length > 40 || !/\p{Extended_Pictographic}/u.test(text) || !EMOJI_ALONE.test(text)) return false;
  return [...new Intl.Segmenter().segment(text.replace(/\s/g, ""))].length <= MOST_LARGE;
}

function addedTo(text, sentAs) {
  const start = sentAs.indexOf(text);
  if (!sentAs || start < 0) return { above: sentAs, below: "" };
  return { above: sentAs.slice(0, start).trim(), below: sentAs.slice(start + text.length).trim() };
}

export function Bubble({ text, sentAs, at, children }) {
  const [open, setOpen] = useState(false);
  const id = useId();
  const { above, below } = addedTo(text, sentAs || "");
  const what = [above && "introduction", below && "signature"].filter(Boolean).join(" and ");
  return (
    <div className="bubble" id={id}>
      {children}
      {open && above && <span className="added" dir="auto">{above}</span>}
      {text && <span className={isEmojiAlone(text) ? "text emoji" : "text"} dir="auto">{text}</span>}
      {open && below && <span className="added" dir="auto">{below}</span>}
      <Moment at={at} form="clock" />
      {what && (
        <button type="button" className="add-toggle" aria-expanded={open} aria-controls={id} aria-label={`Sent with ${what}`}
          title={`Sent with ${what}`} onClick={() => setOpen(!open)}>
          <svg viewBox="0 0 24 24" width="16" height="16" aria-hidden="true"><path fill="none" stroke="currentColor" strokeWidth="1.9"
            strokeLinecap="round" strokeLinejoin="round" d="m21 17-2.156-1.868A.5.5 0 0 0 18 15.5v.5a1 1 0 0 1-1 1h-2a1 1 0 0 1-1-1c0-2.545-3.991-3.97-8.5-4a1 1 0 0 0 0 5c4.153 0 4.745-11.295 5.708-13.5a2.5 2.5 0 1 1 3.31 3.284M3 21h18" /></svg>
        </button>
      )}
    </div>
  );
}
