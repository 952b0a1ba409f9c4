import { useRef, useState } from "react";

const MOST_CHARACTERS = 500000;

// Chooses a file of text, a CSV for example, and hands over what it says.
export function TableFile({ label, accept, onRead }) {
  const input = useRef(null);
  const [problem, setProblem] = useState("");

  const read = async (event) => {
    const file = event.target.files[0];
    event.target.value = "";
    if (!file) return;
    const text = decoded(await file.arrayBuffer());
    const tooLong = text.length > MOST_CHARACTERS;
    setProblem(tooLong ? "This file is too large. Please split it into files of half a megabyte." : "");
    if (!tooLong) onRead(text);
  };

  return (
    <span className="table-file">
      <button type="button" className="button" onClick={() => input.current.click()}>{label}</button>
      <input ref={input} type="file" accept={accept} hidden onChange={read} />
      <span role="alert" className="refused">{problem}</span>
    </span>
  );
}

// Spreadsheets write UTF-8, or, on Windows, the old code page.
function decoded(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}
