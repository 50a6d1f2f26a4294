"use strict";
// Reads the description and shows it, with a form for each operation. Everything that comes from
// outside is put in as text, never as markup.
const root = document.documentElement;
const WORDS = {
  es: { send: "Enviar", stop: "Detener", body: "Cuerpo", token: "Token", none: "sin parámetros", needed: "obligatorio", failed: "no hubo respuesta", more: "… (hay más)", also: "También", back: "← Tablero", other: "English", dark: "Oscuro", light: "Claro" },
  en: { send: "Send", stop: "Stop", body: "Body", token: "Token", none: "no parameters", needed: "needed", failed: "no answer", more: "… (there is more)", also: "Also", back: "← Dashboard", other: "Español", dark: "Dark", light: "Light" },
};
let words = WORDS.en;
/** A sentence of the description in the page's language. */
const told = (text) => (root.lang === "es" && SPANISH[text]) || text;
const MOST = 20000;

function make(name, text, attributes) {
  const element = document.createElement(name);
  if (text !== undefined && text !== null) element.textContent = text;
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  return element;
}

function resolve(description, object) {
  if (!object || !object.$ref) return object;
  return object.$ref.slice(2).split("/").reduce((at, key) => at[key], description);
}

function field(parameter) {
  const schema = parameter.schema || {};
  const label = make("label");
  const required = parameter.required ? ` (${words.needed})` : "";
  label.append(make("span", parameter.name + required));
  let input;
  if (schema.enum) {
    input = make("select");
    if (!parameter.required) input.append(make("option", "", { value: "" }));
    for (const choice of schema.enum) input.append(make("option", choice, { value: choice }));
  } else {
    input = make("input", null, { type: "text", spellcheck: "false" });
    if (parameter.example !== undefined) {
      if (parameter.required) input.value = parameter.example;
      else input.placeholder = parameter.example;
    }
  }
  input.name = parameter.in + ":" + parameter.name;
  label.append(input);
  if (parameter.description) label.append(make("small", told(parameter.description)));
  return label;
}

async function show(response, output) {
  const kind = response.headers.get("content-type") || "";
  output.append(make("p", `${response.status} ${response.statusText} · ${kind}`));
  if (kind.startsWith("image/")) {
    const picture = make("img", null, { alt: "" });
    const reader = new FileReader();
    reader.onload = () => { picture.src = reader.result; };
    reader.readAsDataURL(await response.blob());
    output.append(picture);
    return;
  }
  const box = make("pre", "");
  output.append(box);
  if (kind.startsWith("text/event-stream")) {
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      box.textContent = (box.textContent + decoder.decode(value, { stream: true })).slice(-MOST);
    }
  }
  let text = await response.text();
  if (kind.includes("json") && text.length < MOST * 5) {
    try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* as it came */ }
  }
  box.textContent = text.length > MOST ? text.slice(0, MOST) + "\n" + words.more : text;
}

function form(description, path, method, operation) {
  const element = make("form");
  const parameters = (operation.parameters || []).map((p) => resolve(description, p));
  if (!parameters.length) element.append(make("small", words.none));
  for (const parameter of parameters) element.append(field(parameter));
  let body = null;
  if (operation.requestBody) {
    const label = make("label", words.body);
    body = make("textarea");
    body.value = JSON.stringify(operation.requestBody.content["application/json"].example || {});
    label.append(body);
    element.append(label);
  }
  let token = null;
  if (operation.security) {
    const label = make("label", words.token);
    token = make("input", null, { type: "password", autocomplete: "off" });
    label.append(token);
    element.append(label);
  }
  const button = make("button", words.send, { type: "submit" });
  element.append(button);
  const output = make("div", null, { "aria-live": "polite" });
  let running = null;
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running) { running.abort(); return; }
    running = new AbortController();
    button.textContent = words.stop;
    output.replaceChildren();
    let target = path;
    const query = new URLSearchParams();
    const headers = {};
    for (const [name, value] of new FormData(element)) {
      const [place, parameter] = name.split(":");
      if (value === "") continue;
      if (place === "path") target = target.replace(`{${parameter}}`, encodeURIComponent(value));
      else if (place === "query") query.set(parameter, value);
      else if (place === "header") headers[parameter] = value;
    }
    if (token && token.value) headers.Authorization = "Bearer " + token.value;
    if (body) headers["Content-Type"] = "application/json";
    // The page may be shown under a path: it lies beside what it describes.
    const address = new URL(".." + target + (query.size ? "?" + query : ""), location.href);
    output.append(make("code", `${method.toUpperCase()} ${address.pathname}${address.search}`));
    try {
      const response = await fetch(address, {
        method: method.toUpperCase(), headers, body: body ? body.value : undefined, signal: running.signal,
      });
      await show(response, output);
    } catch (error) {
      if (error.name !== "AbortError") output.append(make("p", `${words.failed}: ${error.message}`));
    }
    running = null;
    button.textContent = words.send;
  });
  const box = make("div", null, { class: "body" });
  if (operation.description) box.append(make("p", told(operation.description)));
  const isForm = ([, methods]) => methods[method] && methods[method]["x-form-of"] === path;
  const forms = Object.entries(description.paths).filter(isForm).map(([other]) => other);
  if (forms.length) box.append(make("p", `${words.also}: ${forms.join(", ")}`));
  box.append(element, output);
  return box;
}

function keep(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Then it holds for this page.
  }
}

function showAll(description) {
  words = WORDS[root.lang] || WORDS.en;
  document.getElementById("back").textContent = words.back;
  document.getElementById("version").textContent = description.info.version;
  document.getElementById("about").textContent = told(description.info.description);
  const lang = document.getElementById("lang");
  lang.textContent = words.other;
  lang.lang = root.lang === "es" ? "en" : "es";
  document.getElementById("theme").textContent = root.dataset.theme === "dark" ? words.light : words.dark;
  const main = document.getElementById("paths");
  main.replaceChildren();
  for (const tag of description.tags) {
    main.append(make("h2", told(tag.description)));
    for (const [path, methods] of Object.entries(description.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        if (!operation.tags.includes(tag.name) || operation["x-form-of"]) continue;
        const details = make("details");
        const summary = make("summary");
        summary.append(make("span", method.toUpperCase(), { class: "method" }), make("code", path), make("span", " — " + told(operation.summary)));
        details.append(summary);
        details.addEventListener("toggle", () => {
          if (details.open && details.childElementCount === 1) details.append(form(description, path, method, operation));
        });
        main.append(details);
      }
    }
  }
}

async function begin() {
  const description = await (await fetch("openapi.json")).json();
  showAll(description);
  document.getElementById("lang").addEventListener("click", () => {
    root.lang = root.lang === "es" ? "en" : "es";
    keep("celaje.lang", root.lang);
    showAll(description);
  });
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    delete root.dataset.red;
    keep("celaje.theme", root.dataset.theme);
    showAll(description);
  });
}

begin().catch((error) => document.getElementById("paths").replaceChildren(make("p", error.message)));
