// What the address names, known at the click: the screen follows it at once, its content when the server answers.
import { useLocation } from "react-router";

export function useAddress() {
  const [, , box = "", rest = ""] = useLocation().pathname.split("/");
  return { box, thread: /^\d{1,18}$/.test(rest) ? Number(rest) : 0, fresh: rest === "new", opened: rest !== "" };
}
