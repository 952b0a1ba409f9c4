import { useRef, useState } from "react";

// Shows words to be handed on, with a button that copies them. Browsers keep the clipboard from pages without TLS.
export function Copied({ words, label }) {
  const field = useRef(null);
  const [copied, setCopied] = useState("");
  const copy = async () => {
    field.current.select();
    try {
      await navigator.clipboard.writeText(words);
      setCopied(words);
    } catch {
      document.execCommand("copy") && setCopied(words);
    }
  };
  return (
    <span className="copied">
      <input ref={field} readOnly value={words} aria-label={label} onFocus={(event) => event.target.select()} />
      <button type="button" className="button" onClick={copy}>{copied === words ? "Copied" : "Copy"}</button>
    </span>
  );
}
