import { createContext, runInContext } from "node:vm";
import { Refusal, render, TemplateFault } from "../../src/template/index.ts";
import type { Format } from "../format.ts";
import { mutateText } from "../mutate/text.ts";
import { tokenization } from "./golden.ts";

/** Milliseconds that a template may take, as where its process is ended. */
const DEADLINE = 500;

const words: readonly string[] = [
  ..."{% %} {{ }} {# #} {%- -%} {{- -}} if elif else endif for endfor in set endset macro endmacro call".split(
    " ",
  ),
  ..."endcall filter endfilter with endwith break continue raw endraw generation endgeneration not and or".split(
    " ",
  ),
  ..."is defined none true false loop.index loop.last messages message tools add_generation_prompt".split(
    " ",
  ),
  ..."['role'] ['content'] [0] [-1] [::-1] [1:] | . , : ( ) [ ] { } = == != < > + - * ** / // % ~ \" ' \\".split(
    " ",
  ),
  ..."namespace( raise_exception( strftime_now( range( dict( lipsum( joiner( cycler( self super varargs".split(
    " ",
  ),
  ..."|tojson |trim |length |join(',') |map(attribute='a') |selectattr('a') |groupby('role') |sort |list".split(
    " ",
  ),
  ..."|default(1) |replace('a','b') |indent(4) |batch(2) |slice(3) |dictsort |items |first |random |int".split(
    " ",
  ),
  ..."|float |round(2) |format(1) |urlize |wordwrap(5) |truncate(9) |unique |sum |max |min |reverse |string".split(
    " ",
  ),
  ..."|safe |escape |upper |title |center(9) |xmlattr |pprint |filesizeformat |reject |select('odd')".split(
    " ",
  ),
  ...".split() .strip() .format(1) .items() .keys() .startswith('a') .append(1) .__class__ .mro() .join([1])".split(
    " ",
  ),
  ...[
    "0",
    "1",
    "-1",
    "9",
    "1.5",
    "1e400",
    "99999999999999999999",
    "None",
    "'a'",
    "'é😀'",
    "%s",
    "%d",
    "{0}",
    "{:>9}",
  ],
  ..."%Y-%m-%d is even|is odd|is divisibleby 0|is sameas 1|is iterable|is mapping|is string|is number".split(
    "|",
  ),
];

const more: readonly string[] = [
  "{%- macro m(a, b=2) -%}{{ a ~ b ~ varargs ~ kwargs ~ caller() }}{%- endmacro -%}{% call(x) m(1) %}{{ x }}{% endcall %}",
  "{% for m in messages recursive %}{{ loop.index0 }}{{ loop.cycle('a','b') }}{{ m|tojson(indent=2) }}{% else %}-{% endfor %}",
  "{% set ns = namespace(n=0) %}{% for i in range(5) %}{% set ns.n = ns.n + i * 2 ** 3 // 2 % 7 %}{% endfor %}{{ ns.n }}",
  "{{ messages|map(attribute='content')|map('upper')|join(', ')|truncate(20) }}{{ 'a%sb' % 1 }}{{ '{:>5}'.format(3) }}",
  "{{ {'a': [1, 2.5, none, true]}|dictsort }}{{ [3,1,2]|sort|batch(2, 0)|list }}{{ 'a b'.split() }}{{ 'x'*3 }}{{ 1 if 2 }}",
  "{{ strftime_now('%d %b %Y') }}{% raw %}{{ x }}{% endraw %}{# note #}{{ messages[0]['content'][:2] }}{{ messages[-1].role }}",
  "{% filter upper %}a{% endfilter %}{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{% set c %}x{% endset %}{{ c|length }}",
];

const [chat] = tokenization.chats;
const context = {
  ...{ messages: chat, tools: tokenization.tools, documents: null, add_generation_prompt: true },
  ...{ bos_token: "<s>", eos_token: "</s>" },
};

interface Box {
  run?: () => unknown;
}
const box: Box = {};
const sandbox = createContext(box);

const isLate = (error: unknown): boolean =>
  (error as { readonly code?: unknown } | null)?.code === "ERR_SCRIPT_EXECUTION_TIMEOUT";

export const template: Format = {
  seeds: [...Object.values(tokenization.templates), ...more].map((text) => new TextEncoder().encode(text)),
  mutate: mutateText(words),
  read: (bytes) => {
    const text = Buffer.from(bytes).toString("utf8");
    box.run = () => render(text, context, { now: new Date(0) });
    return runInContext("run()", sandbox, { timeout: DEADLINE });
  },
  typed: (error) => error instanceof TemplateFault || error instanceof Refusal || isLate(error),
};
