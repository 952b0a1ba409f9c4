import { useEffect, useState } from "react";
import { unsaved } from "$/public/components/unsaved.jsx";

const EMAIL = "tp-inbox:email";

// Only these sentences can be shown, whatever the address says.
const SENTENCES = {
  wrong: () => "The e-mail address or the password is not right.",
  wait: (wait) => `Too many tries. Please wait ${wait} and try again.`,
  away: () => "Signing in does not work at the moment. Please try again in a minute.",
  ended: () => "You were signed out. What you had written is kept; please sign in again.",
  over: () => "Too much time has passed, or too many codes were wrong. Please sign in again.",
  "no-account": () => "There is no account for this e-mail address here. Ask your admin to invite you.",
  "no-address": () => "Your e-mail address is not confirmed there. Ask your admin for help.",
  "not-active": () => "This account has been deactivated. Ask your admin for help.",
  "connected-elsewhere": () => "This account is connected to another sign-in there. Ask your admin.",
  cancelled: () => "You have not signed in. Try again, or sign in with your password.",
  expired: () => "That took too long, or was begun in another window. Please try again.",
  down: () => "That way of signing in does not answer at the moment. Please try again in a minute.",
  provider: () => "That way of signing in does not work. Please try again; if it stays so, tell your admin.",
};

function inWords(seconds) {
  if (seconds < 60) return seconds === 1 ? "a second" : `${seconds} seconds`;
  const minutes = Math.ceil(seconds / 60);
  return minutes === 1 ? "a minute" : `${minutes} minutes`;
}

// After a failed try one types the password alone. The address of a person stays in this tab, out of the page's own.
function keepEmail(again) {
  const form = document.querySelector(".sign-in-form");
  const { email, password } = form.elements;
  const onSubmit = () => {
    try { sessionStorage.setItem(EMAIL, email.value); } catch { /* a browser that keeps nothing */ }
  };
  try {
    const kept = again && sessionStorage.getItem(EMAIL);
    if (kept && !email.value) {
      email.value = kept;
      password.focus();
    }
    sessionStorage.removeItem(EMAIL);
  } catch { /* a browser that keeps nothing */ }
  form.addEventListener("submit", onSubmit);
  return () => form.removeEventListener("submit", onSubmit);
}

// The sentence of a fixed list that the address chooses.
export function useProblem(sentences) {
  const [sentence, setSentence] = useState("");
  useEffect(() => {
    const asked = new URLSearchParams(window.location.search);
    const make = Object.hasOwn(sentences, asked.get("problem") || "") && sentences[asked.get("problem")];
    const seconds = Math.max(1, Math.min(3600, parseInt(asked.get("seconds"), 10) || 1));
    if (make) setSentence(make(inWords(seconds)));
  }, []);
  return sentence;
}

export function SignInProblem() {
  const sentence = useProblem(SENTENCES);
  useEffect(() => {
    unsaved.forgetAll();
    return keepEmail(new URLSearchParams(window.location.search).has("problem"));
  }, []);
  return <p className="refused" role="alert" hidden={!sentence}>{sentence}</p>;
}
