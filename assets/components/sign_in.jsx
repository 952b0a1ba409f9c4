import { useEffect, useState } from "react";

// Only these sentences can be shown, whatever the address says.
const SENTENCES = {
  wrong: () => "The e-mail address or the password is not right.",
  wait: (wait) => `Too many tries. Please wait ${wait} and try again.`,
  away: () => "Signing in does not work at the moment. Please try again in a minute.",
};

function inWords(seconds) {
  if (seconds < 60) return seconds === 1 ? "a second" : `${seconds} seconds`;
  const minutes = Math.ceil(seconds / 60);
  return minutes === 1 ? "a minute" : `${minutes} minutes`;
}

export function SignInProblem() {
  const [sentence, setSentence] = useState("");
  useEffect(() => {
    const asked = new URLSearchParams(window.location.search);
    const make = Object.hasOwn(SENTENCES, asked.get("problem") || "") && SENTENCES[asked.get("problem")];
    const seconds = Math.max(1, Math.min(3600, parseInt(asked.get("seconds"), 10) || 1));
    if (make) setSentence(make(inWords(seconds)));
  }, []);
  return <p className="refused" role="alert" hidden={!sentence}>{sentence}</p>;
}
