import { useEffect, useRef, useState } from "react";

const AWAY = "There is no connection. Please try again in a minute.";
const NO_TOKEN = "This link is not complete. Open it once more from the message, or ask your admin for a new one.";

async function post(path, fields) {
  try {
    const answer = await fetch(path, { method: "POST", body: new URLSearchParams(fields) });
    return await answer.json();
  } catch {
    return { problem: AWAY };
  }
}

const named = (names) => (names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`);

// The token stands behind the #, which no browser sends to a server or names as a referrer. It leaves the address bar
// as soon as it is read, and stays in this tab's memory until a password is chosen.
function takeToken() {
  const token = window.location.hash.slice(1) || window.history.state?.welcome || "";
  if (token) window.history.replaceState({ ...window.history.state, welcome: token }, "", window.location.pathname);
  return token;
}

export function Welcome({ shortest, longest }) {
  const token = useRef("");
  const [owner, setOwner] = useState(null);
  const [over, setOver] = useState("");

  const ask = async () => {
    setOver("");
    token.current = takeToken() || token.current;
    const found = token.current ? await post("/auth/welcome", { token: token.current }) : { problem: NO_TOKEN };
    if (found.problem) setOver(found.problem);
    else setOwner(found);
  };
  useEffect(() => {
    ask();
    window.addEventListener("hashchange", ask);
    return () => window.removeEventListener("hashchange", ask);
  }, []);

  if (over) return <Closed sentence={over} again={over === AWAY ? ask : null} />;
  if (!owner) return <div className="welcome-wait" role="status"><span className="visually-hidden">Your link is being looked at.</span></div>;
  return <ChoosePassword token={token.current} owner={owner} shortest={shortest} longest={longest} onOver={setOver} />;
}

function Closed({ sentence, again }) {
  return (
    <>
      <h1>This link does not work</h1>
      <p className="quiet-text" role="alert">{sentence}</p>
      {again && <button type="button" className="button primary wide" onClick={again}>Try again</button>}
      <a className={again ? "button wide" : "button primary wide"} href="/sign-in">To the sign-in page</a>
    </>
  );
}

function ChoosePassword({ token, owner, shortest, longest, onOver }) {
  const [password, setPassword] = useState("");
  const [shown, setShown] = useState(false);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const field = useRef(null);
  const length = [...password].length;
  const enough = length >= shortest && length <= longest;

  const accept = async (event) => {
    event.preventDefault();
    if (busy) return;
    if (!enough) {
      setProblem(`A password has at least ${shortest} characters.`);
      field.current.focus();
      return;
    }
    setBusy(true);
    const answer = await post("/auth/welcome/accept", { token, password });
    if (answer.to) {
      window.location.replace(answer.to);
      return;
    }
    setBusy(false);
    if (answer.over) onOver(answer.problem);
    else setProblem(answer.problem);
  };

  const rule = length === 0 ? `At least ${shortest} characters. Several words make a good one.`
    : enough ? "Long enough." : `${shortest - length} more ${shortest - length === 1 ? "character" : "characters"}.`;
  return (
    <>
      <h1>{owner.invites ? `Welcome, ${owner.name.split(" ")[0]}` : "Choose a new password"}</h1>
      <p className="quiet-text">
        {owner.invites ? "Choose a password, and you are in." : "You are signed in with it at once, and signed out everywhere else."}
      </p>
      <dl className="welcome-owner">
        <div><dt>Name</dt><dd>{owner.name}</dd></div>
        <div><dt>E-mail address</dt><dd>{owner.email}</dd></div>
        {owner.schools.length > 0 && <div><dt>{owner.schools.length > 1 ? "Schools" : "School"}</dt><dd>{named(owner.schools)}</dd></div>}
      </dl>
      <form className="sign-in-form" onSubmit={accept} noValidate>
        <input type="email" name="email" autoComplete="username" value={owner.email} readOnly hidden />
        <div className="password-field">
          <label htmlFor="password">Password</label>
          <span className="password-box">
            <input ref={field} id="password" name="password" type={shown ? "text" : "password"} value={password} maxLength={longest}
              autoComplete="new-password" autoFocus spellCheck={false} autoCapitalize="none" aria-describedby="password-rule"
              aria-invalid={Boolean(problem)} onChange={(event) => { setPassword(event.target.value); setProblem(""); }} />
            <button type="button" className="show-password" aria-pressed={shown} onClick={() => setShown(!shown)}>{shown ? "Hide" : "Show"}</button>
          </span>
        </div>
        <p id="password-rule" className={enough ? "password-rule met" : "password-rule"}>{rule}</p>
        {problem && <p className="refused" role="alert">{problem}</p>}
        <button type="submit" className="button primary wide" disabled={busy}>{owner.invites ? "Start" : "Save and sign in"}</button>
      </form>
    </>
  );
}
