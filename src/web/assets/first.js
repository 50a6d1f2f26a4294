// Sets theme and language before the first paint.
(() => {
  "use strict";
  const read = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  };
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = read("celaje.theme");
  const known = theme === "light" || theme === "dark" || theme === "red";
  const chosen = known ? theme : dark ? "dark" : "light";
  // Red is the dark theme of which only the red light is left.
  root.dataset.theme = chosen === "light" ? "light" : "dark";
  if (chosen === "red") root.dataset.red = "1";
  const asked = new URLSearchParams(location.search).get("lang");
  const spoken = (navigator.languages || [navigator.language || "en"])
    .map((tag) => tag.slice(0, 2).toLowerCase())
    .find((tag) => tag === "es" || tag === "en");
  const lang = [asked, read("celaje.lang"), spoken].find((tag) => tag === "es" || tag === "en");
  root.lang = lang || "en";
})();
