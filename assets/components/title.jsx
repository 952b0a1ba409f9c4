import { useEffect } from "react";

// The title of the browser's tab, with the number of unread conversations first.
export function PageTitle({ unread, name }) {
  useEffect(() => {
    document.title = (unread ? `(${unread}) ` : "") + name;
  }, [unread, name]);
  return null;
}
