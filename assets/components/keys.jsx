// Escape closes the family panel, else leads a phone back to its list. Focus goes along with the panel.
import { useEffect, useRef } from "react";
import { useNavigate } from "react-router";
import { useAddress } from "$/public/components/address.jsx";

const OVER_THE_THREAD = "(max-width: 1279px)";
const ONE_AT_A_TIME = "(max-width: 719px)";

export function Keys({ panel, onClose }) {
  const { box, opened } = useAddress();
  const navigate = useNavigate();
  const open = useRef(panel);

  useEffect(() => {
    const onKey = (event) => {
      if (event.key !== "Escape" || event.defaultPrevented || event.isComposing) return;
      if (panel) onClose();
      else if (opened && window.matchMedia(ONE_AT_A_TIME).matches) navigate(`/messages/${box}`);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [panel, box, opened, onClose]);

  useEffect(() => {
    if (open.current === panel) return;
    open.current = panel;
    if (panel && window.matchMedia(OVER_THE_THREAD).matches) document.querySelector(".panel button")?.focus();
    if (!panel && document.activeElement === document.body) document.getElementById("about-family")?.focus();
  }, [panel]);
  return null;
}
