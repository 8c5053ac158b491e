"""Makes chatMasks.json: which parts of written chats the assistant says, by transformers' own rendering.

    python chatMasks.py > chatMasks.json      (transformers, jinja2)

The templates are small equivalents of those in use, written here. In each, what the assistant says with the token
that ends its turn stands between two signs. transformers renders the template with the signs made
{% generation %} and {% endgeneration %}, and says where they were; the golden holds the template without them, as
models bring it.
"""

import json
from datetime import datetime

import transformers
from transformers.utils import chat_template_utils

HEAD = "{{- '<|start_header_id|>' + %s + '<|end_header_id|>\\n\\n' }}"
TEMPLATES = {
    "llama-3.1": {
        "specials": ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
        "template": """{{- bos_token }}
{%- if messages[0].role == 'system' %}
    {%- set system = messages[0].content | trim %}
    {%- set rest = messages[1:] %}
{%- else %}
    {%- set system = '' %}
    {%- set rest = messages %}
{%- endif %}
""" + HEAD % "'system'" + """
{{- 'Today Date: ' + strftime_now('%d %b %Y') + '\\n\\n' + system + '<|eot_id|>' }}
{%- for message in rest %}
    {%- if message.role == 'tool' %}""" + HEAD % "'ipython'" + """{{- message.content | tojson + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if message.tool_calls | length != 1 %}{{- raise_exception('one call at once') }}{%- endif %}
        {%- set call = message.tool_calls[0].function %}
        """ + HEAD % "'assistant'" + """«{{- '{"name": "' + call.name + '", "parameters": ' + call.arguments | tojson + '}' + '<|eot_id|>' }}»
    {%- elif message.role == 'assistant' %}""" + HEAD % "'assistant'" + """«{{- message.content | trim + '<|eot_id|>' }}»
    {%- else %}""" + HEAD % "message.role" + """{{- message.content | trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}""" + HEAD % "'assistant'" + """{%- endif %}""",
    },
    "qwen2.5": {
        "specials": ["<|im_start|>", "<|im_end|>"],
        "template": """{%- if messages[0].role == 'system' %}{{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- else %}{{- '<|im_start|>system\\nYou are helpful.<|im_end|>\\n' }}{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'user' or (message.role == 'system' and not loop.first) or (message.role == 'assistant' and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' }}
        {%- if message.role == 'assistant' %}«{{- message.content + '<|im_end|>' }}»{%- else %}{{- message.content + '<|im_end|>' }}{%- endif %}
        {{- '\\n' }}
    {%- elif message.role == 'assistant' %}
        {{- '<|im_start|>assistant' }}
        {#- here the line end is written with the calls, and is what the model says first -#}
        {{- '\\n' }}«{%- if message.content %}{{- message.content + '\\n' }}{%- endif %}
        {%- for call in message.tool_calls %}{%- if not loop.first %}{{- '\\n' }}{%- endif %}{%- set call = call.function or call %}
        {{- '<tool_call>\\n{"name": "' + call.name + '", "arguments": ' + call.arguments | tojson + '}\\n</tool_call>' }}
        {%- endfor %}{{- '<|im_end|>' }}»{{- '\\n' }}
    {%- elif message.role == 'tool' %}
        {%- if loop.index0 == 0 or messages[loop.index0 - 1].role != 'tool' %}{{- '<|im_start|>user' }}{%- endif %}
        {{- '\\n<tool_response>\\n' + message.content + '\\n</tool_response>' }}
        {%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{- '<|im_end|>\\n' }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}""",
    },
    "qwen3": {
        "specials": ["<|im_start|>", "<|im_end|>"],
        "template": """{%- if messages[0].role == 'system' %}{{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}{%- endif %}
{%- set ns = namespace(search=true, last=messages | length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = messages | length - 1 - loop.index0 %}
    {%- if ns.search and message.role == 'user' %}{%- set ns.search = false %}{%- set ns.last = index %}{%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content if message.content is string else '' %}
    {%- if message.role == 'user' %}{{- '<|im_start|>user\\n' + content + '<|im_end|>\\n' }}
    {%- elif message.role == 'assistant' %}
        {%- set reasoning = '' %}
        {%- if message.reasoning_content is string %}{%- set reasoning = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {{- '<|im_start|>assistant\\n' }}«
        {%- if loop.index0 > ns.last and (loop.last or reasoning) %}
            {{- '<think>\\n' + reasoning.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}{{- content }}{%- endif %}
        {%- for call in message.tool_calls or [] %}
            {%- if (loop.first and content) or not loop.first %}{{- '\\n' }}{%- endif %}
            {{- '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' + call.function.arguments | tojson + '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>' }}»{{- '\\n' }}
    {%- elif message.role == 'tool' %}{{- '<|im_start|>user\\n<tool_response>\\n' + content + '\\n</tool_response><|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}""",
    },
    "gemma-3": {
        "specials": ["<bos>", "<start_of_turn>", "<end_of_turn>"],
        "template": """{{ bos_token }}
{%- if messages[0].role == 'system' %}{%- set first = messages[0].content + '\\n\\n' %}{%- set rest = messages[1:] %}
{%- else %}{%- set first = '' %}{%- set rest = messages %}{%- endif %}
{%- for message in rest %}
    {%- if (message.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{%- endif %}
    {%- if message.role == 'assistant' %}{{- '<start_of_turn>model\\n' }}«{{- message.content | trim }}{{- '<end_of_turn>' }}»{{- '\\n' }}
    {%- else %}{{- '<start_of_turn>' + message.role + '\\n' + (first if loop.first else '') + message.content | trim + '<end_of_turn>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{%- endif %}""",
    },
    "smollm2": {
        "specials": ["<|im_start|>", "<|im_end|>"],
        "template": """{% for message in messages %}{% if loop.first and messages[0].role != 'system' %}{{ '<|im_start|>system\\nYou are SmolLM.<|im_end|>\\n' }}{% endif %}{{ '<|im_start|>' + message.role + '\\n' }}{% if message.role == 'assistant' %}«{{ message.content + '<|im_end|>' }}»{% else %}{{ message.content + '<|im_end|>' }}{% endif %}{{ '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""",
    },
    "gpt-oss": {
        "specials": ["<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|return|>", "<|call|>"],
        "template": """{{- '<|start|>system<|message|>Current date: ' + strftime_now('%Y-%m-%d') + '<|end|>' }}
{%- set ns = namespace(tool=none) %}
{%- for message in messages %}
    {%- if message.role == 'system' %}{{- '<|start|>developer<|message|># Instructions\\n\\n' + message.content + '<|end|>' }}
    {%- elif message.role == 'assistant' and message.tool_calls %}
        {%- set call = message.tool_calls[0].function %}{%- set ns.tool = call.name %}
        {{- '<|start|>assistant' }}«
        {%- if message.thinking %}{{- '<|channel|>analysis<|message|>' + message.thinking + '<|end|><|start|>assistant' }}{%- endif %}
        {{- ' to=functions.' + call.name + '<|channel|>commentary json<|message|>' + call.arguments | tojson + '<|call|>' }}»
    {%- elif message.role == 'assistant' %}
        {{- '<|start|>assistant' }}«
        {%- if loop.last and not add_generation_prompt %}
            {%- if message.thinking %}{{- '<|channel|>analysis<|message|>' + message.thinking + '<|end|><|start|>assistant' }}{%- endif %}
            {{- '<|channel|>final<|message|>' + message.content + '<|return|>' }}
        {%- else %}{{- '<|channel|>final<|message|>' + message.content + '<|end|>' }}{%- endif %}»
    {%- elif message.role == 'tool' %}
        {%- if ns.tool is none %}{{- raise_exception('a tool spoke that nobody called') }}{%- endif %}
        {{- '<|start|>functions.' + ns.tool + ' to=assistant<|channel|>commentary<|message|>' + message.content | tojson + '<|end|>' }}
    {%- else %}{{- '<|start|>user<|message|>' + message.content + '<|end|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start|>assistant' }}{%- endif %}""",
    },
    # The answer is begun with a tag that finished answers do not have (as reasoning models' templates do).
    "begun": {
        "specials": ["<|user|>", "<|bot|>", "<|stop|>"],
        "template": """{%- for message in messages %}{%- if message.role == 'assistant' %}{{- '<|bot|>' }}«{{- message.content.split('</think>')[-1] | trim + '<|stop|>' }}»
{%- else %}{{- '<|user|>' + message.content }}{%- endif %}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|bot|><think>\\n' }}{%- endif %}""",
    },
}
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Rome", "days": 2}}}
CHATS = {
    "one turn": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}],
    "two turns with a system": [
        {"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "And?"}, {"role": "assistant", "content": "  And <b>more</b>.\n"},
    ],
    "the same said twice": [
        {"role": "user", "content": "ok"}, {"role": "assistant", "content": "ok"},
        {"role": "user", "content": "ok"}, {"role": "assistant", "content": "ok"},
        {"role": "user", "content": "assistant\nok"}, {"role": "assistant", "content": "assistant"},
    ],
    "ends with the user": [
        {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"},
    ],
    "reasoning": [
        {"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "<think>\nfour\n</think>\n\n4"},
        {"role": "user", "content": "3+3?"}, {"role": "assistant", "content": "6", "reasoning_content": "six", "thinking": "six"},
    ],
    "calls": [
        {"role": "user", "content": "Weather?"}, {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "content": "sunny"}, {"role": "assistant", "content": "It is sunny."},
        {"role": "user", "content": "Thanks"}, {"role": "assistant", "content": "Welcome."},
    ],
}
# Templates that do not know tools, or not so.
LEFT_OUT = {("gemma-3", "calls"), ("smollm2", "calls"), ("begun", "calls")}


class Fixed(datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26)


def main():
    chat_template_utils.datetime = Fixed
    special = {"bos_token": "<s>", "eos_token": "</s>"}
    cases = []
    for name, given in TEMPLATES.items():
        marked = given["template"].replace("«", "{% generation %}").replace("»", "{% endgeneration %}")
        plain = given["template"].replace("«", "").replace("»", "")
        for chat, messages in CHATS.items():
            if (name, chat) in LEFT_OUT:
                continue
            how = {"conversations": [messages], "add_generation_prompt": False, **special}
            [text], [spans] = chat_template_utils.render_jinja_template(
                chat_template=marked, return_assistant_tokens_mask=True, **how
            )
            [same], _ = chat_template_utils.render_jinja_template(chat_template=plain, **how)
            assert same == text, (name, chat, same, text)
            cases.append({"template": name, "chat": chat, "text": text, "spans": [list(s) for s in spans]})
    print(json.dumps({
        "made": f"transformers {transformers.__version__}",
        "templates": {
            name: {**given, "template": given["template"].replace("«", "").replace("»", "")}
            for name, given in TEMPLATES.items()
        },
        "marked": {
            name: given["template"].replace("«", "{% generation %}").replace("»", "{% endgeneration %}")
            for name, given in TEMPLATES.items()
        },
        "chats": CHATS,
        "cases": cases,
    }, indent=1))


main()
