import { useCallback, useEffect, useRef, useState } from "react";
import { useBlocker } from "react-router";
import { Dialog } from "$/public/components/dialog.jsx";

const tidy = (name) => name.trim().replace(/\s+/g, " ");
const sorted = (words) => [...words].sort().join(",");

// Whether the form around `button` names or allows something else than what is kept.
function useDifference(button, name, permissions) {
  const [differs, setDiffers] = useState(false);
  const kept = sorted(permissions);

  useEffect(() => {
    const form = button.current.form;
    const compare = () => {
      const typed = new FormData(form);
      const ticked = sorted(typed.get("permissions").split(",").filter(Boolean));
      setDiffers(tidy(typed.get("name")) !== name || ticked !== kept);
    };
    compare();
    form.addEventListener("input", compare);
    return () => form.removeEventListener("input", compare);
  }, [button, name, kept]);
  return differs;
}

// Asks whoever goes by a link, by the browser's arrows, or by closing. Where the server leads is not held up.
function useLeaving(differs) {
  const followed = useRef(false);
  const holds = ({ historyAction }) => differs && (historyAction === "POP" || followed.current);
  const blocker = useBlocker(useCallback(holds, [differs]));

  useEffect(() => {
    if (!differs) return undefined;
    const closing = (event) => event.preventDefault();
    const clicked = (event) => {
      followed.current = Boolean(event.target.closest("a[href]"));
      setTimeout(() => { followed.current = false; });
    };
    window.addEventListener("beforeunload", closing);
    document.addEventListener("click", clicked, true);
    return () => {
      window.removeEventListener("beforeunload", closing);
      document.removeEventListener("click", clicked, true);
    };
  }, [differs]);
  return blocker;
}

// Submits the form of a role; `idle`: also while nothing differs from what is kept.
export function SaveButton({ label, name, permissions, idle }) {
  const button = useRef(null);
  const differs = useDifference(button, name, permissions);
  const leaving = useLeaving(differs);
  const stay = () => leaving.reset?.();

  return (
    <>
      <button ref={button} type="submit" className="button primary" disabled={!differs && !idle}>{label}</button>
      <Dialog open={leaving.state === "blocked"} title="Leave without saving?" onClose={stay}>
        <p>What you changed in this role has not been saved.</p>
        <div className="dialog-buttons">
          <button type="button" className="button" onClick={stay}>Stay</button>
          <button type="button" className="button danger" onClick={() => leaving.proceed()}>Leave</button>
        </div>
      </Dialog>
    </>
  );
}
