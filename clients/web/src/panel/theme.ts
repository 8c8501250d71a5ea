// The colours of the page, as the style sheet has them now: light or dark. Knows the style sheet's
// names; the canvases cannot read them themselves.

const NAMES = [
  "background", "floor", "line", "text", "muted", "player", "partner", "accent", "bad",
] as const;

export type Theme = Readonly<Record<(typeof NAMES)[number], string>>;

/** Reads the colours through an element, which resolves light and dark. */
export function themeNow(probe: HTMLElement): Theme {
  const colors = NAMES.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color];
  });
  return Object.fromEntries(colors) as Theme;
}

/** Calls back when the system changes between light and dark. */
export function onSystemTheme(changed: () => void): void {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
}

/** The other of light and dark, from now on. */
export function toggleTheme(): void {
  const root = document.documentElement;
  const isDark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
}
