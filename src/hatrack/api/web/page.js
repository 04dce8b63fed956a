// What htmx cannot do: keep the key, and stream several answers at once. All text is set as text, never as HTML.
"use strict";

const KEY = "hatrack.key"; // in sessionStorage: this tab only, gone when it is closed
const MOST = 6; // connections that a browser keeps to one server
const EVERY = 5000; // milliseconds between two looks at the adapters
const INSIDE = ["skip", "parts", "main"]; // shown to who is let in
const UNREACHABLE = "the server cannot be reached";

const at = (id) => document.getElementById(id);
let running = null; // AbortController of the answers being made

// ---- the key

function authorization() {
  const key = sessionStorage.getItem(KEY);
  return key ? { Authorization: `Bearer ${key}` } : {};
}

function tell(message) {
  at("alert").textContent = message;
  at("alert").hidden = !message;
}

function messageIn(body, status) {
  try {
    return JSON.parse(body).error.message;
  } catch {
    return `the server answered ${status}`;
  }
}

function admitted() {
  const had = at("key-form").contains(document.activeElement) || document.activeElement === document.body;
  at("key-form").hidden = true;
  at("forget").hidden = !sessionStorage.getItem(KEY);
  for (const id of INSIDE) at(id).hidden = false;
  if (had) at("prompt").focus();
}

function askForKey(message) {
  if (running) running.abort();
  sessionStorage.removeItem(KEY);
  for (const id of [...INSIDE, "forget"]) at(id).hidden = true;
  at("key-form").hidden = false;
  for (const id of ["who", "trial", "versions", "decision", "panes", "tables"]) at(id).replaceChildren();
  tell(message);
  at("key").focus();
}

function refused(status, body, used) {
  if (used !== authorization().Authorization) return; // of a key that is no longer in use
  if (status !== 401) return tell(messageIn(body, status));
  if (used) askForKey(messageIn(body, status));
  else if (at("key-form").hidden) askForKey(""); // else it is asked for already, perhaps with the reason in sight
}

at("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, at("key").value.trim());
  at("key").value = "";
  tell("");
  htmx.trigger(document.body, "key");
});
at("forget").addEventListener("click", () => askForKey(""));

document.body.addEventListener("htmx:configRequest", (event) => Object.assign(event.detail.headers, authorization()));
document.body.addEventListener("htmx:beforeRequest", (event) => event.detail.elt.tagName === "FORM" && tell(""));
document.body.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (!detail.successful || !detail.elt.classList.contains("title")) return;
  tell("");
  htmx.trigger(document.body, "renew"); // who is champion is shown at once
});
document.body.addEventListener("htmx:sendError", () => tell(UNREACHABLE));
document.body.addEventListener("htmx:responseError", ({ detail }) =>
  refused(detail.xhr.status, detail.xhr.responseText, detail.requestConfig.headers.Authorization));
document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "who") admitted();
  if (at("alert").textContent === UNREACHABLE) tell("");
});

setInterval(() => {
  if (!at("main").hidden && !document.hidden) htmx.trigger(document.body, "renew");
}, EVERY);

// ---- answers side by side

function addPane(model) {
  const pane = at("pane").content.cloneNode(true).firstElementChild;
  pane.dataset.model = model;
  pane.querySelector("h3").textContent = model;
  pane.querySelector(".answer").setAttribute("aria-label", `Answer of ${model}`);
  at("panes").append(pane);
  return pane;
}

async function* events(response) {
  let rest = "";
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const frames = (rest + part.value).split("\n\n");
    rest = frames.pop();
    for (const frame of frames) {
      if (frame.startsWith("data: ") && frame !== "data: [DONE]") yield JSON.parse(frame.slice(6));
    }
  }
}

async function post(path, body, pane, signal) {
  const headers = { ...authorization(), "Content-Type": "application/json" };
  const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal });
  if (!response.ok) {
    const text = await response.text();
    if (response.status === 401) refused(401, text, headers.Authorization);
    throw new Error(messageIn(text, response.status));
  }
  const named = (name) => response.headers.get(`X-Hatrack-${name}`);
  const digest = named("Digest").slice(0, 12);
  const base = named("Adapter") === "base";
  pane.querySelector(".identity").textContent = base ? `no adapter, base ${digest}` : `${named("Adapter")}@${named("Version")}, ${digest}`;
  return response;
}

async function generate(pane, prompt, signal) {
  const begin = performance.now();
  const body = {
    model: pane.dataset.model,
    messages: [{ role: "user", content: prompt }],
    max_tokens: at("tokens").valueAsNumber,
    temperature: at("temperature").valueAsNumber,
    stream: true,
    stream_options: { include_usage: true },
  };
  const response = await post("v1/chat/completions", body, pane, signal);
  const answer = pane.querySelector(".answer");
  let first = 0;
  let tokens = 0;
  let ended = "";
  for await (const event of events(response)) {
    if (event.error) throw new Error(event.error.message);
    const choice = event.choices[0];
    if (choice?.delta.content) {
      first ||= performance.now();
      answer.append(choice.delta.content);
    }
    ended = choice?.finish_reason ?? ended;
    tokens = event.usage?.completion_tokens ?? tokens;
  }
  const told = [`${tokens} ${tokens === 1 ? "token" : "tokens"}`, `${((performance.now() - begin) / 1000).toFixed(1)} s`];
  if (first) told.push(`first after ${Math.round(first - begin)} ms`);
  if (ended === "length") told.push("cut at the most tokens");
  return told.join(" · ");
}

async function classify(pane, prompt, signal) {
  const response = await post("v1/classify", { model: pane.dataset.model, input: prompt }, pane, signal);
  const { labels } = (await response.json()).data[0];
  pane.querySelector(".answer").textContent = labels.map((one) => `${one.label} ${(100 * one.probability).toFixed(1)} %`).join("\n");
  return `${labels.length} labels`;
}

async function answer(pane, prompt, signal) {
  const shown = pane.querySelector(".figures");
  const encoder = at("who").querySelector("fieldset").dataset.kind !== "causal";
  try {
    shown.textContent = "asked";
    shown.textContent = await (encoder ? classify : generate)(pane, prompt, signal);
  } catch (error) {
    shown.textContent = signal.aborted ? "stopped" : error.message;
    shown.classList.toggle("failed", !signal.aborted);
  } finally {
    pane.querySelector(".answer").setAttribute("aria-busy", "false");
  }
}

at("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const models = [...at("who").querySelectorAll("input:checked")].map((box) => box.value);
  if (!models.length) return tell("tick at least one under “Who answers”");
  if (models.length > MOST) return tell(`tick ${MOST} at most: a browser has no more connections to one server`);
  tell("");
  if (running) running.abort();
  const mine = (running = new AbortController());
  at("panes").replaceChildren();
  at("stop").disabled = false;
  await Promise.all(models.map((model) => answer(addPane(model), at("prompt").value, mine.signal)));
  if (running !== mine) return; // asked again meanwhile
  running = null;
  if (document.activeElement === at("stop")) at("go").focus(); // a disabled button would lose the focus
  at("stop").disabled = true;
  htmx.trigger(document.body, "renew");
});

at("stop").addEventListener("click", () => running?.abort());
at("prompt").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  at("ask").requestSubmit();
});
