// What the address names, known at the click: the screen follows it at once, its content when the server answers.
import { useLocation } from "react-router";

export function useAddress() {
  const [, page, box = "", rest = ""] = useLocation().pathname.split("/");
  const overseen = page === "oversight" ? idIn(box) : 0;
  return { box, thread: idIn(rest), fresh: rest === "new", opened: rest !== "", overseen };
}

const idIn = (part) => (/^\d{1,18}$/.test(part) ? Number(part) : 0);
