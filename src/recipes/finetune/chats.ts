/** How a checkpoint's chats are written: by its own template, or by the one that it gets. */
import { chatWriter, readChatTemplates, templateSpecials } from "../../node/model/template.ts";
import type { Task } from "../../tasks/task.ts";
import { type ChatTemplate, chooseTemplate } from "../../template/chat.ts";
import type { ChatWriter } from "../../template/supervised.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import type { RecordData } from "../data/records.ts";
import type { Source } from "../model/source.ts";

/** How chats are written. */
export interface Chats {
  readonly writer: ChatWriter;
  readonly ownTemplate: boolean;
  /** What the template is called. */
  readonly name: string;
  /** The template that the model gets; nothing where it has its own, or no chat was written. */
  added(): { readonly template?: ChatTemplate };
}

const START = "<|im_start|>";
const END = "<|im_end|>";

/** The functions that a model may call, and a message with its calls, as Hermes and Qwen write them. */
const TOOLS =
  "{{ 'Functions that can be called:' }}{% for tool in tools %}{{ '\\n' + (tool | tojson) }}{% endfor %}";
const CONTENT =
  "{% if message['content'] %}{{ message['content'] }}{% endif %}" +
  "{% for call in message['tool_calls'] or [] %}{% set made = call['function'] or call %}" +
  "{% if message['content'] or not loop.first %}{{ '\\n' }}{% endif %}{{ '<tool_call>\\n' + " +
  "({'name': made['name'], 'arguments': made['arguments']} | tojson) + '\\n</tool_call>' }}{% endfor %}";

/**
 * ChatML, as most models that have no template of another kind
 * (https://huggingface.co/docs/transformers/chat_templating): its token ends a turn where the tokenizer
 * has it, else the token that ends a text, so that no token is new.
 */
const chatml = (tokenizer: Tokenizer): ChatTemplate => {
  const known = tokenizer.idOf(END) !== undefined;
  const end = known ? END : tokenizer.decode([tokenizer.eos], { keepSpecial: true });
  const [start, stop] = [JSON.stringify(START), `${JSON.stringify(end)} + '\\n'`];
  const turn = (role: string, content: string): string =>
    `{{ ${start} + ${role} + '\\n' }}${content}{{ ${stop} }}`;
  const template =
    `{% if tools %}${turn("'system'", TOOLS)}{% endif %}` +
    `{% for message in messages %}${turn("message['role']", CONTENT)}{% endfor %}` +
    `{% if add_generation_prompt %}{{ ${start} + 'assistant\\n' }}{% endif %}`;
  return { name: "default", template };
};

/** The texts of all special tokens of a tokenizer. */
const specialTexts = (tokenizer: Tokenizer): string[] => {
  const texts: string[] = [];
  for (let id = 0; id < tokenizer.vocabSize; id++) {
    if (tokenizer.bytesOf(id).length > 0) continue;
    const text = tokenizer.decode([id], { keepSpecial: true });
    if (text !== "") texts.push(text);
  }
  return texts;
};

/** How the chats of the model in `dir` are written. Throws FormatError for a malformed template. */
export const chatsOf = async (dir: string, tokenizer: Tokenizer): Promise<Chats> => {
  const own = await readChatTemplates(dir);
  const template = own.length > 0 ? chooseTemplate(own) : chatml(tokenizer);
  const write = chatWriter(template, {
    specials: templateSpecials(tokenizer),
    tokens: specialTexts(tokenizer),
  });
  let used = false;
  return {
    ownTemplate: own.length > 0,
    name: own.length > 0 ? template.name : "ChatML",
    writer: (chats) => {
      used = true;
      return write(chats);
    },
    added: () => (used && own.length === 0 ? { template } : {}),
  };
};

/** The special token that ends what is learnt first; undefined where none does. */
const endOf = ({ material }: RecordData, tokenizer: Tokenizer): number | undefined => {
  const last = material.train[0]?.parts.labels;
  const id = last?.[last.length - 1];
  return id !== undefined && id >= 0 && tokenizer.bytesOf(id).length === 0 ? id : undefined;
};

/**
 * What the model's folder passes on, with a generation that ends where an answer does, where it learns
 * answers.
 */
export const chatSource = async (
  source: Source,
  learns: { readonly task: Task; readonly tokenizer: Tokenizer; readonly data: RecordData },
): Promise<Source> => {
  const { task, tokenizer, data } = learns;
  // Labels of classes are no tokens.
  const writes = task.heads.includes("causal-lm") || task.heads.includes("seq2seq-lm");
  const end = writes ? endOf(data, tokenizer) : undefined;
  const { fields = {}, spellings = new Map() } = source.generation ?? {};
  const { eos_token_id: known = tokenizer.eos } = fields as { readonly eos_token_id?: number | number[] };
  const ends = [known].flat();
  if (end === undefined || ends.includes(end)) return source;
  const eos_token_id = [...ends, end];
  return { ...source, generation: { spellings, fields: { ...fields, eos_token_id } } };
};
