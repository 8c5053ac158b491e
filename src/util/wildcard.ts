/** Names by patterns in which * stands for anything. */

/** Whether a name is one of `pattern`'s, in which * stands for any text, none included. */
export const wildcard = (pattern: string): ((name: string) => boolean) => {
  const parts = pattern.split("*");
  const [first, last] = [parts[0]!, parts.at(-1)!];
  return (name) => {
    if (parts.length === 1) return name === pattern;
    let at = first.length;
    for (const part of parts.slice(1, -1)) {
      const found = name.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return name.startsWith(first) && name.endsWith(last) && name.length - last.length >= at;
  };
};
