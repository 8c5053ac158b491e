/** Lines of a conversation: typed at a prompt, or from a pipe. */
import { createInterface } from "node:readline";

/** Each line of stdin that is not empty; a terminal is asked for them on stderr. */
export async function* linesOf(): AsyncGenerator<string> {
  const asks = process.stdin.isTTY === true;
  const lines = createInterface({ input: process.stdin, ...(asks ? { output: process.stderr } : {}) });
  if (asks) {
    lines.setPrompt("> ");
    lines.prompt();
  }
  try {
    for await (const line of lines) {
      if (line.trim() !== "") yield line;
      if (asks) lines.prompt();
    }
  } finally {
    lines.close();
  }
}
