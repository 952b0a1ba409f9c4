import { useEffect, useId, useRef, useState } from "react";

// Permissions in groups. A group's box is ticked, empty or in between; what another permission brings along is ticked
// with it, and held. The list of what is ticked goes with the form under `name`, which hears of every change, and to
// onTick.
export function PermissionTree({ groups, chosen, name, locked, onTick }) {
  const [ticked, setTicked] = useState(() => new Set(chosen));
  const held = useRef(null);
  const all = groups.flatMap((group) => group.permissions);
  const bringers = (word) => all.filter((p) => ticked.has(p.word) && p.brings.includes(word));

  useEffect(() => {
    held.current.dispatchEvent(new Event("input", { bubbles: true }));
  }, [ticked]);

  const put = (words) => {
    setTicked(words);
    onTick([...words].join(","));
  };
  const tick = (words, on) => {
    const next = new Set(ticked);
    words.forEach((word) => (on ? next.add(word) : next.delete(word)));
    put(next);
  };

  return (
    <div className="tree">
      <input ref={held} type="hidden" name={name} value={[...ticked].join(",")} />
      {groups.map((group) => (
        <Group key={group.name} group={group} ticked={ticked} bringers={bringers} locked={locked} tick={tick} />
      ))}
    </div>
  );
}

function Group({ group, ticked, bringers, locked, tick }) {
  const id = useId();
  const box = useRef(null);
  const words = group.permissions.map((p) => p.word);
  const shown = words.filter((word) => ticked.has(word) || bringers(word).length);
  const open = group.permissions.filter((p) => !p.refused && !bringers(p.word).length).map((p) => p.word);
  const full = shown.length === words.length;
  const some = shown.length > 0 && !full;
  const fillable = open.some((word) => !ticked.has(word));

  useEffect(() => {
    box.current.indeterminate = some;
  }, [some, ticked]);

  return (
    <div className="tree-group" role="group" aria-labelledby={id}>
      <label className="tree-parent">
        <input
          ref={box}
          type="checkbox"
          aria-labelledby={id}
          checked={full}
          disabled={locked || open.length === 0}
          onChange={() => tick(open, fillable)}
        />
        <strong id={id}>{group.name}</strong>
        <span className="tree-count">{shown.length} of {words.length}</span>
      </label>
      <ul>
        {group.permissions.map((p) => (
          <li key={p.word}>
            <Choice permission={p} on={ticked.has(p.word)} bringers={bringers(p.word)} locked={locked} tick={tick} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function Choice({ permission, on, bringers, locked, tick }) {
  const [title, about] = [useId(), useId()];
  const brought = bringers.length > 0;
  return (
    <label className="choice">
      <input
        type="checkbox"
        checked={on || brought}
        disabled={locked || brought || Boolean(permission.refused)}
        aria-labelledby={title}
        aria-describedby={about}
        onChange={(event) => tick([permission.word], event.target.checked)}
      />
      <strong id={title}>{permission.label}</strong>
      <span id={about} className="help">
        {permission.sentence}
        {brought && <em> Comes with “{bringers[0].label}”.</em>}
        {permission.refused && <em> {permission.refused}</em>}
      </span>
    </label>
  );
}
