import { useEffect, useRef, useState } from "react";
import { Dialog } from "$/public/components/dialog.jsx";
import { useProblem } from "$/public/components/sign_in.jsx";

const PATH = "/auth/second-step";
const NO_ANSWER = "There is no connection at the moment. Please try again.";
const SAVE = "Save your recovery codes";
const FILE = "tp-inbox recovery codes.txt";

// Only these sentences can be shown, whatever the address says.
const SENTENCES = {
  code: () => "This code is not right. Codes change every 30 seconds; please try the one that your app shows now.",
  wait: (wait) => `Too many tries. Please wait ${wait} and try again.`,
  key: () =>
    "Codes of your app cannot be checked, because this server's key has changed. Use a recovery code, or ask your admin to reset your second step.",
  away: () => "Signing in does not work at the moment. Please try again in a minute.",
};

// What the server answers, or the sentence that says why not. Whoever is signed out by now is led to sign in.
async function ask(name, fields) {
  try {
    const asked = fields ? { method: "POST", body: new URLSearchParams(fields) } : {};
    const answer = await fetch(PATH + name, asked);
    const told = await answer.json();
    if (answer.status === 401) window.location.replace(`/sign-in?next=${encodeURIComponent(window.location.pathname)}`);
    return told;
  } catch {
    return { problem: NO_ANSWER };
  }
}

function Refused({ sentence }) {
  return <p className="refused" role="alert" hidden={!sentence}>{sentence}</p>;
}

function CodeField({ paper, label, focused }) {
  const kind = paper
    ? { autoComplete: "off", autoCapitalize: "none", spellCheck: false, placeholder: "xxxx-xxxx-xxxx" }
    : { autoComplete: "one-time-code", inputMode: "numeric", placeholder: "123 456" };
  return (
    <label>
      {label || (paper ? "Recovery code" : "Code from your app")}
      <input key={String(paper)} name="code" className="code-field" required maxLength={40} autoFocus={focused} {...kind} />
    </label>
  );
}

// The page after the password. The browser posts the form itself, so that the answer can set the cookie.
export function CodeStep() {
  const sentence = useProblem(SENTENCES);
  const [paper, setPaper] = useState(false);
  return (
    <>
      <h1>{paper ? "Use a recovery code" : "Enter your code"}</h1>
      <p className="quiet-text">
        {paper
          ? "One of the codes that you saved when you set up two-step sign-in. Each works once."
          : "Open the authenticator app on your phone and type the six digits that it shows for tp-inbox."}
      </p>
      <Refused sentence={sentence} />
      <form action="/auth/code" method="post" className="sign-in-form">
        <CodeField paper={paper} focused />
        <button type="submit" className="button primary wide">Continue</button>
      </form>
      <div className="other-ways">
        <button type="button" className="text-link" onClick={() => setPaper(!paper)}>
          {paper ? "Use a code from your app" : "Use a recovery code"}
        </button>
        <form action="/auth/sign-out" method="post">
          <button type="submit" className="text-link">Sign in as somebody else</button>
        </form>
      </div>
    </>
  );
}

// The page after the password of somebody whose role asks for a second step that is not there yet.
export function SetUpStep() {
  const [done, setDone] = useState(false);
  const onwards = () => {
    const next = new URLSearchParams(window.location.search).get("next") || "/";
    window.location.replace(`/sign-in?next=${encodeURIComponent(next)}`);
  };
  return (
    <>
      <h1>{done ? SAVE : "Set up two-step sign-in"}</h1>
      {!done && (
        <p className="quiet-text">
          Your role asks for a code from your phone beside your password. Setting it up takes a minute, and nothing that you
          have begun is lost.
        </p>
      )}
      <SetUp onCodes={() => setDone(true)} onDone={onwards} finish="Continue to the inbox" />
      {!done && (
        <form action="/auth/sign-out" method="post" className="other-ways">
          <button type="submit" className="text-link">Sign in as somebody else</button>
        </form>
      )}
    </>
  );
}

// A QR code, the first code of the app, and then the recovery codes. `given`: what has been begun with a code already.
function SetUp({ given = null, onCodes = () => {}, onDone, onCancel, finish }) {
  const [begun, setBegun] = useState(given);
  const [codes, setCodes] = useState(null);
  const [sentence, setSentence] = useState("");
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    if (!given) ask("/begin", {}).then(setBegun);
  }, []);

  const confirm = async (event) => {
    event.preventDefault();
    setBusy(true);
    const told = await ask("/confirm", { ticket: begun.ticket, code: event.target.elements.code.value });
    setBusy(false);
    setSentence(told.problem || "");
    if (!told.codes) return;
    setCodes(told.codes);
    onCodes();
  };

  if (codes) return <RecoveryCodes codes={codes} onDone={onDone} finish={finish} />;
  if (!begun) return <div className="qr waiting" aria-hidden="true" />;
  if (begun.problem) return <Refused sentence={begun.problem} />;
  return (
    <form className="set-up" onSubmit={confirm}>
      <ol className="steps">
        <li>Install an authenticator app on your phone, for example Google Authenticator or Microsoft Authenticator.</li>
        <li>
          Scan this picture with the app.
          <div className="qr" role="img" aria-label="QR code for your authenticator app" dangerouslySetInnerHTML={{ __html: begun.picture }} />
          <details>
            <summary className="text-link">It does not scan</summary>
            <p>Type this key into the app. Choose “time based” if it asks.</p>
            <code className="secret-key">{begun.secret}</code>
          </details>
        </li>
        <li><CodeField label="Type the six digits that the app shows" /></li>
      </ol>
      <Refused sentence={sentence} />
      {onCancel ? (
        <div className="dialog-buttons">
          <button type="button" className="button" onClick={onCancel}>Cancel</button>
          <button type="submit" className="button primary" disabled={busy}>Turn on</button>
        </div>
      ) : (
        <button type="submit" className="button primary wide" disabled={busy}>Turn on</button>
      )}
    </form>
  );
}

function RecoveryCodes({ codes, onDone, finish }) {
  const [copied, setCopied] = useState(false);
  const list = useRef(null);
  const text = codes.join("\n");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
    } catch {
      window.getSelection().selectAllChildren(list.current); // browsers keep the clipboard from pages without TLS
      setCopied(document.execCommand("copy"));
    }
  };
  const download = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`Recovery codes for tp-inbox. Each works once.\n\n${text}\n`], { type: "text/plain" }));
    link.download = FILE;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  return (
    <div className="recovery">
      <p>If your phone is lost, each of these codes signs you in once. Keep them where you keep important papers. They are shown only now.</p>
      <ul ref={list} className="recovery-codes" aria-label="Recovery codes">
        {codes.map((code) => <li key={code}><code>{code}</code></li>)}
      </ul>
      <div className="buttons">
        <button type="button" className="button" onClick={copy}>{copied ? "Copied" : "Copy"}</button>
        <button type="button" className="button" onClick={download}>Download</button>
        <button type="button" className="button" onClick={() => window.print()}>Print</button>
      </div>
      <button type="button" className="button primary wide" onClick={onDone}>{finish}</button>
    </div>
  );
}

const DIALOGS = {
  "set-up": "Set up two-step sign-in",
  move: "Use another phone",
  codes: "New recovery codes",
  off: "Turn off two-step sign-in",
};

// One's own second step, in Settings.
export function OwnSecondStep() {
  const [standing, setStanding] = useState(null);
  const [doing, setDoing] = useState("");
  const [saving, setSaving] = useState(false);
  const refresh = () => ask("").then(setStanding);
  const close = () => {
    setDoing("");
    setSaving(false);
    refresh();
  };
  useEffect(() => {
    refresh();
  }, []);

  return (
    <section className="card" aria-busy={!standing}>
      <div className="card-head">
        <h2>Two-step sign-in</h2>
        {standing && !standing.problem && <span className={standing.on ? "tag" : "tag quiet"}>{standing.on ? "On" : "Off"}</span>}
      </div>
      {standing?.problem ? <Refused sentence={standing.problem} /> : <Standing standing={standing} onDo={setDoing} />}
      <Dialog open={Boolean(doing)} title={saving ? SAVE : DIALOGS[doing] || ""} onClose={close}>
        <Doing what={doing} onCodes={() => setSaving(true)} onDone={close} />
      </Dialog>
    </section>
  );
}

function Standing({ standing, onDo }) {
  if (!standing) return <p className="quiet-text">…</p>;
  if (!standing.on && !standing.ready)
    return <p className="quiet-text">This server is not ready for it yet. Whoever runs it has to set SECRET_KEY first.</p>;
  if (!standing.on)
    return (
      <>
        <p className="quiet-text">A code from an app on your phone, beside your password. Whoever learns your password still cannot sign in.</p>
        <div className="buttons"><button type="button" className="button primary" onClick={() => onDo("set-up")}>Set up</button></div>
      </>
    );
  const left = standing.codes_left;
  return (
    <>
      <p className="quiet-text">After your password you are asked for a code from your authenticator app.</p>
      <p className={standing.few_codes ? "note warn" : "note"}>
        {left === 0 ? "No recovery codes are left. " : `${left} of your recovery codes ${left === 1 ? "is" : "are"} left. `}
        {standing.few_codes ? "Make new ones before you need them." : ""}
      </p>
      <div className="buttons">
        <button type="button" className="button" onClick={() => onDo("codes")}>New recovery codes</button>
        <button type="button" className="button" onClick={() => onDo("move")}>Use another phone</button>
        {!standing.demanded && <button type="button" className="button quiet" onClick={() => onDo("off")}>Turn off</button>}
      </div>
      {standing.demanded && <p className="help">One of your roles asks for it, so it stays on.</p>}
    </>
  );
}

function Doing({ what, onCodes, onDone }) {
  const [begun, setBegun] = useState(null);
  const [codes, setCodes] = useState(null);
  const [sentence, setSentence] = useState("");
  if (what === "set-up" || begun) return <SetUp given={begun} onCodes={onCodes} onDone={onDone} onCancel={onDone} finish="Done" />;
  if (codes) return <RecoveryCodes codes={codes} onDone={onDone} finish="Done" />;

  const prove = async (event) => {
    event.preventDefault();
    const told = await ask(ASKED[what], { code: event.target.elements.code.value });
    setSentence(told.problem || "");
    if (told.problem) return;
    if (told.codes) {
      setCodes(told.codes);
      onCodes();
    } else if (told.ticket) setBegun(told);
    else onDone();
  };
  return (
    <form className="set-up" onSubmit={prove}>
      <p>{WHY[what]}</p>
      <CodeField label="Code from your app, or a recovery code" focused />
      <Refused sentence={sentence} />
      <div className="dialog-buttons">
        <button type="button" className="button" onClick={onDone}>Cancel</button>
        <button type="submit" className={what === "off" ? "button danger" : "button primary"}>{what === "off" ? "Turn off" : "Continue"}</button>
      </div>
    </form>
  );
}

const ASKED = { move: "/begin", codes: "/codes", off: "/off" };
const WHY = {
  move: "First a code from the phone that you use now. The codes of that phone, and your recovery codes, end when the new phone is set up.",
  codes: "You get ten new ones. Those that you have now stop working.",
  off: "Your password alone will be enough to sign in. Your recovery codes stop working.",
};
