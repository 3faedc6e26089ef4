// A classic script in the head, not a module: modules run after the first paint, and a dark page must not flash white.
(() => {
  const KEY = "scoreboard.theme";
  const root = document.documentElement;
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  }

  function apply() {
    const dark = (chosen() ?? (prefersDark.matches ? "dark" : "light")) === "dark";
    root.dataset.theme = dark ? "dark" : "light";
    document.querySelector('meta[name="theme-color"]').content = dark ? "#0b1413" : "#eef2ee";
    document.getElementById("theme")?.setAttribute("aria-pressed", String(dark));
  }

  apply();
  prefersDark.addEventListener("change", apply);
  document.addEventListener("DOMContentLoaded", () => {
    apply();
    document.getElementById("theme").addEventListener("click", () => {
      const next = root.dataset.theme === "dark" ? "light" : "dark";
      try {
        localStorage.setItem(KEY, next);
      } catch {
        // Storage may be denied; the choice then lasts as long as the page.
      }
      root.dataset.theme = next;
      apply();
    });
  });
})();
