// Talking to the simulator: requests, and the stream of what happens.

// The simulator refused what was asked: its sentence.
export class Refused extends Error {}

// Throws Refused, or TypeError when the simulator is away.
export async function ask(path, method = "GET", body = undefined) {
  const options = { method, headers: {} };
  if (method !== "GET") {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body ?? {});
  }
  const answer = await fetch(path, options);
  const content = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Refused(content?.error ?? `The simulator answered ${answer.status}.`);
  return content;
}

// hears: {hello, text, phones, read, trouble, lost}; hello comes on every connection, so that whoever hears it reloads.
export function listen(hears) {
  const stream = new EventSource("/simulator/events");
  for (const kind of ["hello", "text", "phones", "read", "trouble"]) {
    stream.addEventListener(kind, (event) => hears[kind](JSON.parse(event.data)));
  }
  stream.addEventListener("error", () => {
    hears.lost();
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => { stream.close(); listen(hears); }, 2000);
  });
}
