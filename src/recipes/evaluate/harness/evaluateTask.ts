/** A decoder's figures on task files of lm-evaluation-harness, without Python. */
import { readerOf } from "../../../evaluate/parity/reader.ts";
import type { Figures } from "../../../metrics/metric.ts";
import { loadAsIs } from "../../../node/runtime/graph.ts";
import { ConfigError } from "../../../util/errors.ts";
import { textModel } from "../../generate/generate.ts";
import type { Asked as Evaluated, Prediction, Quality } from "../evaluation.ts";
import { filtered } from "./answers.ts";
import { type Question, questionsOf } from "./documents.ts";
import { chosen, figuresOf, type Reply, requireMetrics } from "./figures.ts";
import { type Asked, type Likelihood, likelihood, rollingLikelihood } from "./likelihood.ts";
import { harnessRecords } from "./records.ts";
import { type HarnessTask, readTaskFile } from "./taskFile.ts";

/** Most tokens of an answer, unless the task says. */
const MOST = 256;

const likelihoodsOf = async (asked: Asked, task: HarnessTask, question: Question): Promise<Likelihood[]> => {
  if (task.output_type === "loglikelihood_rolling") {
    return [{ logProb: await rollingLikelihood(asked, question.target), greedy: false }];
  }
  const found: Likelihood[] = [];
  for (const text of question.choices ?? [question.target]) {
    found.push(await likelihood(asked, question.context, task.target_delimiter + text));
  }
  return found;
};

/** Asks each question, with progress. */
const each = async (
  { hooks }: Evaluated,
  questions: readonly Question[],
  reply: (question: Question) => Promise<Omit<Reply, "question">>,
): Promise<Reply[]> => {
  const progress = hooks.ui.task("asking", questions.length);
  const replies: Reply[] = [];
  for (const question of questions) {
    hooks.signal?.throwIfAborted();
    replies.push({ question, ...(await reply(question)) });
    progress.update(replies.length);
  }
  progress.done(`asked ${replies.length} questions`);
  return replies;
};

const scored = async (evaluated: Evaluated, task: HarnessTask, questions: readonly Question[]) => {
  const { engine, subject } = evaluated;
  const session = await loadAsIs(engine, subject.graphs.model!);
  try {
    const { positions } = subject.arch.cache(subject.config);
    const asked = { reader: readerOf({ model: session }), tokenizer: subject.tokenizer, positions };
    return await each(evaluated, questions, async (question) => ({
      likelihoods: await likelihoodsOf(asked, task, question),
      answer: "",
    }));
  } finally {
    await session.dispose();
  }
};

const generated = async (evaluated: Evaluated, task: HarnessTask, questions: readonly Question[]) => {
  const { subject, engine } = evaluated;
  const { until = [task.fewshot_delimiter], max_gen_toks: maxTokens = MOST } = task.generation_kwargs ?? {};
  const model = await textModel(subject.dir, { dtype: subject.dtype, threads: engine.threads });
  try {
    return await each(evaluated, questions, async ({ context }) => {
      let text = "";
      const stop = typeof until === "string" ? [until] : until;
      for await (const piece of model.run({ prompt: context, temperature: 0, maxTokens, stop, seed: 1 })) {
        text += piece;
      }
      return { likelihoods: [], answer: filtered(text, task) };
    });
  } finally {
    await model.dispose();
  }
};

const predictionOf = (task: HarnessTask, reply: Reply): Prediction => {
  const { question, likelihoods, answer } = reply;
  const input = question.context === "" ? question.target : question.context;
  if (question.choices !== undefined) {
    const prediction = question.choices[chosen(reply)]!;
    return { input, reference: question.target, prediction, score: Number(prediction === question.target) };
  }
  if (task.output_type === "generate_until") return { input, reference: question.target, prediction: answer };
  return { input, reference: question.target, prediction: likelihoods[0]!.logProb };
};

/**
 * Asks a decoder what a task file asks, of the records beside it or of the user's (`data.paths`). Throws
 * ConfigError for what of the file is not understood and for a model that is no decoder, DataError naming
 * the record that does not fit.
 */
export const evaluateTask = async (evaluated: Evaluated, file: string): Promise<Quality> => {
  const { subject, options, given } = evaluated;
  if (subject.task.name !== "causal-lm") {
    throw new ConfigError(`is for decoders, and the model is one of ${subject.task.name}`, {
      field: "task-file",
    });
  }
  const task = readTaskFile(file);
  requireMetrics(task, file);
  const { records, examples } = await harnessRecords(file, task, options.data.paths);
  const questions = questionsOf(task, records.slice(0, given.limit), examples);
  const ask = task.output_type === "generate_until" ? generated : scored;
  const replies = await ask(evaluated, task, questions);
  const figures: Figures = figuresOf(task, replies);
  const shown = examples.length > 0 ? ` behind ${examples.length} examples` : "";
  return {
    measuredOn: `${questions.length} of ${records.length} questions of ${task.task}${shown}`,
    figures,
    predictions: replies.map((reply) => predictionOf(task, reply)),
  };
};
