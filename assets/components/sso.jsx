import { useEffect, useState } from "react";

const LOGOS = {
  google: (
    <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
      <path fill="#4285f4" d="M23 12.3c0-.8-.1-1.6-.2-2.3H12v4.4h6.2a5.3 5.3 0 0 1-2.3 3.5v2.9h3.7c2.1-2 3.4-4.9 3.4-8.5z" />
      <path fill="#34a853" d="M12 23.5c3.1 0 5.7-1 7.6-2.8l-3.7-2.9c-1 .7-2.3 1.1-3.9 1.1-3 0-5.5-2-6.4-4.7H1.8v3A11.5 11.5 0 0 0 12 23.500z" />
      <path fill="#fbbc05" d="M5.6 14.200a6.9 6.9 0 0 1 0-4.400v-3H1.800a11.5 11.5 0 0 0 0 10.400z" />
      <path fill="#ea4335" d="M12 5.100c1.7 0 3.2.6 4.4 1.700l3.3-3.300A11.5 11.5 0 0 0 1.8 6.800l3.8 3C6.5 7.1 9 5.1 12 5.100z" />
    </svg>
  ),
  microsoft: (
    <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
      <path fill="#f25022" d="M2 2h9.500v9.500H2z" />
      <path fill="#7fba00" d="M12.5 2H22v9.500h-9.500z" />
      <path fill="#00a4ef" d="M2 12.500h9.500V22H2z" />
      <path fill="#ffb900" d="M12.5 12.500H22V22h-9.500z" />
    </svg>
  ),
};

// Begun as the code of the page arrives, so that the buttons are there with the form, or right after it.
const providers =
  typeof window === "undefined" ? null : fetch("/auth/providers").then((answer) => answer.json()).catch(() => []);

// The last thing on its card: nothing moves when it appears.
export function SignInProviders() {
  const [known, setKnown] = useState([]);
  const [next, setNext] = useState("");
  useEffect(() => {
    setNext(new URLSearchParams(window.location.search).get("next") || "");
    providers.then(setKnown);
  }, []);
  if (!known.length) return null;
  return (
    <div className="providers">
      <span className="or">or</span>
      {known.map(({ key, name }) => (
        <a key={key} className="button wide" href={`/auth/sso/${key}?next=${encodeURIComponent(next)}`}>
          {LOGOS[key]}
          Sign in with {name}
        </a>
      ))}
    </div>
  );
}
