import { useEffect, useId, useRef } from "react";

// A modal dialog of the browser's own: it keeps the focus, and gives it back to where it came from.
export function Dialog({ open, title, onClose, children }) {
  const dialog = useRef(null);
  const heading = useId();

  useEffect(() => {
    const box = dialog.current;
    if (open && !box.open) box.showModal();
    if (!open && box.open) box.close();
  }, [open]);

  const close = (event) => {
    event.preventDefault();
    onClose();
  };
  const closeOutside = (event) => event.target === dialog.current && close(event);

  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={heading} onCancel={close} onMouseDown={closeOutside}>
      {open && (
        <div className="dialog-box">
          <h2 id={heading}>{title}</h2>
          {children}
        </div>
      )}
    </dialog>
  );
}
