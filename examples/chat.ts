/**
 * A chat in one's own style: fine-tunes a model on chats, of which what the assistant says is learnt, and asks it.
 * Usage: chat.ts MODEL CHATS FOLDER QUESTION EPOCHS
 */
import { finetune, finetuneDefaults, silent, textModel } from "anneal/recipes";

const [
  model = "HuggingFaceTB/SmolLM2-135M-Instruct",
  chats = "chats.jsonl",
  out = "anneal-out/chat",
  question = "Who are you?",
  epochs = "3",
] = process.argv.slice(2);

const ui = { ...silent, line: (text: string) => console.log(text) };
const { data, train } = finetuneDefaults;
const options = {
  ...finetuneDefaults,
  out,
  data: { ...data, paths: [chats] },
  train: { ...train, epochs: Number(epochs), batch: 8 },
};
const made = await finetune(model, options, { ui, command: "chat.ts" });
console.log(`held-out loss: ${made?.valLoss?.toFixed(3)} nats per token`);

const mine = await textModel(`${out}/model`);
const messages = [{ role: "user" as const, content: question }];
for await (const piece of mine.run({ messages, temperature: 0, maxTokens: 100 })) process.stdout.write(piece);
console.log();
await mine.dispose();
