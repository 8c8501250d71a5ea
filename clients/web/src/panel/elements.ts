// The page's elements, by their ids. Knows index.html.

/** The element with an id, which must be of a kind. Throws Error if the page has none. */
export function element<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return found;
}

export function say(id: string, text: string): void {
  const node = element(id, HTMLElement);
  if (node.textContent !== text) node.textContent = text;
}

export function onClick(id: string, act: () => void): void {
  element(id, HTMLButtonElement).addEventListener("click", act);
}

/** A button that is on or off, and says so. */
export function onToggle(id: string, act: (isOn: boolean) => void): void {
  onClick(id, () => {
    const isOn = !isPressed(id);
    setPressed(id, isOn);
    act(isOn);
  });
}

export function isPressed(id: string): boolean {
  return element(id, HTMLButtonElement).ariaPressed === "true";
}

export function setPressed(id: string, isOn: boolean): void {
  element(id, HTMLButtonElement).ariaPressed = String(isOn);
}

/** Buttons in a row, one for each word. */
export function fillChips(id: string, words: readonly string[], act: (word: string) => void): void {
  element(id, HTMLElement).replaceChildren(
    ...words.map((word) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = word;
      button.addEventListener("click", () => {
        act(word);
      });
      return button;
    }),
  );
}
